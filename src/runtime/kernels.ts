/**
 * Kernels whose work threads share, `op(params, workspace, first, end)`, and the functions that go with them: `opUnits` for all,
 * `opWorkspaceBytes` and `opPlace` for kernels that need workspaces.
 */
import { type KernelFunctions, SHARED_KERNELS, type SharedKernel } from "./abi.generated.js";

/** The exports of a module. */
export type Kernels = KernelFunctions & { readonly memory: WebAssembly.Memory };

type Beside = Readonly<Record<string, ((params: number, workspace?: number) => number) | undefined>>;

/** The names of those functions by kernel, so that no call joins strings. */
const named = (suffix: string): Readonly<Record<string, string>> =>
  Object.fromEntries(SHARED_KERNELS.map((kernel) => [kernel, kernel + suffix]));
const UNITS = named("Units");
const WORKSPACE_BYTES = named("WorkspaceBytes");
const PLACE = named("Place");

/** Units of the call whose struct is at `params`. */
export const unitsOf = (kernels: Kernels, kernel: SharedKernel, params: number): number =>
  (kernels as unknown as Beside)[UNITS[kernel]!]!(params) >>> 0;

/** Bytes of a thread's workspace for the call whose struct is at `params`. */
export const workspaceBytesOf = (kernels: Kernels, kernel: SharedKernel, params: number): number =>
  (kernels as unknown as Beside)[WORKSPACE_BYTES[kernel]!]?.(params) ?? 0;

/** Prepares a thread's workspace for a kernel. */
export function placeWorkspace(kernels: Kernels, kernel: SharedKernel, params: number, workspace: number): void {
  (kernels as unknown as Beside)[PLACE[kernel]!]?.(params, workspace);
}
