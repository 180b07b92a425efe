/** Engines for every host that can compile bytes: the package carries the kernels as text. */
import type { Engine } from "./engine.js";
import type { FullEngine } from "./fullEngine.js";
import { type LoadKernels, makeEngine } from "./makeEngine.js";
import type { EngineOptions } from "./openEngine.js";

/**
 * Makes an engine with the best build that this host validates, on one thread, for attention. With `operations: "all"` it is a
 * `FullEngine`.
 *
 * @throws {TypeError} the wrong kind of value, or an unknown option
 * @throws {RangeError} a value out of range, or a module of another version
 * @throws {Error} a host without SIMD, or a build that was requested by name and fails
 *
 * @example
 * import { createEngine } from "headwise";
 *
 * const engine = await createEngine({ build: "simd", maximumMemory: 64 * 2 ** 20 });
 * console.log(engine.info.memory.limit); // 67108864
 * engine.dispose();
 */
export async function createEngine(options: EngineOptions & { operations: "all" }): Promise<FullEngine>;
export async function createEngine(options?: EngineOptions): Promise<Engine>;
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  return makeEngine(options, loadBinary);
}

/**
 * Each binary has its own file, so that a caller loads only one.
 * @internal
 */
export const loadBinary: LoadKernels = async (build, { hasAllOperations }) =>
  (await (hasAllOperations ? ALL : ATTENTION)[build]()).bytes();

const ATTENTION = {
  simd: async () => import("../runtime/binary/attention-simd.js"),
  relaxed: async () => import("../runtime/binary/attention-relaxed.js"),
  wide: async () => import("../runtime/binary/attention-wide.js"),
};
const ALL = {
  simd: async () => import("../runtime/binary/simd.js"),
  relaxed: async () => import("../runtime/binary/relaxed.js"),
  wide: async () => import("../runtime/binary/wide.js"),
};
