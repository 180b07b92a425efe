/// <reference lib="esnext.disposable" preserve="true" />
/** The engine: one kernel module over one memory, and every operation in one list. */
import type { Integers } from "../check.js";
import type { AttentionOptions } from "../attention/options.js";
import type { KVCacheOptions } from "../cache/cacheConfig.js";
import { KVCache } from "../cache/kvCache.js";
import type { AttentionPlan } from "../attention/attentionCall.js";
import { type AttentionPart, mergeAttention, type MergeOptions } from "../attention/mergeAttention.js";
import { planAttention, scaledDotProductAttention } from "../attention/scaledDotProductAttention.js";
import type { Build } from "../runtime/builds.js";
import type { Runtime } from "../runtime/runtime.js";
import { disown, own } from "../runtime/span.js";
import { measureWideSpeedup } from "../runtime/wide.js";
import { markClass } from "../runtime/markClass.js";
import {
  createTensor,
  type ElementType,
  type EngineTensor,
  type PlaceTensor,
  type ResultTensor,
  type TensorLike,
} from "../call/tensor.js";
import { VERSION } from "./version.js";

/** Facts about an engine: its build, threads and memory. */
export interface EngineInfo {
  /** Version of this package. */
  readonly version: string;
  /** The kernels in use. */
  readonly build: Build;
  /** Why this is not the fastest build, if there was a choice. */
  readonly buildReason: string | undefined;
  /** Whether multiply-adds round once: then results differ from those of build "simd" in their last bits. */
  readonly fused: boolean;
  /** Threads that compute, the calling one among them. */
  readonly threads: number;
  /** Why there are fewer than requested. */
  readonly threadsReason: string | undefined;
  /**
   * For build "wide": the speed of tiles relative to registers of 128 bits, measured when `info` is first read, which takes some
   * 40 ms. About 1 if V8 doesn't use 256 bits.
   */
  readonly wideSpeedup: number | undefined;
  /** Bytes of linear memory: used by tensors, reserved from the host so far, and the most that it may grow to. */
  readonly memory: { readonly inUse: number; readonly reserved: number; readonly limit: number };
}

/** What `console.log` shows of an engine in Node, Deno and Bun. */
function showInfo(
  this: AttentionEngine,
  _depth: number,
  options: object,
  inspect: (value: unknown, options: object) => string,
): string {
  return `Engine ${inspect(this.info, options)}`;
}

/** Lets methods be taken off the engine, as in `const { scaledDotProductAttention } = engine`. */
function bindMethods(engine: AttentionEngine): void {
  for (let owner: object = engine; owner !== Object.prototype; owner = Object.getPrototypeOf(owner) as object) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(owner))) {
      if (typeof value !== "function" || name === "constructor" || Object.hasOwn(engine, name)) continue;
      const method = value as (...args: unknown[]) => unknown;
      Object.defineProperty(engine, name, { value: method.bind(engine), writable: true, configurable: true });
    }
  }
}

/**
 * Why an engine has another build or fewer threads than it could have.
 * @internal
 */
export interface EngineReasons {
  readonly build?: string | undefined;
  readonly threads?: string | undefined;
}

/**
 * Attention on WebAssembly kernels; made by `createEngine` of `headwise/attention`. Calls are synchronous. `Engine` adds the
 * operations around attention.
 *
 * @example
 * import { createEngine } from "headwise";
 *
 * const engine = await createEngine();
 * console.log(engine.info.build); // relaxed or simd
 * engine.dispose();
 */
export class AttentionEngine {
  static {
    markClass(this.prototype, "Engine");
    Object.defineProperty(this.prototype, Symbol.for("nodejs.util.inspect.custom"), { value: showInfo });
  }

  /** @internal */
  protected readonly runtime: Runtime;
  readonly #reasons: EngineReasons;
  #measuredSpeedup: number | undefined;

  /** @internal */
  constructor(runtime: Runtime, reasons: EngineReasons = {}) {
    this.runtime = runtime;
    this.#reasons = reasons;
    bindMethods(this);
    const { pool } = runtime;
    if (pool) own(runtime, { release: () => pool.end() }); // workers would otherwise stay, and keep all memory of the engine
  }

  /** Build, threads and memory of this engine at this moment. */
  get info(): EngineInfo {
    const { build, fused, maximumBytes, pool } = this.runtime;
    const bytes = this.runtime.isDisposed
      ? { inUse: 0, reserved: 0 }
      : { inUse: this.runtime.arena.inUse, reserved: this.runtime.memory.byteLength };
    return {
      version: VERSION,
      build,
      buildReason: this.#reasons.build,
      fused,
      threads: pool?.threads ?? 1,
      threadsReason: pool?.failure ?? this.#reasons.threads,
      wideSpeedup: this.#wideSpeedup(),
      memory: { ...bytes, limit: maximumBytes },
    };
  }

  /** Measured once. */
  #wideSpeedup(): number | undefined {
    if (this.runtime.build === "wide" && !this.runtime.isDisposed)
      this.#measuredSpeedup ??= measureWideSpeedup(this.runtime.module);
    return this.#measuredSpeedup;
  }

  /**
   * A tensor of zeros in the engine's memory, of type "float32" (default) or "uint8". Operations use it without copying. It may be the
   * `data` of a view, { data: tensor, dims, strides, offset }.
   *
   * @throws {TypeError} `dims` is not an array, or the type is unknown
   * @throws {RangeError} a negative or fractional size, or not enough memory
   * @throws {Error} after `dispose`
   */
  tensor(dims: Integers, type?: "float32" | null): EngineTensor<"float32">;
  tensor(dims: Integers, type: "uint8"): EngineTensor<"uint8">;
  tensor(dims: Integers, type?: ElementType | null): EngineTensor {
    return createTensor(this.runtime, dims, type ?? "float32");
  }

  /**
   * Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762), by online softmax in memory linear in the length
   * (Dao 2023, arXiv:2307.08691).
   *
   *     out_i = Σ_j softmax_j(scale · q_i·k_j, capped, biased) v_j      over the keys j that row i may see
   *
   * A key that a row may not see has no influence on it, whatever it holds; a row that sees none is 0, with logSumExp −∞, or
   * the sink where there are `sinks`. A visible score of +∞ or NaN makes its row NaN and no other.
   *
   * @param q  [batch, seqLen, numHeads, headDim], another layout, [batch, seqLen, numHeads · headDim] with `numHeads`, or [seqLen, headDim]
   * @param k  [batch, kvLen, numKvHeads, headDim] in the same layout; numHeads is a multiple of numKvHeads
   * @param v  [batch, kvLen, numKvHeads, valueDim] in the same layout
   * @returns `out` where given, else { type: "float32", data, dims } with dims [batch, seqLen, numHeads, valueDim] in the same layout
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} sizes or values that don't fit, results that overlap operands, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const dims = [1, 128, 8, 64]; // batch, seq, heads, headDim
   * const random = () => ({ data: Float32Array.from({ length: 128 * 8 * 64 }, () => Math.random()), dims });
   * const out = engine.scaledDotProductAttention(random(), random(), random(), { causal: true });
   * console.log(out.dims); // [1, 128, 8, 64]
   * engine.dispose();
   */
  scaledDotProductAttention<Out extends PlaceTensor = ResultTensor>(
    q: TensorLike,
    k: TensorLike,
    v: TensorLike,
    options?: AttentionOptions<Out>,
  ): Out {
    return scaledDotProductAttention(this.runtime, q, k, v, options);
  }

  /**
   * The threads and memory that a call of `scaledDotProductAttention` with the same arguments needs. Nothing is computed, written
   * or allocated.
   *
   * @throws {TypeError} @throws {RangeError} @throws {Error} as the call itself
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const x = engine.tensor([1, 1024, 12, 64]);
   * const { threads, scratchBytes } = engine.planAttention(x, x, x, { out: engine.tensor([1, 1024, 12, 64]) });
   * console.log(threads, scratchBytes < 2 ** 20); // 1 true
   * engine.dispose();
   */
  planAttention(q: TensorLike, k: TensorLike, v: TensorLike, options?: AttentionOptions<PlaceTensor>): AttentionPlan {
    return planAttention(this.runtime, q, k, v, options);
  }

  /**
   * Attention on the union of disjoint sets of keys, from the results on each: for keys that are stored separately, or arrive at
   * different times (Dao et al. 2023, Flash-Decoding).
   *
   *     out = Σ_p exp(logSumExp_p − logSumExp) out_p          logSumExp = ln Σ_p exp(logSumExp_p)
   *
   * Except for rounding, it is the result of one call on all keys. Rows of parts that saw no key have logSumExp −∞ and no
   * influence; where no part saw a key, out is 0 and logSumExp −∞. Sinks are keys too: give them to one part.
   *
   * @param parts  at least 1, each { out, logSumExp } with out [batch, seqLen, numHeads, valueDim], or [batch, numHeads, seqLen,
   *               valueDim] with layout "bhsd", or [seqLen, valueDim], and logSumExp [batch, numHeads, seqLen], or [seqLen]
   * @returns `out` where given, else { type: "float32", data, dims } of the parts' sizes
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} sizes that don't fit, results that overlap operands, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const column = (...data) => ({ data: Float32Array.from(data), dims: [data.length, 1] });
   * const on = (k, v) => {
   *   const logSumExp = engine.tensor([1]);
   *   return { out: engine.scaledDotProductAttention(column(1), k, v, { logSumExp }), logSumExp };
   * };
   * const parts = [on(column(0, 0), column(1, 2)), on(column(0), column(6))];
   * console.log(engine.mergeAttention(parts).data[0].toFixed(3)); // 3.000
   * engine.dispose();
   */
  mergeAttention<Out extends PlaceTensor = ResultTensor>(parts: readonly AttentionPart[], options?: MergeOptions<Out>): Out {
    return mergeAttention(this.runtime, parts, options);
  }

  /**
   * An empty cache of keys and values in the engine's memory, for attention on tokens that arrive in pieces.
   *
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} values that don't fit
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const cache = engine.createKVCache({ numKvHeads: 8, headDim: 64, capacity: 2048, policy: "rolling", window: 1023, sinkTokens: 4 });
   * console.log(cache.length); // 0
   * engine.dispose();
   */
  createKVCache(options: KVCacheOptions): KVCache {
    return KVCache.create(this.runtime, options);
  }

  /**
   * Restores on this engine a cache that `KVCache.serialize` wrote.
   *
   * @throws {TypeError} not a Uint8Array
   * @throws {RangeError} bytes that `serialize` did not write, or of another version; not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const cache = engine.createKVCache({ numKvHeads: 1, headDim: 4, capacity: 100 });
   * const x = engine.tensor([1, 8, 1, 4]);
   * cache.append(x, x);
   * console.log(engine.restoreKVCache(cache.serialize()).length); // 8
   * engine.dispose();
   */
  restoreKVCache(bytes: Uint8Array): KVCache {
    return KVCache.restore(this.runtime, bytes);
  }

  /** Ends the engine and its workers, and returns its memory to the host; later calls throw. Disposing twice does nothing. */
  dispose(): void {
    disown(this.runtime);
    this.runtime.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
