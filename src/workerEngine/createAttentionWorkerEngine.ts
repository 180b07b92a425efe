/** Makes an engine for attention alone in a worker, see `createWorkerEngine.ts`. */
import { loadBinary } from "../engine/createAttentionEngine.js";
import { fetchWasm } from "../engine/makeEngine.js";
import { readEngineOptions } from "../engine/openEngine.js";
import type { AttentionWorkerEngine } from "./workerEngine.js";
import type { WorkerEngineOptions } from "./openWorkerEngine.js";

/**
 * Makes an engine that computes in a worker, so that the calling thread stays free: a page keeps its frame rate. The engine has
 * the methods of one from `createEngine`, and each returns a promise. See `WorkerEngine`.
 *
 * @throws {TypeError} the wrong kind of value, or an unknown option
 * @throws {RangeError} a value out of range, or a module of another version
 * @throws {Error} a host without SIMD, a build that was requested by name and fails, or a worker that doesn't start
 *
 * @example
 * import { createWorkerEngine } from "headwise/attention";
 *
 * const engine = await createWorkerEngine();
 * const one = { data: Float32Array.of(1), dims: [1, 1] };
 * const out = await engine.scaledDotProductAttention(one, one, one);
 * console.log(out.data[0], (await engine.info).threads); // 1 1
 * await engine.dispose();
 */
export async function createWorkerEngine(options: WorkerEngineOptions = {}): Promise<AttentionWorkerEngine> {
  const { openWorkerEngine } = await import("./openWorkerEngine.js");
  const loadSource = async () => import("../runtime/binary/attentionWorker.js");
  return openWorkerEngine(options, { entry: "attention", readEngineOptions, fetchWasm, loadBinary, loadSource });
}
