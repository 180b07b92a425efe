/** Multi-head attention in float64, head by head, by its definition. Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2. */
import type { Given } from "../call/readOptions.js";
import type { MultiHeadAttentionConfig } from "../multiHead/config.js";
import type { ReferenceOptions } from "./attentionOptions.js";
import { mergeAttention } from "./mergeAttention.js";
import { type ReferenceRotaryOptions, rotary } from "./rotary.js";
import { scaledDotProductAttention } from "./scaledDotProductAttention.js";
import type { Place, ReferenceResult, ReferenceTensor } from "./tensor.js";
import { sequenceOf } from "./visibleKeys.js";

/** The parameters of `createMultiHeadAttention`, with the same sizes. */
export type ReferenceParameters = { readonly out: ReferenceTensor } & {
  readonly [
    Name in
      ("q" | "k" | "v" | "qkv" | "qBias" | "kBias" | "vBias" | "qkvBias" | "outBias") | ("biasK" | "biasV" | "qNorm" | "kNorm")
  ]?: ReferenceTensor | undefined;
};

/** The options of `MultiHeadAttention.forward` except for memory and cache, which do not affect values. */
export interface ReferenceMultiHeadOptions extends Omit<ReferenceOptions, "layout"> {
  key?: ReferenceTensor | undefined;
  value?: ReferenceTensor | undefined;
  headGates?: ArrayLike<number> | undefined;
  averageWeights?: Place | undefined;
}

/**
 * head_h = attention(x W^Q_h + b, key W^K_h + b, value W^V_h + b) ,  out = Σ_h gate_h head_h W^O_h + b
 *
 * @param x  [batch, seq, embedDim], [seq, batch, embedDim] with the config's layout "sequenceFirst", or [seq, embedDim]
 * @returns { data, dims } with dims [batch, seq, outDim]
 *
 * @example
 * import { multiHeadAttention } from "headwise/reference";
 *
 * const one = { data: [1], dims: [1, 1] };
 * const x = { data: [3, 5], dims: [2, 1] };
 * const parameters = { q: one, k: one, v: one, out: one };
 * const out = multiHeadAttention({ embedDim: 1, numHeads: 1 }, parameters, x, { causal: true });
 * console.log(out.data[0], out.dims); // 3 [2, 1]
 */
export function multiHeadAttention(
  config: Given<MultiHeadAttentionConfig>,
  parameters: ReferenceParameters,
  x: ReferenceTensor,
  { key = x, value = key, headGates = config.headGates, averageWeights, ...options }: ReferenceMultiHeadOptions = {},
): ReferenceResult {
  const { embedDim, numHeads, numKvHeads = numHeads, headDim = embedDim / numHeads, valueDim = headDim } = config;
  const { kDim = embedDim, vDim = embedDim, outDim = embedDim, weightLayout = "outIn", qkNorm = false, order = "qkv" } = config;
  if (config.layout === "sequenceFirst") {
    const turned = { ...options, key: exchanged(key), value: exchanged(value), headGates, averageWeights };
    return exchanged(multiHeadAttention({ ...config, layout: "batchFirst" }, parameters, exchanged(x), turned));
  }
  const { qBias, kBias, vBias, qkvBias, outBias } = parameters;

  // W^Q, W^K and W^V, which may be the columns of one matrix: in each group those of q, then of k, then of v
  const groups = order === "qkv" ? 1 : numKvHeads;
  const [qSize, kSize, vSize] = [numHeads * headDim, numKvHeads * headDim, numKvHeads * valueDim];
  const all = qSize + kSize + vSize;
  const packed = (before: number, inDim: number, columns: number, own?: ReferenceTensor, ownBias?: ReferenceTensor): Linear => {
    const inGroup = columns / groups;
    const fused = (to: number): number => (Math.floor(to / inGroup) * all + before) / groups + (to % inGroup);
    const itself = (to: number): number => to;
    return {
      ...{ inDim, columns, weightLayout, matrix: own ?? parameters.qkv!, bias: ownBias ?? qkvBias },
      ...{ columnOf: own ? itself : fused, allColumns: own ? columns : all, biasOf: ownBias ? itself : fused },
    };
  };
  let q = apply(packed(0, embedDim, qSize, parameters.q, qBias), x, [numHeads, headDim]);
  let k = apply(packed(qSize, kDim, kSize, parameters.k, kBias), key, [numKvHeads, headDim]);
  const v = apply(packed(qSize + kSize, vDim, vSize, parameters.v, vBias), value, [numKvHeads, valueDim]);
  if (qkNorm !== false) {
    const eps = (qkNorm === true ? undefined : qkNorm.eps) ?? 1e-6;
    [q, k] = [normalize(q, parameters.qNorm, eps), normalize(k, parameters.kNorm, eps)];
  }

  if (config.rotary) {
    const { queries, keys } = positionsOf(options, q, k);
    const angles = config.rotary as ReferenceRotaryOptions; // tables as plain tensors
    q = rotary(q, { ...angles, positions: queries });
    k = rotary(k, { ...angles, positions: keys });
  }

  const heads = attendWithExtraKeys(q, k, v, extraKeys(config, parameters, k, v), { ...options, averageWeights });

  const rows = heads.data.length / (numHeads * valueDim);
  const gated = heads.data.map((element, index) => {
    const gate = headGates?.[Math.floor(index / valueDim) % numHeads] ?? 1;
    return gate === 0 ? 0 : gate * element; // not 0 · NaN: a gate of 0 removes the head
  });
  const output = { inDim: numHeads * valueDim, columns: outDim, allColumns: outDim, weightLayout, matrix: parameters.out };
  const itself = (to: number): number => to;
  const linear = { ...output, bias: outBias, columnOf: itself, biasOf: itself };
  const { data } = apply(linear, { data: gated, dims: [rows, output.inDim] }, [1, outDim]);
  return { data, dims: [...x.dims.slice(0, -1), outDim] };
}

/** The first two axes of [a, b, channels] exchanged; one of rank 2 as it is. */
function exchanged({ data, dims }: ReferenceTensor): ReferenceResult {
  if (dims.length === 2) return { data: Float64Array.from(data), dims };
  const [a, b, channels] = dims as [number, number, number];
  const from = (index: number): number => {
    const row = Math.floor(index / channels);
    return ((row % a) * b + Math.floor(row / a)) * channels + (index % channels);
  };
  return { data: Float64Array.from({ length: data.length }, (_, index) => data[from(index)]!), dims: [b, a, channels] };
}

/** A linear map: some columns of a matrix and of a bias. */
interface Linear {
  readonly inDim: number;
  readonly columns: number;
  readonly weightLayout: "outIn" | "inOut";
  readonly matrix: ReferenceTensor;
  readonly columnOf: (to: number) => number;
  readonly allColumns: number;
  readonly bias: ReferenceTensor | undefined;
  readonly biasOf: (to: number) => number;
}

/** x W + b as [batch, rows, heads, channels]. */
function apply(linear: Linear, x: ReferenceTensor, [heads, channels]: [number, number]): ReferenceResult {
  const { inDim, columns, weightLayout, matrix, columnOf, allColumns, bias, biasOf } = linear;
  const rows = x.data.length / inDim;
  const data = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let to = 0; to < columns; to++) {
      const column = columnOf(to);
      let sum = 0;
      for (let from = 0; from < inDim; from++) {
        const index = weightLayout === "outIn" ? column * inDim + from : from * allColumns + column;
        sum += x.data[row * inDim + from]! * matrix.data[index]!;
      }
      data[row * columns + to] = sum + (bias?.data[biasOf(to)] ?? 0);
    }
  }
  const batch = x.dims.length === 3 ? x.dims[0]! : 1;
  return { data, dims: [batch, rows / batch, heads, channels] };
}

/** Each head's vector over the root of its mean square, times the parameters. Zhang & Sennrich 2019, arXiv:1910.07467. */
function normalize({ data, dims }: ReferenceResult, parameters: ReferenceTensor | undefined, eps: number): ReferenceResult {
  const channels = dims.at(-1)!;
  const normalized = data.map((element, index) => {
    const start = index - (index % channels);
    const meanSquare = data.subarray(start, start + channels).reduce((sum, x) => sum + x * x, 0) / channels;
    return (element / Math.sqrt(meanSquare + eps)) * (parameters?.data[index % channels] ?? 1);
  });
  return { data: normalized, dims };
}

/** Positions of rows and keys, counted from the first key of their sequence. */
export function positionsOf(
  options: ReferenceOptions,
  q: Pick<ReferenceResult, "dims">,
  k: Pick<ReferenceResult, "dims">,
): { queries: number[]; keys: number[] } {
  const [batch, seqLen] = q.dims as [number, number];
  const kvLen = k.dims[1]!;
  const { cuSeqlensQ, cuSeqlensK = cuSeqlensQ, keyStarts } = options;
  const queries = Array.from({ length: batch * seqLen }, (_, row) => {
    const { position, keyStart } = sequenceOf(options, Math.floor(row / seqLen), row % seqLen, seqLen, kvLen);
    return position - keyStart;
  });
  const keys = Array.from({ length: batch * kvLen }, (_, row) => {
    const [b, j] = [Math.floor(row / kvLen), row % kvLen];
    const starts = cuSeqlensK ? Array.from(cuSeqlensK) : [keyStarts?.[b] ?? 0];
    return j - Math.max(starts[0]!, ...starts.filter((start) => start <= j));
  });
  return { queries, keys };
}

/** Keys and values that every row sees: the parameters biasK and biasV, and zeros. */
function extraKeys(
  config: Given<MultiHeadAttentionConfig>,
  { biasK, biasV }: ReferenceParameters,
  k: ReferenceResult,
  v: ReferenceResult,
) {
  const [batch, , heads, headDim] = k.dims as [number, number, number, number];
  const valueDim = v.dims[3]!;
  const extra = (bias: ReferenceTensor | undefined, channels: number): ReferenceResult => {
    const rows = [
      bias ? Array.from(bias.data) : [],
      new Array<number>(config.addZeroAttention ? heads * channels : 0).fill(0),
    ].flat();
    const data = Array.from({ length: batch }, () => rows).flat();
    return { data: Float64Array.from(data), dims: [batch, rows.length / (heads * channels), heads, channels] };
  };
  return { k: extra(biasK, headDim), v: extra(biasV, valueDim) };
}

/** Attention on keys under the options, and on extra keys that options do not affect: merged as parts of one softmax. */
function attendWithExtraKeys(
  q: ReferenceResult,
  k: ReferenceResult,
  v: ReferenceResult,
  extra: { k: ReferenceResult; v: ReferenceResult },
  { averageWeights, ...options }: ReferenceOptions & { averageWeights?: Place | undefined },
): ReferenceResult {
  const [batch, seqLen, numHeads] = q.dims as [number, number, number, number];
  const parts = [
    { k, v, options },
    {
      ...extra,
      options: {
        scale: options.scale,
        softcap: options.softcap,
        queryLengths: options.queryLengths,
        contentBias: options.contentBias, // a part of the query; extra keys have no position
      },
    },
  ].map(({ k, v, options: own }) => {
    const [shape, kvLen] = [[batch, numHeads, seqLen], k.dims[1]!];
    const zeros = (dims: number[]) => ({ data: new Float64Array(dims.reduce((a, b) => a * b, 1)), dims });
    const [logSumExp, weights, scores] = [zeros(shape), zeros([...shape, kvLen]), zeros([...shape, kvLen])];
    const places = { logSumExp, weights, scores, scoresStage: options.scoresStage };
    return { out: scaledDotProductAttention(q, k, v, { ...own, ...places }), kvLen, logSumExp, weights, scores };
  });
  const { out, logSumExp } = mergeAttention(parts);

  const width = parts[0]!.kvLen + parts[1]!.kvLen;
  for (const [row, total] of logSumExp.data.entries()) {
    if (options.logSumExp) options.logSumExp.data[row] = total;
    let column = 0;
    for (const part of parts) {
      const share = part.logSumExp.data[row] === -Infinity ? 0 : Math.exp(part.logSumExp.data[row]! - total);
      for (let j = 0; j < part.kvLen; j++, column++) {
        const weight = share * part.weights.data[row * part.kvLen + j]!;
        if (options.weights) options.weights.data[row * width + column] = weight;
        if (options.scores) options.scores.data[row * width + column] = part.scores.data[row * part.kvLen + j]!;
        const [b, h, i] = [Math.floor(row / seqLen / numHeads), Math.floor(row / seqLen) % numHeads, row % seqLen];
        const average = (b * seqLen + i) * width + column;
        if (averageWeights) averageWeights.data[average] = (h === 0 ? 0 : averageWeights.data[average]!) + weight / numHeads;
      }
    }
  }
  return { data: out.data, dims: [...out.dims] };
}
