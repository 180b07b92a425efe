/// <reference lib="esnext.disposable" preserve="true" />
/** Multi-head attention with its projections, whose parameters are packed once. Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2. */
import { Call } from "../call/call.js";
import { FORWARD, type MultiHeadForwardOptions } from "./forwardOptions.js";
import { readOptions } from "../call/readOptions.js";
import { integer, wrongMoment, wrongValue, type Integers, integersOf, isAbsent } from "../check.js";
import { scratchTensor } from "../call/operand.js";
import type { Operation } from "../call/operation.js";
import type { Runtime } from "../runtime/runtime.js";
import { markClass } from "../runtime/markClass.js";
import type { EngineTensor, PlaceTensor, ResultTensor, TensorLike } from "../call/tensor.js";
import { CREATE_KV_CACHE, type KVCacheOptions } from "../cache/cacheConfig.js";
import { noteExtraKeys } from "./storedKeys.js";
import { KVCache } from "../cache/kvCache.js";
import { rotaryConfigOf } from "../rows/rotaryConfig.js";
import { angleRowsOf } from "./rotary.js";
import { readSource } from "./layerRows.js";
import { Projection, storeNumbers } from "./projection.js";
import { type MultiHeadCall, readMultiHeadCall } from "./call.js";
import { assertBilinear, type Circuits, circuitsOf } from "./circuits.js";
import {
  CREATE_MULTI_HEAD_ATTENTION,
  type LayerConfig,
  type MultiHeadAttentionConfig,
  type MultiHeadConfig,
  readMultiHeadConfig,
} from "./config.js";
import { HEAD_IMPORTANCE, type HeadImportance, headImportanceOf, type HeadImportanceOptions } from "./headImportance.js";
import { extraKeysOf, forward, type MultiHeadParts, onLayerScratch, projectSource } from "./forward.js";
import {
  type MultiHeadAttentionParameters,
  multiHeadParameters,
  type MultiHeadParameters,
  readParameterOperands,
} from "./parameters.js";
import { pruned } from "./prunedHeads.js";

/** Options of `projectKeys`. */
export interface ProjectKeysOptions {
  /** Rows that values are made of [batch, kvLen, vDim]. Default `key`. */
  value?: TensorLike | null | undefined;
  /** Keys that count in each sequence [batch]; those beyond are left out. Default kvLen. */
  keyLengths?: Integers | null | undefined;
  /** Type of the stored keys and values, as in `createKVCache`. Default "float32". */
  dtype?: KVCacheOptions["dtype"];
}

/** Options of `createCache`: those of `createKVCache`, except for sizes that the layer sets. */
export type LayerCacheOptions = Omit<KVCacheOptions, "numKvHeads" | "headDim" | "valueDim">;

const CREATE = CREATE_MULTI_HEAD_ATTENTION.name;
export const PROJECT_KEYS: Operation = {
  name: "MultiHeadAttention.projectKeys",
  options: ["value", "keyLengths", "dtype"],
  places: [],
};
export const CREATE_CACHE: Operation = {
  name: "MultiHeadAttention.createCache",
  options: ["batchSize", "capacity", "policy", "window", "sinkTokens", "dtype"],
  foreign: CREATE_KV_CACHE.foreign,
  places: [],
};

/**
 * Multi-head attention with its projections; made by `engine.createMultiHeadAttention`. Its parameters lie in the engine's memory.
 *
 *     head_h = attention(x W^Q_h + b, key W^K_h + b, value W^V_h + b) ,  out = Σ_h gate_h head_h W^O_h + b
 *
 * @example
 * import { createEngine } from "headwise";
 *
 * const engine = await createEngine();
 * const random = (...dims) => ({ data: Float32Array.from({ length: dims[0] * dims[1] }, () => Math.random() - 0.5), dims });
 * const parameters = { qkv: random(3 * 32, 32), out: random(32, 32) };
 * const layer = engine.createMultiHeadAttention({ embedDim: 32, numHeads: 4 }, parameters);
 *
 * const cache = layer.createCache({ capacity: 100 });
 * layer.forward(random(10, 32), { cache }); // ten tokens of a text, each sees those before it
 * console.log(layer.forward(random(1, 32), { cache }).dims, cache.length); // [1, 32] 11
 *
 * const memory = layer.projectKeys(random(20, 32)); // of an encoder, once for all calls
 * console.log(layer.forward(random(3, 32), { memory }).dims); // [3, 32]
 * engine.dispose();
 */
export class MultiHeadAttention {
  static {
    markClass(this.prototype, "MultiHeadAttention");
  }

  readonly #parts: MultiHeadParts;
  #isDisposed = false;

  /** @internal */
  constructor(runtime: Runtime, config: MultiHeadConfig, parameters: MultiHeadParameters) {
    this.#parts = storeParts(runtime, config, parameters);
  }

  /**
   * See `Engine.createMultiHeadAttention`.
   * @internal
   */
  static create(runtime: Runtime, config: MultiHeadAttentionConfig, parameters: MultiHeadAttentionParameters): MultiHeadAttention {
    const call = new Call(runtime, CREATE);
    const read = readMultiHeadConfig(call, config);
    const operands = readParameterOperands(call, parameters);
    return new MultiHeadAttention(runtime, read, multiHeadParameters(call, read, operands));
  }

  /** Sizes and options, with the defaults filled in. */
  get config(): LayerConfig {
    const { normEps, headGates, angles, ...config } = this.#parts.config;
    return {
      ...config,
      headGates: [...headGates],
      qkNorm: normEps === undefined ? false : { eps: normEps },
      rotary: angles && rotaryConfigOf(angles),
    };
  }

  /**
   * Attention of the rows of x: on themselves, on `key` and `value`, on `memory`, or on a `cache` that they are added to.
   * Prefill, in any pieces, and decoding are bit-identical to one causal call over the whole sequence.
   *
   * @param x  [batch, seqLen, embedDim], [seqLen, batch, embedDim] with the config's layout "sequenceFirst", or [seqLen, embedDim],
   *           where results have no batch axis either
   * @returns `out` where given, else { type: "float32", data, dims } with dims [batch, seqLen, outDim] in the order of x
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} sizes or values that don't fit, results that overlap operands, a cache that is full, or not enough memory; a
   *   cache is unchanged
   * @throws {Error} after `dispose` of the layer, of the engine or of a cache
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const one = { data: Float32Array.of(1), dims: [1, 1] };
   * const layer = engine.createMultiHeadAttention({ embedDim: 1, numHeads: 1 }, { q: one, k: one, v: one, out: one });
   * const x = { data: Float32Array.of(7, 7, 9), dims: [3, 1] };
   * console.log(layer.forward(x, { causal: true }).data.slice(0, 2)); // Float32Array(2) [ 7, 7 ]
   * engine.dispose();
   */
  forward<Out extends PlaceTensor = ResultTensor>(x: TensorLike, options: MultiHeadForwardOptions<Out> = {}): Out {
    return forward(this.#parts, this.#read(FORWARD, x, options)) as Out;
  }

  /**
   * Keys and values of an encoder's output, for cross-attention by `forward(x, { memory })` in many calls. Results are
   * bit-identical to those of `forward(x, { key, value })`.
   *
   * @param key  [batch, kvLen, kDim], [kvLen, batch, kDim] with the config's layout "sequenceFirst", or [kvLen, kDim]
   * @returns a new cache to dispose of; it can be serialized, forked, and reordered for beam search, but only the cache itself
   *   can be used as `memory` of a layer with the extra keys of biasK and addZeroAttention
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} sizes that don't fit, or not enough memory
   * @throws {Error} after `dispose` of the layer or of the engine
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const one = { data: Float32Array.of(1), dims: [1, 1] };
   * const layer = engine.createMultiHeadAttention({ embedDim: 1, numHeads: 1 }, { q: one, k: one, v: one, out: one });
   * const memory = layer.projectKeys({ data: Float32Array.of(5, 5), dims: [2, 1] });
   * console.log([...layer.forward(one, { memory }).data]); // [ 5 ]
   * memory.dispose();
   * layer.dispose();
   */
  projectKeys(key: TensorLike, options: ProjectKeysOptions = {}): KVCache {
    const operation = PROJECT_KEYS.name;
    this.#assertReady(operation);
    const { runtime, config } = this.#parts;
    const [call, { value, keyLengths, dtype }] = Call.of(runtime, PROJECT_KEYS, options);
    const { numKvHeads, headDim, valueDim } = config;
    const { batch, source } = readSource(call, config, key, value);
    const extraKeys = extraKeysOf(this.#parts);
    if (!isAbsent(keyLengths) && extraKeys > 0) {
      throw wrongValue(
        operation,
        '"keyLengths" cannot be combined with biasK or addZeroAttention, whose keys come last; hide keys with "keyMask"',
      );
    }
    const lengths = isAbsent(keyLengths) ? undefined : integersOf(operation, "keyLengths", keyLengths, batch, 0, source.rows);
    if (batch < 1) throw wrongValue(operation, '"key" has batch 0, expected at least 1');
    const sizes = { batchSize: batch, numKvHeads, headDim, valueDim };
    const rows = source.rows + extraKeys;
    const memory = KVCache.create(runtime, { ...sizes, capacity: Math.max(1, rows), dtype }, operation);
    try {
      this.#assertReady(operation); // a getter may have disposed of the layer
      call.close();
      const k = scratchTensor("k", [batch, rows, numKvHeads, headDim]);
      const v = scratchTensor("v", [batch, rows, numKvHeads, valueDim]);
      const counts = lengths ?? new Array<number>(batch).fill(rows);
      const positionOf = (row: number, length: number): number => (row < Math.min(length, source.rows) ? row : 0); // others don't count
      const positions = counts.flatMap((length) => Array.from({ length: rows }, (_, row) => positionOf(row, length)));
      const angleRows = config.angles && angleRowsOf(operation, config.angles, positions);
      const staged = memory.stage(call, counts);
      onLayerScratch(call, [source.key, source.value], [k, v], () => {
        projectSource(call, this.#parts, source, { k, v }, batch, angleRows);
        staged.write({ k, v, layout: "bshd" });
      });
      staged.keep();
    } catch (error) {
      memory.dispose();
      throw error;
    }
    noteExtraKeys(memory, extraKeys, rows);
    return memory;
  }

  /**
   * An empty cache for this layer, see `createKVCache`.
   *
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} values that don't fit
   * @throws {Error} after `dispose` of the layer or of the engine
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const one = { data: Float32Array.of(1), dims: [1, 1] };
   * const layer = engine.createMultiHeadAttention({ embedDim: 1, numHeads: 1 }, { q: one, k: one, v: one, out: one });
   * console.log(layer.createCache({ capacity: 100 }).length); // 0
   * engine.dispose();
   */
  createCache(options: LayerCacheOptions): KVCache {
    const operation = CREATE_CACHE.name;
    this.#assertReady(operation);
    const given = readOptions(CREATE_CACHE, options);
    const { runtime, config } = this.#parts;
    const { numKvHeads, headDim, valueDim } = config;
    return KVCache.create(runtime, { ...given, numKvHeads, headDim, valueDim }, operation);
  }

  /**
   * A smaller layer without some heads, whose results are bit-identical to those of this one with gates of 0 at them (Michel et
   * al. 2019, arXiv:1905.10650). If the remaining heads don't share key/value heads evenly, those are repeated.
   *
   * @param heads  heads to leave out; at least one must remain
   * @throws {TypeError} not an array of integers
   * @throws {RangeError} a head that doesn't exist, no remaining head, or not enough memory
   * @throws {Error} after `dispose` of the layer or of the engine
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const square = { data: new Float32Array(64).fill(0.1), dims: [8, 8] };
   * const layer = engine.createMultiHeadAttention({ embedDim: 8, numHeads: 4 }, { q: square, k: square, v: square, out: square });
   * const smaller = layer.pruneHeads([0, 2]);
   * console.log(smaller.config.numHeads, smaller.config.headDim); // 2 2
   * engine.dispose();
   */
  pruneHeads(heads: Integers): MultiHeadAttention {
    const operation = "MultiHeadAttention.pruneHeads";
    this.#assertReady(operation);
    const { runtime, config } = this.#parts;
    const { numHeads } = config;
    const gone = new Set(integersOf(operation, "heads", heads, undefined, 0, numHeads - 1));
    if (gone.size === numHeads) throw wrongValue(operation, `"heads" holds all ${numHeads} heads, expected at least one to remain`);
    this.#assertReady(operation); // a getter may have disposed of the layer
    const remaining = Array.from({ length: numHeads }, (_, head) => head).filter((head) => !gone.has(head));
    const smaller = pruned(operation, this.#parts, remaining);
    return new MultiHeadAttention(runtime, smaller.config, smaller.parameters);
  }

  /**
   * The circuits of a head (Elhage et al. 2021): the layer without biases is the sum over its heads of A_h value outputValueᵀ, times the
   * head's gate, where A_h is the softmax of x queryKey keyᵀ · scale.
   *
   * @returns { queryKey, outputValue }, each { type: "float32", data, dims }: W^Q_h W^K_h ᵀ [embedDim, kDim], and (W^V_h W^O_h)ᵀ [outDim,
   *   vDim]. Biases, gates and extra keys are not part of them
   * @throws {TypeError} not an integer
   * @throws {RangeError} a head that doesn't exist, a layer with `rotary` or `qkNorm`, or not enough memory
   * @throws {Error} after `dispose` of the layer or of the engine
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const column = { data: Float32Array.of(1, 2), dims: [2, 1] };
   * const row = { data: Float32Array.of(3, 5), dims: [1, 2] };
   * const parameters = { q: row, k: row, v: row, out: column };
   * const layer = engine.createMultiHeadAttention({ embedDim: 2, numHeads: 1, headDim: 1 }, parameters);
   * const { queryKey, outputValue } = layer.circuits(0);
   * console.log(queryKey.data, outputValue.data); // Float32Array(4) [ 9, 15, 15, 25 ] Float32Array(4) [ 3, 5, 6, 10 ]
   * engine.dispose();
   */
  circuits(head: number): Circuits {
    const operation = "MultiHeadAttention.circuits";
    this.#assertReady(operation);
    const { runtime, config } = this.#parts;
    const index = integer(operation, "head", head, 0, config.numHeads - 1);
    assertBilinear(operation, this.#parts);
    return circuitsOf(new Call(runtime, operation), this.#parts, index);
  }

  /**
   * How much each head matters on some rows. `confidence` is the mean of each row's largest weight (Voita et al. 2019,
   * arXiv:1905.09418), `leaveOneOut` the root of the mean square, over rows and elements, of what the head adds to the output: of the change
   * if its gate is 0 (Michel et al. 2019, arXiv:1905.10650, with the change itself in place of a gradient). Both are over the rows in
   * which the head has a weight other than 0, and 0 if there are none.
   *
   * @param x  rows as in `forward`
   * @param options  those of `forward`, except for those that give results, and `cache`
   * @returns { confidence, leaveOneOut }, each { type: "float32", data, dims } with dims [numHeads]
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} sizes or values that don't fit, or not enough memory
   * @throws {Error} after `dispose` of the layer or of the engine
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const matrix = (...data) => ({ data: Float32Array.from(data), dims: [2, 2] });
   * const parameters = { q: matrix(9, 0, 0, 0), k: matrix(9, 0, 0, 0), v: matrix(1, 0, 0, 1), out: matrix(1, 0, 0, 3) };
   * const layer = engine.createMultiHeadAttention({ embedDim: 2, numHeads: 2 }, parameters);
   * const { confidence, leaveOneOut } = layer.headImportance(matrix(1, 1, -1, 1)); // head 0 sees its own row, head 1 the mean
   * console.log(confidence.data, leaveOneOut.data.map((x) => Math.round(100 * x))); // Float32Array(2) [ 1, 0.5 ] Float32Array(2) [ 71, 212 ]
   * engine.dispose();
   */
  headImportance(x: TensorLike, options: HeadImportanceOptions = {}): HeadImportance {
    return headImportanceOf(this.#parts, this.#read(HEAD_IMPORTANCE, x, options));
  }

  /** Frees the memory of the parameters. Disposing twice does nothing. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    disposeParts(this.#parts);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #read(operation: Operation, x: TensorLike, options: MultiHeadForwardOptions<PlaceTensor>): MultiHeadCall {
    this.#assertReady(operation.name);
    const { runtime, config } = this.#parts;
    const [call, given] = Call.of(runtime, operation, options);
    const layerCall = readMultiHeadCall(call, config, extraKeysOf(this.#parts), x, given);
    this.#assertReady(operation.name); // a getter may have disposed of the layer
    return layerCall;
  }

  #assertReady(operation: string): void {
    this.#parts.runtime.assertReady(operation);
    if (this.#isDisposed) throw wrongMoment(operation, "this layer has been disposed of");
  }
}

type Part = Projection | EngineTensor<"float32"> | undefined;

/** Copies parameters to the engine's memory. On failure nothing stays there. */
function storeParts(runtime: Runtime, config: MultiHeadConfig, parameters: MultiHeadParameters): MultiHeadParts {
  const made: Part[] = [];
  const keep = <T extends Part>(part: T): T => {
    made.push(part);
    return part;
  };
  const linear = (name: "q" | "k" | "v" | "out"): Projection => keep(new Projection(runtime, parameters[name]));
  const vector = (name: "biasK" | "biasV" | "qNorm" | "kNorm"): EngineTensor<"float32"> | undefined =>
    parameters[name] && keep(storeNumbers(runtime, parameters[name]));
  const table = (name: "cos" | "sin"): EngineTensor<"float32"> | undefined =>
    config.angles?.tables && keep(storeNumbers(runtime, config.angles.tables[name]));
  try {
    return {
      ...{ runtime, config, q: linear("q"), k: linear("k"), v: linear("v"), out: linear("out") },
      ...{ biasK: vector("biasK"), biasV: vector("biasV"), qNorm: vector("qNorm"), kNorm: vector("kNorm") },
      ...{ cos: table("cos"), sin: table("sin") },
    };
  } catch (error) {
    for (const part of made) part?.dispose();
    throw error;
  }
}

function disposeParts({ q, k, v, out, biasK, biasV, qNorm, kNorm, cos, sin }: MultiHeadParts): void {
  for (const part of [q, k, v, out, biasK, biasV, qNorm, kNorm, cos, sin]) part?.dispose();
}
