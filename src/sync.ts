/** Engines for those who can't await: both builds and all operations are held statically. */
import { describe, wrongKind } from "./check.js";
import { FullEngine } from "./fullEngine.js";
import {
  moduleOrBytes,
  type Opened,
  openFirst,
  openRuntime,
  readOptions,
  type SyncBuild,
  type SyncEngineOptions,
} from "./openEngine.js";
import { bytes as relaxed } from "./runtime/binary/relaxed.js";
import { bytes as simd } from "./runtime/binary/simd.js";

const BINARIES: Record<SyncBuild, () => Uint8Array<ArrayBuffer>> = { simd, relaxed };

/**
 * Makes an engine at once, like `createEngine`, on one thread, with all operations. `wasm` may be a WebAssembly.Module or the bytes of one.
 *
 * @throws {TypeError} the wrong kind of value, or an unknown option
 * @throws {RangeError} a value that doesn't fit, or a module that isn't this version's
 * @throws {Error} a host without SIMD, or a build that was named and fails
 *
 * @example
 * import { createEngineSync } from "headwise/sync";
 *
 * const engine = createEngineSync();
 * const one = { data: Float32Array.of(1), dims: [1, 1] };
 * console.log(engine.scaledDotProductAttention(one, one, one).data[0]); // 1
 * engine.dispose();
 */
export function createEngineSync(options: SyncEngineOptions = {}): FullEngine {
  const { runtime, reasons } = open(options);
  return new FullEngine(runtime, reasons);
}

function open(options: SyncEngineOptions): Opened {
  const plan = readOptions("createEngineSync", options, true);
  const { wasm } = plan;
  const ready = moduleOrBytes(wasm);
  if (ready) return openRuntime("createEngineSync", plan, ready);
  if (wasm !== undefined) {
    throw wrongKind("createEngineSync", `"wasm" must be a WebAssembly.Module or bytes, got ${describe(wasm)}`);
  }
  const opening = openFirst("createEngineSync", plan);
  let step = opening.next(new Uint8Array());
  while (!step.done) step = opening.next(BINARIES[step.value as SyncBuild]());
  return step.value;
}
