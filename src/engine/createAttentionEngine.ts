/** Engines for attention alone, which are smaller; see `createEngine.ts`. */
import { AttentionEngine } from "./attentionEngine.js";
import { imported, makeEngine } from "./makeEngine.js";
import { type EngineOptions, type PackagedBuild, readEngineOptions } from "./openEngine.js";
import { decodePrintable } from "../runtime/printable.js";

/**
 * Makes an engine for attention, its caches and merging, with the best build that this host validates, on one thread.
 *
 * @throws {TypeError} the wrong kind of value, or an unknown option
 * @throws {RangeError} a value out of range, or a module of another version
 * @throws {Error} a host without SIMD, a build that was requested by name and fails, or a host that forbids `import()`
 *
 * @example
 * import { createEngine } from "headwise/attention";
 *
 * const engine = await createEngine();
 * const one = { data: Float32Array.of(1), dims: [1, 1] };
 * console.log(engine.scaledDotProductAttention(one, one, one).data[0]); // 1
 * engine.dispose();
 */
export async function createEngine(options: EngineOptions = {}): Promise<AttentionEngine> {
  const operation = "createEngine";
  const plan = readEngineOptions(operation, options, "attention");
  return makeEngine(operation, AttentionEngine, plan, (build) => imported(operation, () => loadBinary(build)));
}

/** @internal */
export const loadBinary = async (build: PackagedBuild): Promise<Uint8Array<ArrayBuffer>> =>
  decodePrintable((await BINARIES[build]()).text);

const BINARIES = {
  simd: async () => import("../runtime/binary/attention-simd.js"),
  relaxed: async () => import("../runtime/binary/attention-relaxed.js"),
  wide: async () => import("../runtime/binary/attention-wide.js"),
};
