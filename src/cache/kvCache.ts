/// <reference lib="esnext.disposable" preserve="true" />
/** A cache of the keys and values of earlier tokens, stored as the kernels read them. */
import { Call } from "../call/call.js";
import type { Given } from "../call/readOptions.js";
import { LAYOUTS } from "../call/layout.js";
import type { AttentionOptions } from "../attention/options.js";
import {
  counted,
  describe,
  integersOf,
  isAbsent,
  isObject,
  oneOf,
  optional,
  wrongKind,
  wrongMoment,
  wrongValue,
  type Integers,
} from "../check.js";
import { type AttentionCall, readAttention } from "../attention/attentionCall.js";
import type { Addition } from "../attention/extras.js";
import { attend } from "../attention/scaledDotProductAttention.js";
import type { Runtime } from "../runtime/runtime.js";
import { disown, own } from "../runtime/span.js";
import { markClass } from "../runtime/markClass.js";
import { type CachedKeys, cachedRows } from "../attention/shape.js";
import type { PlaceTensor, OwnUint8Array, ResultTensor, TensorLike } from "../call/tensor.js";
import { type CacheConfig, CREATE_KV_CACHE, type KVCacheOptions, readCacheConfig } from "./cacheConfig.js";
import { readImage } from "./cacheImage.js";
import {
  APPEND,
  type AppendOptions,
  ATTEND,
  type CachedAttentionOptions,
  operationOn,
  READ,
  type ReadOptions,
  REMOVE,
  type RemoveOptions,
} from "./cacheOptions.js";
import { assertContinues, assertVisible, countsOf, readRanges, spansOf } from "./keyRanges.js";
import { restoreKeys, serializeKeys } from "./imageRows.js";
import { readKeyRotation } from "./keyRotation.js";
import { KeySequences } from "./keySequences.js";
import { readRows } from "./readRows.js";
import { removeKeys } from "./removeKeys.js";
import { cachedKeys, StagedRows } from "./stagedRows.js";

/**
 * Keys and values of earlier tokens, for attention on them; made by `engine.createKVCache`. Prefill, in any pieces, and decoding
 * are bit-identical to one causal call over the whole sequence. Positions count from the first token ever appended.
 *
 * @example
 * import { createEngine } from "headwise";
 *
 * const engine = await createEngine();
 * const cache = engine.createKVCache({ numKvHeads: 2, headDim: 64, capacity: 4096 });
 * const rows = (count, heads) => ({ data: new Float32Array(count * heads * 64).fill(0.1), dims: [1, count, heads, 64] });
 * cache.append(rows(100, 2), rows(100, 2)); // prefill
 * cache.attend(rows(100, 8)); // 8 query heads on 2 key/value heads
 * cache.append(rows(1, 2), rows(1, 2)); // and token by token
 * console.log(cache.attend(rows(1, 8)).dims, cache.length); // [1, 1, 8, 64] 101
 * cache.dispose();
 * engine.dispose();
 */
export class KVCache {
  static {
    markClass(this.prototype, "KVCache");
  }

  readonly #runtime: Runtime;
  readonly #config: CacheConfig;
  #sequences: KeySequences;
  #isDisposed = false;
  #changes = 0;

  /** @internal */
  constructor(runtime: Runtime, config: CacheConfig, sequences: KeySequences) {
    this.#runtime = runtime;
    this.#config = config;
    this.#sequences = sequences;
    own(this, sequences);
  }

  /**
   * An empty cache.
   * @internal
   */
  static create(runtime: Runtime, options: KVCacheOptions, operation = CREATE_KV_CACHE.name): KVCache {
    runtime.assertReady(operation);
    const config = readCacheConfig(operation, options);
    runtime.assertReady(operation); // a getter may have disposed of the engine
    const { numKvHeads, headDim, valueDim, batchSize, dtype } = config;
    const blockBytes = runtime.kernels.cacheBlockBytes(numKvHeads, headDim, valueDim, dtype === "int8" ? 1 : 0);
    return new KVCache(runtime, config, KeySequences.empty(runtime, blockBytes, batchSize));
  }

  /**
   * Keys of the longest sequence, including evicted ones.
   * @throws {Error} after `dispose`
   */
  get length(): number {
    this.#assertReady("KVCache.length");
    return this.#sequences.longest;
  }

  /**
   * Keys of each sequence [batch].
   * @throws {Error} after `dispose`
   */
  get lengths(): number[] {
    this.#assertReady("KVCache.lengths");
    return this.#sequences.lengths;
  }

  /**
   * Adds keys and values to the end of each sequence.
   *
   * @param k  [batch, rows, numKvHeads, headDim], another layout, or [batch, rows, numKvHeads · headDim]
   * @param v  [batch, rows, numKvHeads, valueDim] in the same layout
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} sizes that don't fit, more keys than `capacity`, not enough memory, or with dtype "int8" a number that is not
   *   finite; the cache is unchanged
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const cache = engine.createKVCache({ batchSize: 2, numKvHeads: 1, headDim: 4, capacity: 100 });
   * const x = engine.tensor([2, 3, 1, 4]);
   * cache.append(x, x, { keyLengths: [3, 1] });
   * console.log(cache.lengths); // [3, 1]
   * engine.dispose();
   */
  append(k: TensorLike, v: TensorLike, options: AppendOptions = {}): void {
    const operation = APPEND.name;
    this.#assertReady(operation);
    const [call, { layout: givenLayout = "bshd", keyLengths }] = Call.of(this.#runtime, APPEND, options);
    const { batchSize } = this.#config;
    const layout = oneOf(operation, "layout", givenLayout, LAYOUTS);
    const operands = { k: call.numbers("k", k, true), v: call.numbers("v", v, true) };
    const rows = cachedRows(operation, operands.k, operands.v, this.#config, layout);
    const counts = isAbsent(keyLengths)
      ? new Array<number>(batchSize).fill(rows)
      : integersOf(operation, "keyLengths", keyLengths, batchSize, 0, rows);
    this.#assertReady(operation); // a getter may have disposed of the cache
    call.close();

    this.stage(call, counts).writeAndKeep({ ...operands, layout });
  }

  /**
   * Makes room for `counts` more rows of each sequence.
   * @internal
   * @throws {RangeError} more keys than `capacity`, or not enough memory
   */
  stage(call: Call, counts: readonly number[]): StagedRows {
    const staged = StagedRows.stage(call, this.#config, this.#sequences, counts);
    this.#changes++;
    return staged;
  }

  /**
   * Attention of rows of each sequence on its keys: row i has position queryOffset + i, by default those of the last rows,
   * lengths[b] − queryLengths[b] + i, with or without `causal`.
   *
   * @param q  [batch, seqLen, numHeads, headDim], another layout, or rank 3 with `numHeads`; numHeads is a multiple of
   *           numKvHeads
   * @returns `out` where given, else { type: "float32", data, dims } with dims [batch, seqLen, numHeads, valueDim] in the same layout
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} sizes or values that don't fit, rows whose window holds evicted keys, not enough memory, or when causal and
   *   without `queryOffset` more rows than the sequence has keys
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const cache = engine.createKVCache({ numKvHeads: 1, headDim: 1, capacity: 10 });
   * const column = (...data) => ({ data: Float32Array.from(data), dims: [data.length, 1] });
   * cache.append(column(0, 0), column(1, 3));
   * console.log([...cache.attend(column(5, 5)).data]); // [1, 2]
   * engine.dispose();
   */
  attend<Out extends PlaceTensor = ResultTensor>(q: TensorLike, options: CachedAttentionOptions<Out> = {}): Out {
    this.#assertReady(ATTEND.name);
    const [call, given] = Call.of(this.#runtime, operationOn(ATTEND, this.#config.policy), options);
    return attend(this.readAttention(call, q, given)) as Out;
  }

  /**
   * Reads a call of attention on its keys, with the defaults of `attend`; none of the caller's code runs afterwards.
   *
   * @param addition  what the operation adds besides what options ask for
   * @param name   the cache's name in errors
   * @internal
   * @throws as `attend`
   */
  readAttention(
    call: Call,
    q: TensorLike,
    options: Given<AttentionOptions<PlaceTensor>>,
    addition?: Addition,
    name = "this cache",
  ): AttentionCall {
    const { operation } = call;
    const { window, sinkTokens } = this.#config;
    const keys = this.keysWith();
    const changes = this.#changes;
    options.window ??= window;
    options.sinkTokens ??= sinkTokens;
    options.causal = oneOf(operation, "causal", options.causal ?? true, [true, false, "lower-right" as const]);
    const attention = readAttention(call, q, keys, options, addition);
    this.#assertReady(operation, name); // a getter may have disposed of the cache
    if (changes !== this.#changes) throw wrongMoment(operation, `${name} was changed while the arguments were read`);
    const needsKeys = attention.numbers.causal === 1 && isAbsent(options.queryOffset);
    assertVisible(operation, this.#config, this.#sequences.list, attention.sequences, needsKeys);
    return attention;
  }

  /**
   * Truncates sequences, for example when guessed tokens were wrong.
   *
   * @param lengths  keys to keep, for all sequences or for each
   * @throws {TypeError} the wrong kind of value
   * @throws {RangeError} more keys than there are, or a length whose next row would see evicted keys
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const cache = engine.createKVCache({ numKvHeads: 1, headDim: 4, capacity: 100 });
   * const x = engine.tensor([1, 8, 1, 4]);
   * cache.append(x, x);
   * cache.truncate(5);
   * console.log(cache.length); // 5
   * engine.dispose();
   */
  truncate(lengths: number | bigint | Integers): void {
    const operation = "KVCache.truncate";
    this.#assertReady(operation);
    const wanted = countsOf(operation, "lengths", lengths, this.#config.batchSize);
    this.#assertReady(operation); // a getter may have disposed of the cache
    for (const [batch, { length }] of this.#sequences.list.entries()) {
      if (wanted[batch]! <= length) continue;
      throw wrongValue(operation, `sequence ${batch} has ${counted(length, "key")} and cannot be truncated to ${wanted[batch]}`);
    }
    assertContinues(operation, this.#config, this.#sequences.list, wanted);
    this.#changes++;
    for (const [batch, sequence] of this.#sequences.list.entries()) this.#sequences.truncate(sequence, wanted[batch]!);
  }

  /**
   * Removes keys and their values from the middle of sequences; later ones move up to their positions. For a conversation that
   * outgrows its context: the system prompt stays, old messages go, and nothing is computed anew. Blocks that forks share are copied.
   *
   * Positions count the keys that are left. Keys that carry their positions, by a rotary embedding, are rotated to the new ones with
   * `rotary`: for a layer's cache with `rotary: layer.config.rotary`.
   *
   * @param from  first key to remove, for all sequences or for each
   * @param to    the key after the last one to remove, for all sequences or for each. Default the length
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} keys that a sequence doesn't have, in a rolling cache keys before evicted ones, or so many that the next row
   *   would see evicted keys, angles that don't fit, `rotary` with an engine of `headwise/attention`, or not enough memory; the cache is
   *   unchanged
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const cache = engine.createKVCache({ numKvHeads: 1, headDim: 2, capacity: 100 });
   * const k = { data: Float32Array.of(1, 0, 1, 0, 1, 0, 1, 0), dims: [4, 2] };
   * cache.append(engine.rotary(k), k); // rotated by the positions 0 to 3
   * cache.remove(1, 3, { rotary: {} });
   * console.log(cache.length, [...cache.read(1).k.data].map((x) => x.toFixed(2))); // 2 [ '0.54', '0.84' ]
   * engine.dispose();
   */
  remove(from: number | bigint | Integers, to?: number | bigint | Integers | null, options: RemoveOptions = {}): void {
    const operation = REMOVE.name;
    this.#assertReady(operation);
    const [call, given] = Call.of(this.#runtime, REMOVE, options);
    const { batchSize, headDim } = this.#config;
    const ranges = readRanges(operation, from, to, batchSize);
    const rotationBy = optional(given.rotary, (rotary) => readKeyRotation(call, rotary, headDim));
    this.#assertReady(operation); // a getter may have disposed of the cache
    const spans = spansOf(operation, ranges, this.#sequences.list, this.#config, false);
    const lengths = spans.map(({ sequence, first, end }) => sequence.length - (end - first));
    assertContinues(operation, this.#config, this.#sequences.list, lengths);
    removeKeys(call, this.#config, this.#sequences, spans, rotationBy);
    this.#changes++;
  }

  /**
   * Copies of keys and values, as float32: with dtype "int8" the numbers that attention computes with.
   *
   * @param from  first key, for all sequences or for each. Default 0
   * @param to    the key after the last one, for all sequences or for each. Default the length
   * @returns { k, v } with dims [batch, rows, numKvHeads, headDim] and [batch, rows, numKvHeads, valueDim], as `append` takes them, or
   *   [batch, numKvHeads, rows, …] with layout "bhsd"; where a sequence has fewer rows than another one, the rest is 0
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} keys that a sequence doesn't have, evicted keys, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const cache = engine.createKVCache({ numKvHeads: 1, headDim: 1, capacity: 10 });
   * const column = (...data) => ({ data: Float32Array.from(data), dims: [data.length, 1] });
   * cache.append(column(1, 2, 3), column(4, 5, 6));
   * const { k, v } = cache.read(1);
   * console.log(k.dims, [...k.data], [...v.data]); // [ 1, 2, 1, 1 ] [ 2, 3 ] [ 5, 6 ]
   * engine.dispose();
   */
  read(
    from?: number | bigint | Integers | null,
    to?: number | bigint | Integers | null,
    options: ReadOptions = {},
  ): { k: ResultTensor; v: ResultTensor } {
    const operation = READ.name;
    this.#assertReady(operation);
    const [call, { layout: givenLayout = "bshd" }] = Call.of(this.#runtime, READ, options);
    const layout = oneOf(operation, "layout", givenLayout, LAYOUTS);
    const ranges = readRanges(operation, from ?? 0, to, this.#config.batchSize);
    this.#assertReady(operation); // a getter may have disposed of the cache
    const spans = spansOf(operation, ranges, this.#sequences.list, this.#config, true);
    return readRows(call, this.#config, spans, layout);
  }

  /**
   * An independent cache with the same content. Blocks are shared until one of the two writes to them.
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const cache = engine.createKVCache({ numKvHeads: 1, headDim: 4, capacity: 100 });
   * const x = engine.tensor([1, 8, 1, 4]);
   * cache.append(x, x);
   * const twin = cache.fork();
   * twin.append(x, x);
   * console.log(cache.length, twin.length); // 8 16
   * engine.dispose();
   */
  fork(): KVCache {
    this.#assertReady("KVCache.fork");
    return new KVCache(this.#runtime, this.#config, this.#sequences.share([...this.#sequences.list.keys()]));
  }

  /**
   * Replaces sequence b by sequence indices[b], for beam search. Blocks are shared until a sequence writes to them.
   *
   * @param indices  [batch], each from 0 to batchSize − 1; they may repeat
   * @throws {TypeError} the wrong kind of value
   * @throws {RangeError} another number of indices, or an index that is not a sequence
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const cache = engine.createKVCache({ batchSize: 2, numKvHeads: 1, headDim: 4, capacity: 100 });
   * const x = engine.tensor([2, 3, 1, 4]);
   * cache.append(x, x, { keyLengths: [3, 1] });
   * cache.reorder([0, 0]);
   * console.log(cache.lengths); // [3, 3]
   * engine.dispose();
   */
  reorder(indices: Integers): void {
    const operation = "KVCache.reorder";
    this.#assertReady(operation);
    const { batchSize } = this.#config;
    const order = integersOf(operation, "indices", indices, batchSize, 0, batchSize - 1);
    this.#assertReady(operation); // a getter may have disposed of the cache
    this.#changes++;
    const old = this.#sequences;
    const reordered = old.share(order);
    disown(this);
    own(this, reordered);
    this.#sequences = reordered;
    old.release();
  }

  /**
   * The content as bytes: rows of keys and values, the same on every build.
   * @throws {RangeError} not enough memory
   * @throws {Error} after `dispose`
   */
  serialize(): OwnUint8Array {
    const operation = "KVCache.serialize";
    this.#assertReady(operation);
    return serializeKeys(new Call(this.#runtime, operation), this.#config, this.#sequences);
  }

  /**
   * See `Engine.restoreKVCache`.
   * @internal
   */
  static restore(runtime: Runtime, bytes: Uint8Array): KVCache {
    const operation = "restoreKVCache";
    runtime.assertReady(operation);
    const image = readImage(operation, bytes);
    const cache = KVCache.create(runtime, image.config);
    try {
      restoreKeys(new Call(runtime, operation), image, cache.#sequences);
    } catch (error) {
      cache.dispose();
      throw error;
    }
    return cache;
  }

  /** Frees the memory, except for blocks that forks still use. Disposing twice does nothing. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    disown(this);
    this.#sequences.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * Its configuration.
   * @internal
   */
  get config(): CacheConfig {
    return this.#config;
  }

  /**
   * Its keys as attention sees them when each sequence has `counts` more.
   * @internal
   */
  keysWith(counts: readonly number[] = []): CachedKeys {
    const lengths = this.#sequences.lengths.map((length, batch) => length + (counts[batch] ?? 0));
    return cachedKeys(this.#config, this.#sequences, lengths);
  }

  /**
   * Increases with each change of the content.
   * @internal
   */
  get changes(): number {
    return this.#changes;
  }

  /**
   * Whether a value is a cache, of whatever engine.
   * @internal
   */
  static isCache(value: unknown): value is KVCache {
    return isObject(value) && #runtime in value;
  }

  /**
   * Refuses anything but a usable cache of the call's engine.
   * @internal
   */
  static assertUsable(call: Call, name: string, value: unknown): asserts value is KVCache {
    if (!KVCache.isCache(value)) {
      throw wrongKind(call.operation, `"${name}" must be a KVCache, got ${describe(value)}`);
    }
    if (value.#runtime !== call.runtime) throw wrongValue(call.operation, `"${name}" is a cache of another engine`);
    if (value.#isDisposed) throw wrongMoment(call.operation, `"${name}" has been disposed of`);
  }

  #assertReady(operation: string, name = "this cache"): void {
    this.#runtime.assertReady(operation);
    if (this.#isDisposed) throw wrongMoment(operation, `${name} has been disposed of`);
  }
}
