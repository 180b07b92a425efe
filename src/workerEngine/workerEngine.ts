/// <reference lib="esnext.disposable" preserve="true" />
/** An engine in a worker, as its caller sees it. */
import type { Integers } from "../check.js";
import type { AttentionEngine } from "../engine/attentionEngine.js";
import type { Engine } from "../engine/engine.js";
import type { Asynchronous, CallOptions, WorkerTensor } from "./asynchronous.js";

/**
 * An engine in a worker; made by `createWorkerEngine`. It has the methods of `Engine`, with the same arguments, results and errors; each
 * returns a promise. Properties that may change, such as `info` or a cache's `length`, are promises too; they resolve with the
 * value after all calls before them.
 *
 * Calls run one after the other, in the order in which they were made. Arrays are copied before the call returns its promise, so
 * that the caller may overwrite them at once; with `transfer: true` they are moved. Arrays in a SharedArrayBuffer are neither
 * copied nor moved: the worker reads them, and writes results to them, when the call runs. The caller's places (`out`,
 * `logSumExp` and so on) receive their results when the promise is fulfilled; a call that reads them (`accumulate`) sees the
 * results of the calls before it. Tensors, caches, states, layers and packed matrices stay in the worker; calls take them as
 * arguments.
 *
 * Every call takes `signal` and `transfer`, see `CallOptions`. Functions cannot be sent to a worker: a `featureMap` must be a
 * name. If the worker ends, calls are rejected and the engine cannot be used any more.
 *
 * @example
 * import { createWorkerEngine } from "headwise";
 *
 * const engine = await createWorkerEngine();
 * const rows = (count) => ({ data: new Float32Array(count * 64).fill(0.1), dims: [1, count, 1, 64] });
 * const cache = await engine.createKVCache({ numKvHeads: 1, headDim: 64, capacity: 100 });
 * cache.append(rows(10), rows(10)); // queued in order; no need to await
 * const { signal } = new AbortController();
 * const out = await cache.attend(rows(1), { signal });
 * console.log(out.dims, await cache.length); // [1, 1, 1, 64] 10
 * await engine.dispose();
 */
export interface AttentionWorkerEngine extends Omit<Asynchronous<AttentionEngine>, "tensor"> {
  /**
   * A tensor of zeros in the engine's memory, of type "float32" (default) or "uint8", see `Engine.tensor`.
   *
   * @example
   * import { createWorkerEngine } from "headwise";
   *
   * const engine = await createWorkerEngine();
   * const [x, out] = await Promise.all([engine.tensor([2, 1]), engine.tensor([2, 1])]);
   * await x.write(Float32Array.of(3, 3));
   * await engine.scaledDotProductAttention(x, x, x, { out });
   * console.log(await out.read()); // Float32Array(2) [ 3, 3 ]
   * await engine.dispose();
   */
  tensor(dims: Integers, type?: "float32", options?: CallOptions): Promise<WorkerTensor<"float32">>;
  tensor(dims: Integers, type: "uint8", options?: CallOptions): Promise<WorkerTensor<"uint8">>;
}

/** An engine in a worker with every operation; made by `createWorkerEngine` of `headwise`. */
export interface WorkerEngine extends AttentionWorkerEngine, Omit<Asynchronous<Engine>, keyof AttentionWorkerEngine> {}
