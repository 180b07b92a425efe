/** Scaled dot-product attention in float64, by its definition. Vaswani et al. 2017, arXiv:1706.03762, eq. 1. */

import { type ReferenceLayout, rowIndex, sizesOf } from "./layout.js";

/** Numbers and their sizes. */
export interface ReferenceTensor {
  readonly data: ArrayLike<number>;
  readonly dims: readonly number[];
}

/** The result of a definition. */
export interface ReferenceResult {
  readonly data: Float64Array;
  readonly dims: readonly number[];
}

/** The caller's place for a result. */
export interface Place {
  readonly data: { [index: number]: number };
  readonly dims: readonly number[];
}

/** The options of `Engine.scaledDotProductAttention`, with the same meanings and defaults. Nothing is checked. */
export interface ReferenceOptions {
  layout?: ReferenceLayout | undefined;
  numHeads?: number | undefined;
  numKvHeads?: number | undefined;
  scale?: number | ArrayLike<number> | undefined;
  softcap?: number | undefined;
  bias?: ReferenceTensor | undefined;
  mask?: ReferenceTensor | undefined;
  maskStart?: number | ArrayLike<number> | undefined;
  keyMask?: ReferenceTensor | undefined;
  /** Has no effect here: since nothing is checked, a short mask always hides the keys beyond it. */
  shortMask?: "error" | "hide" | undefined;
  causal?: boolean | "lower-right" | "upper-left" | undefined;
  queryOffset?: number | ArrayLike<number> | undefined;
  window?: number | readonly [number | undefined, number | undefined] | undefined;
  sinkTokens?: number | undefined;
  queryLengths?: ArrayLike<number> | undefined;
  keyLengths?: ArrayLike<number> | undefined;
  keyStarts?: ArrayLike<number> | undefined;
  cuSeqlensQ?: ArrayLike<number> | undefined;
  cuSeqlensK?: ArrayLike<number> | undefined;
  sinks?: ReferenceTensor | undefined;
  logSumExp?: Place | undefined;
  weights?: Place | undefined;
  scores?: Place | undefined;
  scoresStage?: "scaled" | "capped" | "biased" | undefined;
}

/**
 * out_i = Σ_j w_ij v_j ,  w_ij = exp(s_ij − m_i) / Σ_j' exp(s_ij' − m_i) over the keys that row i sees; a row that sees none is 0.
 *
 * @param q  [batch, seqLen, numHeads, headDim] in layout "bshd", [batch, seqLen, numHeads · headDim] with `numHeads`, or [seqLen, headDim]
 * @param k  [batch, kvLen, numKvHeads, headDim]
 * @param v  [batch, kvLen, numKvHeads, valueDim]
 * @returns { data, dims } with dims [batch, seqLen, numHeads, valueDim] in the layout and rank of q
 *
 * @example
 * import { scaledDotProductAttention } from "headwise/reference";
 *
 * const q = { data: [1, 0], dims: [1, 2] };
 * const k = { data: [1, 0, 0, 1], dims: [2, 2] };
 * const v = { data: [1, 2], dims: [2, 1] };
 * console.log(scaledDotProductAttention(q, k, v, { scale: 100 }).data[0]); // 1
 */
export function scaledDotProductAttention(
  q: ReferenceTensor,
  k: ReferenceTensor,
  v: ReferenceTensor,
  options: ReferenceOptions = {},
): ReferenceResult {
  const {
    layout = "bshd",
    softcap = 0,
    causal = false,
    sinkTokens = 0,
    sinks,
    logSumExp,
    weights,
    scores,
    scoresStage = "biased",
  } = options;
  const kvHeads = options.numKvHeads ?? options.numHeads;
  const [ofQ, ofK, ofV] = [
    sizesOf(q.dims, layout, options.numHeads),
    sizesOf(k.dims, layout, kvHeads),
    sizesOf(v.dims, layout, kvHeads),
  ];
  const [batchSize, seqLen, numHeads, headDim] = ofQ;
  const [, kvLen, numKvHeads, valueDim] = ofV;
  const { scale = 1 / Math.sqrt(headDim), window = -1, maskStart = 0 } = options;
  const [left = -1, right = -1] = typeof window === "number" ? [window, window] : window;
  const out = new Float64Array(batchSize * seqLen * numHeads * valueDim);

  for (let b = 0; b < batchSize; b++) {
    const masked = typeof maskStart === "number" ? maskStart : maskStart[b]!;
    for (let h = 0; h < numHeads; h++) {
      const kvHead = Math.floor((h * numKvHeads) / numHeads);
      const factor = typeof scale === "number" ? scale : scale[h]!;
      for (let i = 0; i < seqLen; i++) {
        const { queryEnd, keyStart, keyEnd, lastKey, position } = sequenceOf(options, b, i, seqLen, kvLen);
        const qRow = rowIndex(layout, ofQ, b, i, h) * headDim;
        const row = (b * numHeads + h) * seqLen + i; // of logSumExp, weights and scores
        const isVisible = (j: number): boolean =>
          i < queryEnd &&
          j >= keyStart &&
          j < keyEnd &&
          !(causal && j > position) &&
          (j < masked || broadcast(options.mask, b, h, i, j - masked, 1, 0) !== 0) &&
          options.keyMask?.data[b * kvLen + j] !== 0 &&
          (((left < 0 || j >= position - left) && (right < 0 || j <= position + right)) || j < keyStart + sinkTokens);

        const rowScores = new Float64Array(kvLen);
        for (let j = 0; j < kvLen; j++) {
          rowScores[j] = -Infinity;
          if (!isVisible(j) && !scores) continue;
          const scaled = factor * dot(q.data, qRow, k.data, rowIndex(layout, ofK, b, j, kvHead) * headDim, headDim);
          const capped = softcap > 0 ? softcap * Math.tanh(scaled / softcap) : scaled;
          const bias = broadcast(options.bias, b, h, i, j, 0, -Infinity);
          if (isVisible(j) && bias !== -Infinity) rowScores[j] = capped + bias;
          const isKey = j >= keyStart && j <= lastKey;
          if (scores) scores.data[row * kvLen + j] = isKey ? { scaled, capped, biased: rowScores[j]! }[scoresStage] : -Infinity;
        }

        const sink = sinks ? sinks.data[h]! : -Infinity;
        const rowMax = rowScores.reduce((max, score) => Math.max(max, score), sink);
        const exponential = (score: number): number => (score === -Infinity ? 0 : Math.exp(score - rowMax));
        const rowSum = rowScores.reduce((sum, score) => sum + exponential(score), exponential(sink));
        const seesKey = rowScores.some((score) => score !== -Infinity);
        if (logSumExp) logSumExp.data[row] = seesKey ? rowMax + Math.log(rowSum) : sink;

        const outRow = rowIndex(layout, ofQ, b, i, h) * valueDim;
        for (let j = 0; j < kvLen; j++) {
          const isAbsent = rowScores[j] === -Infinity; // not 0 · v: v may be NaN
          const weight = isAbsent ? 0 : exponential(rowScores[j]!) / rowSum;
          if (weights) weights.data[row * kvLen + j] = weight;
          if (isAbsent) continue;
          const vRow = rowIndex(layout, ofV, b, j, kvHead) * valueDim;
          for (let d = 0; d < valueDim; d++) out[outRow + d]! += weight * v.data[vRow + d]!;
        }
      }
    }
  }
  return { data: out, dims: [...q.dims.slice(0, -1), q.dims.length === 3 ? numHeads * valueDim : valueDim] };
}

/** The keys of row `i`'s sequence, the end of its rows, and the row's position; a key's position is its index. */
export function sequenceOf(
  { cuSeqlensQ, cuSeqlensK = cuSeqlensQ, ...options }: ReferenceOptions,
  b: number,
  i: number,
  seqLen: number,
  kvLen: number,
) {
  let index = b;
  let [queryStart, queryEnd, origin] = [0, options.queryLengths?.[b] ?? seqLen, 0];
  let [keyStart, keyEnd, lastKey] = [options.keyStarts?.[b] ?? 0, options.keyLengths?.[b] ?? kvLen, kvLen - 1];
  if (cuSeqlensQ) {
    index = 0;
    while (cuSeqlensQ[index + 1]! <= i) index++;
    [queryStart, queryEnd] = [cuSeqlensQ[index]!, cuSeqlensQ[index + 1]!];
    [keyStart, keyEnd] = [cuSeqlensK![index]!, cuSeqlensK![index + 1]!];
    [origin, lastKey] = [keyStart, keyEnd - 1]; // positions count from there
  }
  const { queryOffset = options.causal === "upper-left" ? 0 : keyEnd - origin - (queryEnd - queryStart) } = options;
  const position = origin + i - queryStart + (typeof queryOffset === "number" ? queryOffset : queryOffset[index]!);
  return { queryEnd, keyStart, keyEnd, lastKey, position };
}

const dot = (a: ArrayLike<number>, aStart: number, b: ArrayLike<number>, bStart: number, length: number): number => {
  let sum = 0;
  for (let d = 0; d < length; d++) sum += a[aStart + d]! * b[bStart + d]!;
  return sum;
};

/** Element of a mask or bias aligned to the right of [batch, heads, seq, keys]; `beyond` where its last axis is too short. */
function broadcast(
  tensor: ReferenceTensor | undefined,
  b: number,
  h: number,
  i: number,
  j: number,
  absent: number,
  beyond: number,
): number {
  if (!tensor) return absent;
  const index = [b, h, i, j].slice(4 - tensor.dims.length);
  let flat = 0;
  for (const [axis, size] of tensor.dims.entries()) {
    if (size !== 1 && index[axis]! >= size) return beyond;
    flat = flat * size + (size === 1 ? 0 : index[axis]!);
  }
  return tensor.data[flat]!;
}
