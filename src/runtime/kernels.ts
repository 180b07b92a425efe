/** Kernels whose work threads share, `op(params, workspace, first, end)`, and the functions that go with them. */
import { BESIDE_KERNEL, type KernelFunctions, type SharedKernel } from "./abi.generated.js";

/** The exports of a module. */
export type Kernels = KernelFunctions & { readonly memory: WebAssembly.Memory };

/** Units of the call whose struct is at `params`. */
export const unitsOf = (kernels: Kernels, kernel: SharedKernel, params: number): number =>
  kernels[BESIDE_KERNEL[kernel].units](params) >>> 0;

/** Bytes of a thread's workspace for the call whose struct is at `params`. */
export function workspaceBytesOf(kernels: Kernels, kernel: SharedKernel, params: number): number {
  const name = BESIDE_KERNEL[kernel].workspaceBytes;
  return name === undefined ? 0 : kernels[name](params);
}

/** Prepares a thread's workspace for a kernel. */
export function placeWorkspace(kernels: Kernels, kernel: SharedKernel, params: number, workspace: number): void {
  const name = BESIDE_KERNEL[kernel].place;
  if (name !== undefined) kernels[name](params, workspace);
}
