/** Features of this host. Its WebAssembly is probed with modules of some 30 bytes, which are validated and never compiled. */
import { nodeProcess } from "./nodeProcess.js";
import { hasWorkers } from "./workerHost.js";

export const hasWebAssembly = (): boolean => typeof WebAssembly === "object";

const validates = (...sections: number[]): boolean =>
  hasWebAssembly() && WebAssembly.validate(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections]));

/** type section: one function () → v128; function section: one of that type. */
const FUNCTION_RETURNING_V128 = [1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0];

/** 128-bit SIMD: `i32.const 0, i32x4.splat`. */
export const hasSimd = (): boolean => validates(...FUNCTION_RETURNING_V128, 10, 8, 1, 6, 0, 0x41, 0, 0xfd, 17, 0x0b);

/** Relaxed SIMD: three zero vectors, `f32x4.relaxed_madd`. */
export const hasRelaxedSimd = (): boolean =>
  validates(
    ...FUNCTION_RETURNING_V128,
    ...[10, 19, 1, 17, 0],
    ...[0x41, 0, 0xfd, 17, 0x41, 0, 0xfd, 17, 0x41, 0, 0xfd, 17],
    ...[0xfd, 0x85, 2, 0x0b],
  );

/** Why this host cannot run several threads on one memory, or undefined if it can. */
export function whyNoThreads(): string | undefined {
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  if (crossOriginIsolated === false) return "the page is not cross-origin isolated";
  if (typeof SharedArrayBuffer !== "function") return "this host has no SharedArrayBuffer";
  return hasWorkers() ? undefined : "this host has no workers";
}

/** Threads that this host can run at once. */
export const availableParallelism = (): number =>
  nodeProcess()?.getBuiltinModule("node:os").availableParallelism() ??
  (globalThis as { navigator?: { hardwareConcurrency?: number } }).navigator?.hardwareConcurrency ??
  1;
