/** Engines for code that cannot await: both builds and all operations are part of the module. */
import type { Engine } from "./engine/engine.js";
import { type HeldKernels, makeEngineSync } from "./engine/makeEngineSync.js";
import type { SyncEngineOptions } from "./engine/openEngine.js";
import { text as relaxed } from "./runtime/binary/relaxed.js";
import { text as simd } from "./runtime/binary/simd.js";
import { decodePrintable } from "./runtime/printable.js";

const BINARIES: HeldKernels = { simd: () => decodePrintable(simd), relaxed: () => decodePrintable(relaxed) };

/**
 * Makes an engine at once, like `createEngine`, on one thread, with all operations. `wasm` may be a WebAssembly.Module or the bytes of one.
 *
 * @throws {TypeError} the wrong kind of value, or an unknown option
 * @throws {RangeError} a value out of range, or a module of another version
 * @throws {Error} a host without SIMD, or a build that was requested by name and fails
 *
 * @example
 * import { createEngineSync } from "headwise/sync";
 *
 * const engine = createEngineSync();
 * const one = { data: Float32Array.of(1), dims: [1, 1] };
 * console.log(engine.scaledDotProductAttention(one, one, one).data[0]); // 1
 * engine.dispose();
 */
export function createEngineSync(options: SyncEngineOptions = {}): Engine {
  return makeEngineSync(options, BINARIES);
}
