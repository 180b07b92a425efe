/// <reference lib="esnext.disposable" preserve="true" />
/** A cache of the keys and values of earlier tokens, stored as the kernels read them. */
import { Call } from "../call/call.js";
import { type Layout, LAYOUTS } from "../call/layout.js";
import { ATTENTION_NAMES } from "../attention/foreignNames.js";
import { ATTENTION_OPTIONS, ATTENTION_PLACES, type AttentionOptions } from "../attention/options.js";
import {
  counted,
  describe,
  integer,
  oneOf,
  wrongKind,
  wrongMoment,
  wrongValue,
  type Integers,
  integersOf,
  isNumeric,
  isAbsent,
  MAX_POSITION,
  isObject,
} from "../check.js";
import { ownArray } from "../call/operand.js";
import type { Operation } from "../call/operation.js";
import { readAttention } from "../attention/attentionCall.js";
import { attend } from "../attention/scaledDotProductAttention.js";
import type { SequenceParams } from "../runtime/abi.generated.js";
import type { Runtime } from "../runtime/runtime.js";
import { disown, own } from "../runtime/span.js";
import { leaveUnproxied } from "../runtime/unproxied.js";
import { type CachedKeys, cachedRows } from "../attention/shape.js";
import type { Float32Tensor, PlaceTensor, OwnUint8Array, ResultTensor, TensorLike } from "../call/tensor.js";
import { type CacheConfig, CREATE_KV_CACHE, type KVCacheOptions, readCacheConfig } from "./cacheConfig.js";
import { readImage, type RowArrays, writeImage } from "./cacheImage.js";
import { KeySequences, type KeySpan } from "./keySequences.js";
import { cachedKeys, StagedRows } from "./stagedRows.js";
import { type Rows, transferRows } from "./transferRows.js";

/** Options of `append`. */
export interface AppendOptions {
  /** Order of axes of k and v, as in attention. Default "bshd". */
  layout?: Layout | undefined;
  /** Rows that each sequence [batch] receives; those beyond are left out. Default all. */
  keyLengths?: Integers | undefined;
}

/** Options of attention that the cache itself sets. */
const OWN_OPTIONS = ["queryOffset", "keyLengths", "keyStarts", "cuSeqlensQ", "cuSeqlensK"] as const;
type OwnOption = (typeof OWN_OPTIONS)[number];

/** Options of `attend`: those of attention, except for those that the cache sets. */
export type CachedAttentionOptions<Out extends PlaceTensor = Float32Tensor> = Omit<AttentionOptions<Out>, "causal" | OwnOption> & {
  /** Whether a row sees no key after its own. Default true. */
  causal?: boolean | "lower-right" | undefined;
};

export const APPEND: Operation = { name: "KVCache.append", options: ["layout", "keyLengths"], places: [] };
export const ATTEND: Operation = {
  name: "KVCache.attend",
  options: ATTENTION_OPTIONS.filter((name) => !OWN_OPTIONS.includes(name as OwnOption)),
  foreign: { ...ATTENTION_NAMES, "the cache knows it": "queryoffset keylengths keystarts cuseqlensq cuseqlensk window sinktokens" },
  places: ATTENTION_PLACES,
};
/** With policy "rolling" the cache also sets the window. */
const ATTEND_ROLLING: Operation = {
  ...ATTEND,
  options: ATTEND.options.filter((name) => name !== "window" && name !== "sinkTokens"),
};

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
    leaveUnproxied(this.prototype, "KVCache");
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
   * @param k  [batch, rows, numKvHeads, headDim], or [batch, numKvHeads, rows, headDim] with layout "bhsd"
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
    const operands = { k: call.numbers("k", k), v: call.numbers("v", v) };
    const rows = cachedRows(operation, operands.k, operands.v, this.#config, layout);
    const counts = isAbsent(keyLengths)
      ? new Array<number>(batchSize).fill(rows)
      : integersOf(operation, "keyLengths", keyLengths, batchSize, 0, rows);
    this.#assertReady(operation); // a getter may have disposed of the cache
    call.close();

    this.#write(this.stage(call, counts), { ...operands, count: rows, layout });
  }

  /**
   * Makes room for `counts` more rows of each sequence.
   * @internal
   * @throws {RangeError} more keys than `capacity`, or not enough memory
   */
  stage(call: Call, counts: readonly number[]): StagedRows {
    const { operation } = call;
    const { capacity, policy, window } = this.#config;
    const spans = this.#sequences.list.map((sequence, batch): KeySpan => {
      const { length } = sequence;
      const count = counts[batch]!;
      const kept = policy === "rolling" ? window! : length;
      const what = policy === "rolling" ? "in and after its window" : "in all";
      if (kept + count > capacity) {
        throw wrongValue(
          operation,
          `sequence ${batch} would have ${kept} + ${count} = ${kept + count} keys ${what}, but capacity is ${capacity}`,
        );
      }
      if (length + count > MAX_POSITION) throw wrongValue(operation, `sequence ${batch} would exceed position ${MAX_POSITION}`);
      return { sequence, first: length, end: length + count };
    });
    this.#changes++;
    return new StagedRows(call, this.#config, this.#sequences, spans);
  }

  /**
   * Attention of the last rows of each sequence on its keys: row i has position lengths[b] − queryLengths[b] + i, with or without
   * `causal`.
   *
   * @param q  [batch, seqLen, numHeads, headDim], or [batch, numHeads, seqLen, headDim] with layout "bhsd"; numHeads is a multiple of
   *           numKvHeads
   * @returns `out` where given, else { type: "float32", data, dims } with dims [batch, seqLen, numHeads, valueDim] in the same layout
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} sizes or values that don't fit, more rows than the sequence has keys, rows whose window holds evicted
   *   keys, or not enough memory
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
    const operation = ATTEND.name;
    this.#assertReady(operation);
    const { policy, window, sinkTokens } = this.#config;
    const [call, own] = Call.of(this.#runtime, policy === "rolling" ? ATTEND_ROLLING : ATTEND, options);
    const given: AttentionOptions<Out> = own;
    const keys = this.keysWith();
    const changes = this.#changes;
    const attention = readAttention(call, q, keys, {
      ...given,
      window: given.window ?? window,
      sinkTokens: given.sinkTokens ?? sinkTokens,
      causal: oneOf(operation, "causal", given.causal ?? true, [true, false, "lower-right" as const]),
    });
    this.#assertReady(operation); // a getter may have disposed of the cache
    if (changes !== this.#changes) throw wrongMoment(operation, "this cache was changed while the arguments were read");
    this.#assertKept(operation, attention.sequences);
    return attend(attention) as Out;
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
    const { batchSize, window, policy } = this.#config;
    const wanted = isNumeric(lengths)
      ? new Array<number>(batchSize).fill(integer(operation, "lengths", lengths, 0, MAX_POSITION))
      : integersOf(operation, "lengths", lengths, batchSize, 0, MAX_POSITION);
    this.#assertReady(operation); // a getter may have disposed of the cache
    for (const [batch, sequence] of this.#sequences.list.entries()) {
      const length = wanted[batch]!;
      if (length > sequence.length) {
        throw wrongValue(
          operation,
          `sequence ${batch} has ${counted(sequence.length, "key")} and cannot be truncated to ${length}`,
        );
      }
      if (policy === "rolling" && length !== sequence.length && length - window! < sequence.evicted && sequence.evicted > 0) {
        throw wrongValue(
          operation,
          `the window of row ${length} starts before key ${sequence.evicted}, and earlier keys of sequence ${batch} have been evicted`,
        );
      }
    }
    this.#changes++;
    for (const [batch, sequence] of this.#sequences.list.entries()) this.#sequences.truncate(sequence, wanted[batch]!);
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
    const call = new Call(this.#runtime, operation);
    return writeImage(this.#config, this.#sequences.list, (span, rows) =>
      transferRows(call, "readKeys", this.#config, [span], rowsOf(span, rows, true)),
    );
  }

  /**
   * See `Engine.restoreKVCache`.
   * @internal
   */
  static restore(runtime: Runtime, bytes: Uint8Array): KVCache {
    const operation = "restoreKVCache";
    runtime.assertReady(operation);
    const { config, sequences } = readImage(operation, bytes);
    const cache = KVCache.create(runtime, config);
    try {
      for (const [index, { length, evicted, pieces }] of sequences.entries()) {
        const sequence = cache.#sequences.list[index]!;
        sequence.evicted = evicted;
        for (const { first, end, rows } of pieces) {
          const span = { sequence, first, end };
          const staged = new StagedRows(new Call(runtime, operation), config, cache.#sequences, [span]);
          cache.#write(staged, rowsOf(span, rows, false));
        }
        sequence.length = length;
      }
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
   * Refuses anything but a usable cache of the call's engine.
   * @internal
   */
  static assertUsable(call: Call, name: string, value: unknown): asserts value is KVCache {
    if (!isObject(value) || !(#runtime in value)) {
      throw wrongKind(call.operation, `"${name}" must be a KVCache, got ${describe(value)}`);
    }
    if (value.#runtime !== call.runtime) throw wrongValue(call.operation, `"${name}" is a cache of another engine`);
    if (value.#isDisposed) throw wrongMoment(call.operation, `"${name}" has been disposed of`);
  }

  #assertReady(operation: string): void {
    this.#runtime.assertReady(operation);
    if (this.#isDisposed) throw wrongMoment(operation, "this cache has been disposed of");
  }

  /** Refuses rows that would see evicted keys. */
  #assertKept(operation: string, sequences: readonly SequenceParams[]): void {
    const { policy, window } = this.#config;
    for (const { batch, queryLength } of sequences) {
      const { length, evicted } = this.#sequences.list[batch]!;
      const position = length - queryLength;
      if (position < 0) {
        throw wrongValue(
          operation,
          `"q" has ${counted(queryLength, "row")} of sequence ${batch}, which has ${counted(length, "key")}; append their keys first`,
        );
      }
      if (policy === "rolling" && evicted > 0 && queryLength > 0 && position - window! < evicted) {
        throw wrongValue(
          operation,
          `the window of row 0 of sequence ${batch} starts at key ${position - window!}, but keys before ${evicted} have been evicted`,
        );
      }
    }
  }

  /** On failure nothing has changed. */
  #write(staged: StagedRows, rows: Rows): void {
    try {
      staged.write(rows);
    } catch (error) {
      staged.undo();
      throw error;
    }
    staged.keep();
  }
}

/** The rows of a span in arrays of an image, to be read or to be written. */
function rowsOf({ first, end }: KeySpan, { k, v, scales }: RowArrays, areResults: boolean): Rows {
  return {
    k: ownArray("k", k, areResults),
    v: ownArray("v", v, areResults),
    ...(scales && {
      keyScales: ownArray("keyScales", scales.k, areResults),
      valueScales: ownArray("valueScales", scales.v, areResults),
    }),
    count: end - first,
    layout: "bshd",
  };
}
