/** Making an engine that works in a worker; all of it is loaded when the first one is made. */
import { loadBinary } from "../engine/createEngine.js";
import { fetchWasm } from "../engine/makeEngine.js";
import { readOptions } from "../engine/openEngine.js";
import type { FullWorkerEngine, WorkerEngine } from "./workerEngine.js";
import type { WorkerEngineOptions } from "./openWorkerEngine.js";

/**
 * Makes an engine that computes in a worker, so that the thread that calls it is free meanwhile: a page goes on at its frame rate. It
 * has the methods of `createEngine`'s, each of which returns a promise. See `WorkerEngine`.
 *
 * @throws {TypeError} the wrong kind of value, or an unknown option
 * @throws {RangeError} a value that doesn't fit, or a module that isn't this version's
 * @throws {Error} a host without SIMD, a build that was named and fails, or a worker that doesn't start
 *
 * @example
 * import { createWorkerEngine } from "headwise";
 *
 * const engine = await createWorkerEngine();
 * const one = { data: Float32Array.of(1), dims: [1, 1] };
 * const out = await engine.scaledDotProductAttention(one, one, one);
 * console.log(out.data[0], (await engine.info).threads); // 1 1
 * await engine.dispose();
 */
export async function createWorkerEngine(options: WorkerEngineOptions & { operations: "all" }): Promise<FullWorkerEngine>;
export async function createWorkerEngine(options?: WorkerEngineOptions): Promise<WorkerEngine>;
export async function createWorkerEngine(options: WorkerEngineOptions = {}): Promise<WorkerEngine> {
  const { openWorkerEngine } = await import("./openWorkerEngine.js");
  return openWorkerEngine(options, { readOptions, fetchWasm, loadBinary });
}
