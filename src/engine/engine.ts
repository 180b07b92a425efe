/** An engine with every operation: those of `AttentionEngine`, and those that models need around attention. */
import type { Activation } from "../rows/activations.js";
import { offerExtensions } from "../attention/extensions.js";
import { RELATIVE_KEYS } from "../attention/relativeKeys.js";
import { offerKeyRotation } from "../cache/keyRotation.js";
import { rotateKeys } from "../cache/rotateKeys.js";
import type { Keys, Values } from "../cache/keysOrCache.js";
import { additiveAttention, type AdditiveParameters } from "../scores/additiveAttention.js";
import { bilinearAttention, type BilinearParameters } from "../scores/bilinearAttention.js";
import { cosineAttention } from "../scores/cosineAttention.js";
import type { ScoreOptions } from "../scores/scoreOptions.js";
import type { AttentionOptions } from "../attention/options.js";
import { hardAttention, type HardParameters } from "../choices/hard.js";
import { localAttention, type LocalParameters } from "../choices/local.js";
import type { CenterPredictor } from "../choices/predictor.js";
import { topKAttention, type TopKParameters } from "../choices/topK.js";
import { AttentionEngine, type EngineReasons } from "./attentionEngine.js";
import type { MultiHeadAttentionConfig } from "../multiHead/config.js";
import { MultiHeadAttention } from "../multiHead/multiHeadAttention.js";
import type { MultiHeadAttentionParameters } from "../multiHead/parameters.js";
import { LOOKS } from "../looks/looks.js";
import { LinearAttentionState } from "../linear/linearAttentionState.js";
import type { LinearAttentionStateOptions } from "../linear/stateConfig.js";
import { PackedMatrix, type WeightLayout } from "../product/packedMatrix.js";
import { activate, type ActivateOptions } from "../rows/activate.js";
import { add, type AddOptions } from "../rows/add.js";
import { linearAttention } from "../linear/linearAttention.js";
import type { LinearOptions } from "../linear/linearCall.js";
import type { FeatureFunction } from "../linear/linearConfig.js";
import { matmul, type MatmulOptions } from "../product/matmul.js";
import { layerNorm, type LayerNormOptions, rmsNorm, type RmsNormOptions } from "../rows/normalize.js";
import { rotary, type RotaryOptions, rotaryTables, type RotaryTablesOptions } from "../rows/rotary.js";
import { sinusoidalPositions, type SinusoidalPositionsOptions } from "../rows/sinusoidalPositions.js";
import { softmax, type SoftmaxOptions } from "../rows/softmax.js";
import type { Runtime } from "../runtime/runtime.js";
import type { PlaceTensor, ResultTensor, TensorLike } from "../call/tensor.js";

// What its methods take, for the callers' own types.
export type { AdditiveParameters, BilinearParameters, Keys, ScoreOptions, Values };
export type { ActivateOptions, AddOptions, FeatureFunction, LayerNormOptions, LinearAttentionStateOptions };
export type { CenterPredictor, HardParameters, LocalParameters, TopKParameters };
export type { LinearOptions, MatmulOptions, RmsNormOptions, RotaryOptions, RotaryTablesOptions, SoftmaxOptions, WeightLayout };
export type { SinusoidalPositionsOptions };

/**
 * Attention, and the operations that models need around it; made by `createEngine` or `createEngineSync`. The class is in a module of
 * its own, so that callers of `headwise/attention` don't download it.
 *
 * @example
 * import { createEngine } from "headwise";
 *
 * const engine = await createEngine();
 * console.log(engine.info.build); // relaxed or simd
 * engine.dispose();
 */
export class Engine extends AttentionEngine {
  /** @internal */
  constructor(runtime: Runtime, reasons?: EngineReasons) {
    super(runtime, reasons);
    offerKeyRotation(runtime, rotateKeys);
    offerExtensions(runtime, [RELATIVE_KEYS, LOOKS]);
  }

  /**
   * Attention by additive scores (Bahdanau, Cho & Bengio 2015, arXiv:1409.0473), without an array of all pairs and channels.
   *
   *     s_ij = scale · Σ_c u_c φ((B q_i)_c + (A k_j)_c + b_c)        φ = tanh, relu or gelu
   *
   * With W = [B, A] it is the score of a layer on both vectors, w·φ(W [q; k] + b) (MLP or concat). Masks, softmax, values and results are
   * those of `scaledDotProductAttention`; `scale` is 1 by default.
   *
   * @param q           [batch, seqLen, numHeads, headDim], another layout or rank, as in `scaledDotProductAttention`
   * @param k           [batch, kvLen, numKvHeads, kDim] in the same layout; or a cache of projected keys, A k, in float32: then calls have the
   *                    defaults of `KVCache.attend`
   * @param v           [batch, kvLen, numKvHeads, valueDim]; absent with a cache
   * @param parameters  { query: B, key: A, score: u, bias: b, activation: "tanh" }; without `key` the keys are projected already
   * @returns `out` where given, else { type: "float32", data, dims } with dims [batch, seqLen, numHeads, valueDim] in the same layout
   * @throws {TypeError} the wrong kind of value, an unknown option, or a parameter that is missing
   * @throws {RangeError} sizes or values that don't fit, a cache of int8, results that overlap operands, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const matrix = (dims, ...data) => ({ data: Float32Array.from(data), dims });
   * const q = matrix([1, 2], 1, 0);
   * const k = matrix([2, 1], 3, -3);
   * const v = matrix([2, 1], 10, 20);
   * const parameters = { query: matrix([1, 2], 0, 0), key: matrix([1, 1], 1), score: matrix([1], 50) };
   * console.log([...engine.additiveAttention(q, k, v, parameters).data]); // [ 10 ]
   * engine.dispose();
   */
  additiveAttention<Out extends PlaceTensor = ResultTensor>(
    q: TensorLike,
    k: Keys,
    v: Values,
    parameters: AdditiveParameters,
    options?: ScoreOptions<Out> | null,
  ): Out {
    return additiveAttention(this.runtime, q, k, v, parameters, options);
  }

  /**
   * Attention by a bilinear form of queries and keys, which may have different sizes (Luong, Pham & Manning 2015, arXiv:1508.04025, "general").
   *
   *     s_ij = scale · q_iᵀ U k_j
   *
   * Masks, softmax, values and results are those of `scaledDotProductAttention`; `scale` is 1 by default.
   *
   * @param q           [batch, seqLen, numHeads, qDim], another layout or rank
   * @param k           [batch, kvLen, numKvHeads, kDim] in the same layout; or a cache: then calls have the defaults of `KVCache.attend`
   * @param v           [batch, kvLen, numKvHeads, valueDim]; absent with a cache
   * @param parameters  { weight: U }, [qDim, kDim] or [numHeads, qDim, kDim]
   * @returns `out` where given, else { type: "float32", data, dims } with dims [batch, seqLen, numHeads, valueDim] in the same layout
   * @throws {TypeError} the wrong kind of value, an unknown option, or a parameter that is missing
   * @throws {RangeError} sizes or values that don't fit, results that overlap operands, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const matrix = (dims, ...data) => ({ data: Float32Array.from(data), dims });
   * const weight = matrix([2, 1], 0, 50); // from two channels to one
   * const out = engine.bilinearAttention(matrix([1, 2], 9, 1), matrix([2, 1], 1, -1), matrix([2, 1], 10, 20), { weight });
   * console.log([...out.data]); // [ 10 ]
   * engine.dispose();
   */
  bilinearAttention<Out extends PlaceTensor = ResultTensor>(
    q: TensorLike,
    k: Keys,
    v: Values,
    parameters: BilinearParameters,
    options?: ScoreOptions<Out> | null,
  ): Out {
    return bilinearAttention(this.runtime, q, k, v, parameters, options);
  }

  /**
   * Attention by cosines: the lengths of queries and keys have no influence (Graves, Wayne & Danihelka 2014, arXiv:1410.5401, eq. 6).
   *
   *     s_ij = scale · q_i·k_j / (‖q_i‖ ‖k_j‖) , 0 where one of them is a zero vector
   *
   * Masks, softmax, values and results are those of `scaledDotProductAttention`; `scale` is 1 by default.
   *
   * @param q  [batch, seqLen, numHeads, headDim], another layout or rank
   * @param k  [batch, kvLen, numKvHeads, headDim] in the same layout; or a cache: then calls have the defaults of `KVCache.attend`
   * @param v  [batch, kvLen, numKvHeads, valueDim]; absent with a cache
   * @returns `out` where given, else { type: "float32", data, dims } with dims [batch, seqLen, numHeads, valueDim] in the same layout
   * @throws {TypeError} @throws {RangeError} @throws {Error} as `scaledDotProductAttention`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const matrix = (dims, ...data) => ({ data: Float32Array.from(data), dims });
   * const [q, k, v] = [matrix([1, 2], 5, 0), matrix([2, 2], 1, 0, 0, 1000), matrix([2, 1], 10, 20)];
   * console.log([...engine.cosineAttention(q, k, v, { scale: 100 }).data]); // [ 10 ]
   * engine.dispose();
   */
  cosineAttention<Out extends PlaceTensor = ResultTensor>(
    q: TensorLike,
    k: Keys,
    v: Values,
    options?: ScoreOptions<Out> | null,
  ): Out {
    return cosineAttention(this.runtime, q, k, v, options);
  }

  /**
   * Attention to the keys of the largest scores: softmax over the `count` largest visible scores of each row (Gupta et al. 2021,
   * arXiv:2106.06899). Of equal scores, those of lower keys are kept. `weights` and `logSumExp` are those of the keys that are kept;
   * `scores` has all.
   *
   * @param q  [batch, seqLen, numHeads, headDim], as in `scaledDotProductAttention`
   * @param k  [batch, kvLen, numKvHeads, headDim], or a KVCache, with the defaults of `KVCache.attend`
   * @param v  [batch, kvLen, numKvHeads, valueDim], absent with a cache
   * @param parameters  `count`, how many keys each row keeps
   * @returns `out` where given, else { type: "float32", data, dims } with dims [batch, seqLen, numHeads, valueDim] in the same layout
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} sizes or values that don't fit, results that overlap operands, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const column = (...data) => ({ data: Float32Array.from(data), dims: [data.length, 1] });
   * console.log([...engine.topKAttention(column(0), column(1, 2, 3), column(4, 8, 9), { count: 2 }).data]); // [ 6 ]
   * engine.dispose();
   */
  topKAttention<Out extends PlaceTensor = ResultTensor>(
    q: TensorLike,
    k: Keys,
    v: Values,
    parameters: TopKParameters,
    options?: AttentionOptions<Out> | null,
  ): Out {
    return topKAttention(this.runtime, q, k, v, parameters, options);
  }

  /**
   * Hard attention: each row takes the value of one key, that of the largest score, or one that is sampled with the probability of its
   * weight (Xu et al. 2015, arXiv:1502.03044, section 4.1).
   *
   * Of equal scores, the lowest key's is the largest. A sample depends on the seed, the sequence, the head and the row's position alone:
   * rows one by one on a cache take the same keys as all at once. `sinks` do not count, since they have no value.
   *
   * @param q  [batch, seqLen, numHeads, headDim], as in `scaledDotProductAttention`
   * @param k  [batch, kvLen, numKvHeads, headDim], or a KVCache, with the defaults of `KVCache.attend`
   * @param v  [batch, kvLen, numKvHeads, valueDim], absent with a cache
   * @param parameters  `choose`, `seed` and the place `picks`. Default the largest score
   * @returns `out` where given, else { type: "float32", data, dims } with dims [batch, seqLen, numHeads, valueDim] in the same layout
   * @throws {TypeError} @throws {RangeError} @throws {Error} as `topKAttention`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const column = (...data) => ({ data: Float32Array.from(data), dims: [data.length, 1] });
   * const picks = column(0);
   * console.log([...engine.hardAttention(column(1), column(1, 3, 2), column(4, 8, 9)).data]); // [ 8 ]
   * engine.hardAttention(column(0), column(1, 3, 2), column(4, 8, 9), { choose: "sample", seed: 1, picks: { ...picks, dims: [1] } });
   * console.log(picks.data[0] < 3); // true
   * engine.dispose();
   */
  hardAttention<Out extends PlaceTensor = ResultTensor>(
    q: TensorLike,
    k: Keys,
    v: Values,
    parameters?: HardParameters | null,
    options?: AttentionOptions<Out> | null,
  ): Out {
    return hardAttention(this.runtime, q, k, v, parameters, options);
  }

  /**
   * Local attention: each row sees the keys at most `halfWidth` away from a centre of its own (Luong et al. 2015, arXiv:1508.04025, section
   * 3.2). Keys farther away cost no time.
   *
   *     weight_j · exp(−(j − centre)² / 2σ²) ,  σ = halfWidth / 2        over |j − centre| ≤ halfWidth
   *
   * Centres are the rows' positions, and then there is no Gaussian; or `centers`; or predicted: kvLen · sigmoid(scoreᵀ tanh(weight · q)).
   * The Gaussian is a factor on the weights, which then do not sum to 1, unless `renormalize` adds its exponent to the scores.
   *
   * @param q  [batch, seqLen, numHeads, headDim], as in `scaledDotProductAttention`
   * @param k  [batch, kvLen, numKvHeads, headDim], or a KVCache, with the defaults of `KVCache.attend`
   * @param v  [batch, kvLen, numKvHeads, valueDim], absent with a cache
   * @param parameters  `halfWidth`, and `centers` or `predictor`
   * @returns `out` where given, else { type: "float32", data, dims } with dims [batch, seqLen, numHeads, valueDim] in the same layout
   * @throws {TypeError} @throws {RangeError} @throws {Error} as `topKAttention`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const column = (...data) => ({ data: Float32Array.from(data), dims: [data.length, 1] });
   * const [q, v] = [column(0, 0, 0, 0), column(4, 8, 9, 10)];
   * console.log([...engine.localAttention(q, column(1, 2, 3, 4), v, { halfWidth: 1 }).data]); // [ 6, 7, 9, 9.5 ]
   * engine.dispose();
   */
  localAttention<Out extends PlaceTensor = ResultTensor>(
    q: TensorLike,
    k: Keys,
    v: Values,
    parameters: LocalParameters,
    options?: AttentionOptions<Out> | null,
  ): Out {
    return localAttention(this.runtime, q, k, v, parameters, options);
  }

  /**
   * Matrix product, blocked for the caches (Goto & van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication").
   *
   *     out[…, i, j] = activation(Σ_k a[…, i, k] · b[…, k, j] + bias[j])
   *
   * Each sum is taken over k in order: neither the number of rows, nor the batch, nor the threads change a bit of it. Leading axes
   * broadcast, aligned to the right. Sizes of 0 are allowed; a depth of 0 gives the bias. Vectors are taken as in NumPy.
   *
   * @param a  [..., rows, depth], or [..., depth, rows] with transposeA, or a vector [depth]: one row
   * @param b  [..., depth, columns], or [..., columns, depth] with transposeB, or a vector [depth]: one column; or a packed matrix
   * @returns `out` where given, else { type: "float32", data, dims } with dims [..., rows, columns], without the axis of a vector
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} sizes that don't fit, a result that overlaps an operand, or not enough memory
   * @throws {Error} after `dispose` of the engine, of a tensor or of the packed matrix
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const a = { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] };
   * const b = { data: Float32Array.of(5, 6, 7, 8), dims: [2, 2] };
   * console.log([...engine.matmul(a, b).data]); // [ 19, 22, 43, 50 ]
   * engine.dispose();
   */
  matmul<Out extends PlaceTensor = ResultTensor>(a: TensorLike, b: TensorLike | PackedMatrix, options?: MatmulOptions<Out>): Out {
    return matmul(this.runtime, a, b, options);
  }

  /**
   * Packs a right-hand side that many products share.
   *
   * @param b       W [depth, columns] with layout "inOut", W transposed [columns, depth] with "outIn"
   * @param layout  how b lies. Default "inOut"
   * @throws {TypeError} the wrong kind of value
   * @throws {RangeError} sizes that don't fit, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const packed = engine.packMatrix({ data: Float32Array.of(5, 6, 7, 8), dims: [2, 2] });
   * const x = { data: Float32Array.of(1, 2), dims: [1, 2] };
   * console.log([...engine.matmul(x, packed).data]); // [ 19, 22 ]
   * packed.dispose();
   */
  packMatrix(b: TensorLike, layout?: WeightLayout | null): PackedMatrix {
    return PackedMatrix.pack(this.runtime, b, layout);
  }

  /**
   * An activation function of each element, times a gate if one is given: the step between the products of a feed-forward layer
   * (Shazeer 2020, arXiv:2002.05202).
   *
   *     out = f(x)   or   f(x) · gate
   *
   * f is one of "gelu" (x · Φ(x), by the error function), "gelu-tanh", "silu", "relu", "tanh" and "sigmoid". Limits are results: gelu
   * and silu of −∞ are 0. NaN stays NaN.
   *
   * @param x  of any sizes
   * @returns `out` where given, else { type: "float32", data, dims } of the sizes of x
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} an unknown function, sizes that don't fit, a result that overlaps operands, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const x = { data: Float32Array.of(-1, 0, 2), dims: [3] };
   * const gate = { data: Float32Array.of(10, 10, 10), dims: [3] };
   * console.log([...engine.activate(x, "relu", { gate }).data]); // [ 0, 0, 20 ]
   * engine.dispose();
   */
  activate<Out extends PlaceTensor = ResultTensor>(x: TensorLike, kind: Activation, options?: ActivateOptions<Out>): Out {
    return activate(this.runtime, x, kind, options);
  }

  /**
   * Sum of two tensors, element by element: a residual connection, or a bias.
   *
   *     out = a + b
   *
   * Sizes broadcast, aligned to the right: an axis of size 1, or that is missing, serves every index of the other tensor's axis.
   * Either tensor may be the smaller one. Sizes of 0 are allowed. Each element is one addition in float32.
   *
   * @param a  of any sizes
   * @param b  of sizes that broadcast with those of a
   * @returns `out` where given, else { type: "float32", data, dims } of the sizes to which a and b broadcast
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} sizes that don't fit, a result that overlaps operands, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const x = { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] };
   * const bias = { data: Float32Array.of(10, 20), dims: [2] };
   * console.log([...engine.add(x, bias).data]); // [ 11, 22, 13, 24 ]
   * engine.dispose();
   */
  add<Out extends PlaceTensor = ResultTensor>(a: TensorLike, b: TensorLike, options?: AddOptions<Out>): Out {
    return add(this.runtime, a, b, options);
  }

  /**
   * A multi-head attention layer, for self- and cross-attention (Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2). Its parameters
   * are packed once, in the engine's memory.
   *
   *     head_h = attention(x W^Q_h + b, key W^K_h + b, value W^V_h + b) ,  out = concat_h(head_h) W^O + b
   *
   * @param config      sizes and options
   * @param parameters  matrices, and biases where the layer has them
   * @returns a layer to dispose of
   * @throws {TypeError} the wrong kind of value, an unknown option, or a parameter that is missing
   * @throws {RangeError} sizes that don't fit, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const random = (...dims) => ({ data: Float32Array.from({ length: dims[0] * dims[1] }, () => Math.random() - 0.5), dims });
   * const parameters = { q: random(64, 64), k: random(16, 64), v: random(16, 64), out: random(64, 64) }; // [out, in], as in PyTorch
   * const layer = engine.createMultiHeadAttention({ embedDim: 64, numHeads: 8, numKvHeads: 2 }, parameters);
   * const x = { data: new Float32Array(2 * 10 * 64), dims: [2, 10, 64] }; // batch, seq, embed
   * console.log(layer.forward(x, { causal: true }).dims); // [2, 10, 64]
   * layer.dispose();
   */
  createMultiHeadAttention(config: MultiHeadAttentionConfig, parameters: MultiHeadAttentionParameters): MultiHeadAttention {
    return MultiHeadAttention.create(this.runtime, config, parameters);
  }

  /**
   * Softmax along an axis, or its logarithm (Bridle 1990; relative to the largest score, so that nothing overflows).
   *
   *     out_j = exp(s_j) / Σ exp(s_j')   or, with log,  s_j − ln Σ exp(s_j')      s = scale · x + bias, over what is visible
   *
   * Elements hidden by a mask or a bias of −∞ have no influence, whatever they hold, and are 0 (log: −∞). If nothing is visible,
   * all are 0 (log: −∞). A visible +∞ or NaN makes its row NaN and no other.
   *
   * @param x  of any sizes, at least one axis
   * @returns `out` where given, else { type: "float32", data, dims } of the sizes of x
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} sizes or values that don't fit, a result that overlaps operands, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const x = { data: Float32Array.of(1, 9, 1, 2, 2, 2), dims: [2, 3] };
   * const mask = { data: Uint8Array.of(1, 0, 1), dims: [3] };
   * console.log([...engine.softmax(x, { mask }).data]); // [ 0.5, 0, 0.5, 0.5, 0, 0.5 ]
   * engine.dispose();
   */
  softmax<Out extends PlaceTensor = ResultTensor>(x: TensorLike, options?: SoftmaxOptions<Out>): Out {
    return softmax(this.runtime, x, options);
  }

  /**
   * Layer normalization of the last axis (Ba, Kiros & Hinton 2016, arXiv:1607.06450).
   *
   *     out = (x − mean) / √(variance + eps) · weight + bias        variance = mean of (x − mean)²
   *
   * A row of equal numbers gives exactly the bias, however large they are. NaN and ∞ make their row NaN and no other.
   *
   * @param x  [..., length]
   * @returns `out` where given, else { type: "float32", data, dims } of the sizes of x
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} sizes or values that don't fit, a result that overlaps operands, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const x = { data: Float32Array.of(1, 3, 7, 7), dims: [2, 2] };
   * console.log([...engine.layerNorm(x, { eps: 0.25 }).data].map((y) => y.toFixed(2))); // [ '-0.89', '0.89', '0.00', '0.00' ]
   * engine.dispose();
   */
  layerNorm<Out extends PlaceTensor = ResultTensor>(x: TensorLike, options?: LayerNormOptions<Out>): Out {
    return layerNorm(this.runtime, x, options);
  }

  /**
   * Root mean square normalization of the last axis (Zhang & Sennrich 2019, arXiv:1910.07467).
   *
   *     out = x / √(mean of x² + eps) · weight
   *
   * @param x  [..., length]
   * @returns `out` where given, else { type: "float32", data, dims } of the sizes of x
   * @throws {TypeError} @throws {RangeError} @throws {Error} as `layerNorm`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const x = { data: Float32Array.of(3, 4, 3, 4), dims: [4] };
   * console.log([...engine.rmsNorm(x).data].map((y) => y.toFixed(2))); // [ '0.85', '1.13', '0.85', '1.13' ]
   * engine.dispose();
   */
  rmsNorm<Out extends PlaceTensor = ResultTensor>(x: TensorLike, options?: RmsNormOptions<Out>): Out {
    return rmsNorm(this.runtime, x, options);
  }

  /**
   * Rotary position embedding (Su et al. 2021, arXiv:2104.09864): rotates pairs of channels by angles that grow with the
   * position, so that the score of a query and a key depends on their distance alone.
   *
   *     (a, b) → (a cos θ − b sin θ, b cos θ + a sin θ)        θ = position · base^(−2i / rotaryDim) for pair i
   *
   * @param x  [batch, seqLen, heads, headDim], another layout, [batch, seqLen, numHeads · headDim] with `numHeads`, or [seqLen, headDim]
   * @returns `out` where given, else { type: "float32", data, dims } of the sizes of x
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} sizes, positions or values that don't fit, a result that overlaps operands, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const x = { data: Float32Array.of(1, 0, 1, 0), dims: [2, 2] }; // at the positions 0 and 1
   * console.log([...engine.rotary(x).data].map((y) => y.toFixed(2))); // [ '1.00', '0.00', '0.54', '0.84' ]
   * const scaling = { type: "linear", factor: 2 }; // as in a model's config.json, for sequences of twice the length
   * console.log([...engine.rotary(x, { scaling }).data].map((y) => y.toFixed(2))); // [ '1.00', '0.00', '0.88', '0.48' ]
   * engine.dispose();
   */
  rotary<Out extends PlaceTensor = ResultTensor>(x: TensorLike, options?: RotaryOptions<Out>): Out {
    return rotary(this.runtime, x, options);
  }

  /**
   * Cosines and sines of the angles of `rotary`, for the positions 0 to length − 1: computed once instead of with every call.
   *
   * @returns { cos, sin }, each { type: "float32", data, dims } with dims [length, rotaryDim / 2]
   * @throws {TypeError} @throws {RangeError} @throws {Error} as `rotary`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const tables = engine.rotaryTables({ length: 128, rotaryDim: 2 });
   * const x = { data: Float32Array.of(1, 0), dims: [1, 2] };
   * console.log([...engine.rotary(x, { tables, offset: 1 }).data].map((y) => y.toFixed(2))); // [ '0.54', '0.84' ]
   * engine.dispose();
   */
  rotaryTables(options: RotaryTablesOptions): { cos: ResultTensor; sin: ResultTensor } {
    return rotaryTables(this.runtime, options);
  }

  /**
   * Sinusoidal position embeddings (Vaswani et al. 2017, arXiv:1706.03762, section 3.5), to be added to the embeddings of tokens.
   *
   *     PE(p, 2i) = sin(p / 10000^(2i / dim))          PE(p, 2i + 1) = cos(p / 10000^(2i / dim))
   *
   * @returns { type: "float32", data, dims } with dims [length, dim]
   * @throws {TypeError} the wrong kind of value, or an unknown option
   * @throws {RangeError} values out of range, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const positions = engine.sinusoidalPositions({ length: 2, dim: 2 });
   * console.log([...positions.data].map((x) => x.toFixed(2))); // [ '0.00', '1.00', '0.84', '0.54' ]
   * engine.dispose();
   */
  sinusoidalPositions(options: SinusoidalPositionsOptions): ResultTensor {
    return sinusoidalPositions(this.runtime, options);
  }

  /**
   * Linear attention: a feature map φ in place of the exponential of q·k, so that keys and values are summed in a state of fixed
   * size, and time and memory are linear in the length (Katharopoulos et al. 2020, arXiv:2006.16236).
   *
   *     out_i = φ(q_i)ᵀS / (φ(q_i)ᵀz + eps) ,   S = Σ_j φ(k_j) v_jᵀ ,   z = Σ_j φ(k_j)          causal: over j ≤ i
   *
   * With `rule`, the recurrent family: linear, gated (RetNet, GLA, Mamba-2), delta (DeltaNet) and gated delta, as in ONNX's
   * operator LinearAttention, computed in chunks (Yang et al. 2024, arXiv:2406.06484).
   *
   *     S ← diag(exp(decay_t)) S          u = v_t, or β_t (v_t − Sᵀk_t)          S ← S + k_t uᵀ          out_t = scale · Sᵀq_t
   *
   * @param q  [batch, seqLen, numHeads, headDim], another layout, [batch, seqLen, numHeads · headDim] with `numHeads`, or [seqLen, headDim]
   * @param k  [batch, kvLen, numKeyHeads, headDim] in the same layout and rank
   * @param v  [batch, kvLen, numKvHeads, valueDim] in the same layout; numKvHeads is a multiple of numKeyHeads, and a divisor or a
   *           multiple of numHeads
   * @returns `out` where given, else { type: "float32", data, dims } with dims [batch, seqLen, max(numHeads, numKvHeads), valueDim] in
   *   the same layout
   * @throws {TypeError} the wrong kind of value, an unknown option, or options that cannot be combined
   * @throws {RangeError} sizes or values that don't fit, results that overlap operands, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const dims = [1, 2048, 8, 64]; // batch, seq, heads, headDim
   * const random = () => ({ data: Float32Array.from({ length: 2048 * 8 * 64 }, () => Math.random()), dims });
   * const out = engine.linearAttention(random(), random(), random(), { causal: true });
   * console.log(out.dims); // [1, 2048, 8, 64]
   * engine.dispose();
   */
  linearAttention<Out extends PlaceTensor = ResultTensor>(
    q: TensorLike,
    k: TensorLike,
    v: TensorLike,
    options?: LinearOptions<Out>,
  ): Out {
    return linearAttention(this.runtime, q, k, v, options);
  }

  /**
   * An empty state of linear attention in the engine's memory, for tokens that arrive in pieces.
   *
   * @throws {TypeError} the wrong kind of value, an unknown option, or options that cannot be combined
   * @throws {RangeError} values that don't fit, or not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const state = engine.createLinearAttentionState({ numKvHeads: 8, headDim: 64, rule: "gated_delta" });
   * console.log(state.length); // 0
   * engine.dispose();
   */
  createLinearAttentionState(options: LinearAttentionStateOptions): LinearAttentionState {
    return LinearAttentionState.create(this.runtime, options);
  }

  /**
   * Restores on this engine a state that `LinearAttentionState.serialize` wrote.
   *
   * @param featureMap  the function that the state was made with, if its feature map was a function
   * @throws {TypeError} not a Uint8Array, or a function that is missing
   * @throws {RangeError} bytes that `serialize` did not write, or of another version; not enough memory
   * @throws {Error} after `dispose`
   *
   * @example
   * import { createEngine } from "headwise";
   *
   * const engine = await createEngine();
   * const state = engine.createLinearAttentionState({ numKvHeads: 1, headDim: 4 });
   * const x = engine.tensor([1, 8, 1, 4]);
   * state.step(x, x, x);
   * console.log(engine.restoreLinearAttentionState(state.serialize()).length); // 8
   * engine.dispose();
   */
  restoreLinearAttentionState(bytes: Uint8Array, featureMap?: FeatureFunction | null): LinearAttentionState {
    return LinearAttentionState.restore(this.runtime, bytes, featureMap);
  }
}
