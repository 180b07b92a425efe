/** Engines with every operation, for hosts that can compile bytes: the package carries the kernels as text. */
import { Engine } from "./engine.js";
import { imported, makeEngine } from "./makeEngine.js";
import { type EngineOptions, type PackagedBuild, readEngineOptions } from "./openEngine.js";
import { decodePrintable } from "../runtime/printable.js";

/**
 * Makes an engine with the best build that this host validates, on one thread.
 *
 * @throws {TypeError} the wrong kind of value, or an unknown option
 * @throws {RangeError} a value out of range, or a module of another version
 * @throws {Error} a host without SIMD, a build that was requested by name and fails, or a host that forbids `import()`
 *
 * @example
 * import { createEngine } from "headwise";
 *
 * const engine = await createEngine({ build: "simd", maximumMemory: 64 * 2 ** 20 });
 * console.log(engine.info.memory.limit); // 67108864
 * engine.dispose();
 */
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  const operation = "createEngine";
  return makeEngine(operation, Engine, readEngineOptions(operation, options, "all"), (build) =>
    imported(operation, () => loadBinary(build)),
  );
}

/**
 * Each binary has its own file, so that a caller loads only one.
 * @internal
 */
export const loadBinary = async (build: PackagedBuild): Promise<Uint8Array<ArrayBuffer>> =>
  decodePrintable((await BINARIES[build]()).text);

const BINARIES = {
  simd: async () => import("../runtime/binary/simd.js"),
  relaxed: async () => import("../runtime/binary/relaxed.js"),
  wide: async () => import("../runtime/binary/wide.js"),
};
