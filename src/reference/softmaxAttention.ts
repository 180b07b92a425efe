/** Attention with a softmax over any scores, in float64: what all attentions but the linear one share. */
import type { ReferenceOptions } from "./attentionOptions.js";
import { broadcast } from "./broadcast.js";
import { rowIndex, type ReferenceSizes, sizesOf } from "./layout.js";
import { writeLooks } from "./looks.js";
import { distanceBias, tableBias } from "./positions.js";
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";
import { type RowSequence, seesKey, sequenceOf } from "./visibleKeys.js";

/** A query row. */
export interface QueryRow extends RowSequence {
  readonly b: number;
  readonly h: number;
  readonly i: number;
  readonly kvHead: number;
}

/** What one attention has of its own. */
export interface AttentionDefinition {
  /** The score of a row and key j, before the scale. `qStart` and `kStart` are the indices of the first channels of q_i and k_j. */
  score(row: QueryRow, j: number, qStart: number, kStart: number): number;
  /** Where the options have no scale. */
  readonly scale: number;
  /** Whether the row may see key j, beyond what the options say. */
  sees?(row: QueryRow, j: number): boolean;
  /** Added to the score as a bias is. */
  added?(row: QueryRow, j: number): number;
  /** Those of the visible keys over which the softmax goes. */
  choose?(scores: Float64Array, keys: readonly number[], row: QueryRow): readonly number[];
  /** Factor on the weight of key j. */
  factor?(row: QueryRow, j: number): number;
}

/**
 * out_i = Σ_j w_ij v_j ,  w_ij = exp(s_ij − m_i) / Σ_j' exp(s_ij' − m_i) over the keys that row i sees; a row that sees none is 0.
 *
 * @returns { data, dims } with dims [batch, seqLen, numHeads, valueDim] in the layout and rank of q
 */
export function softmaxAttention(
  q: ReferenceTensor,
  k: ReferenceTensor,
  v: ReferenceTensor,
  options: ReferenceOptions,
  definition: AttentionDefinition,
): ReferenceResult {
  const { layout = "bshd", softcap = 0, sinks, logSumExp, scores, scoresStage = "biased", scale = definition.scale } = options;
  const { ofQ, ofK, ofV } = headSizes(q, k, v, options);
  const [batchSize, seqLen, numHeads, headDim] = ofQ;
  const [, kvLen, numKvHeads, valueDim] = ofV;
  const out = new Float64Array(batchSize * seqLen * numHeads * valueDim);

  for (let b = 0; b < batchSize; b++) {
    for (let h = 0; h < numHeads; h++) {
      const kvHead = Math.floor((h * numKvHeads) / numHeads);
      const factor = typeof scale === "number" ? scale : scale[h]!;
      for (let i = 0; i < seqLen; i++) {
        const row: QueryRow = { ...sequenceOf(options, b, i, seqLen, kvLen), b, h, i, kvHead };
        const rowOfAll = (b * numHeads + h) * seqLen + i; // of logSumExp and scores
        const qStart = rowIndex(layout, ofQ, b, i, h) * headDim;

        const rowScores = new Float64Array(kvLen).fill(-Infinity);
        for (let j = 0; j < kvLen; j++) {
          const isVisible = seesKey(options, row, [b, h, i, j], kvLen) && (definition.sees?.(row, j) ?? true);
          if (!isVisible && !scores) continue;
          const scaled = factor * definition.score(row, j, qStart, rowIndex(layout, ofK, b, j, kvHead) * ofK[3]);
          const capped = softcap > 0 ? softcap * Math.tanh(scaled / softcap) : scaled;
          const bias = broadcast(options.bias, b, h, i, j, 0, -Infinity);
          const distance = j - row.position;
          if (isVisible && bias !== -Infinity && tableBias(options, h, distance) !== -Infinity) {
            rowScores[j] = capped + bias + distanceBias(options, b, h, distance) + (definition.added?.(row, j) ?? 0);
          }
          const isKey = j >= row.keyStart && j <= row.lastKey;
          const stages = { scaled, capped, biased: rowScores[j]! };
          if (scores) scores.data[rowOfAll * kvLen + j] = isKey ? stages[scoresStage] : -Infinity;
        }

        const visible = [...rowScores.keys()].filter((j) => rowScores[j] !== -Infinity);
        const keys = definition.choose?.(rowScores, visible, row) ?? visible;
        const softmax = softmaxOver(rowScores, keys, sinks ? sinks.data[h]! : -Infinity);
        const weights = softmax.weights.map((weight, j) => (weight === 0 ? 0 : weight * (definition.factor?.(row, j) ?? 1)));
        if (logSumExp) logSumExp.data[rowOfAll] = softmax.logSumExp;
        writeWeights(options, weights, row, [numHeads, seqLen]);
        writeLooks(options, weights, keys, rowOfAll, seqLen);

        const outRow = rowIndex(layout, ofQ, b, i, h) * valueDim;
        for (const j of keys) {
          // other keys are absent, not 0 · v: v may be NaN
          const vRow = rowIndex(layout, ofV, b, j, kvHead) * valueDim;
          for (let d = 0; d < valueDim; d++) out[outRow + d]! += weights[j]! * v.data[vRow + d]!;
        }
      }
    }
  }
  return { data: out, dims: [...q.dims.slice(0, -1), q.dims.length === 3 ? numHeads * valueDim : valueDim] };
}

/** The sizes of q, k and v as the options split them into heads. */
export function headSizes(
  q: ReferenceTensor,
  k: ReferenceTensor,
  v: ReferenceTensor,
  { layout = "bshd", numHeads, numKvHeads = numHeads }: ReferenceOptions,
): { ofQ: ReferenceSizes; ofK: ReferenceSizes; ofV: ReferenceSizes } {
  return {
    ofQ: sizesOf(q.dims, layout, numHeads),
    ofK: sizesOf(k.dims, layout, numKvHeads),
    ofV: sizesOf(v.dims, layout, numKvHeads),
  };
}

/** The softmax of the scores of some keys and of a sink; the weights of all other keys are 0. */
export function softmaxOver(
  scores: Float64Array,
  keys: readonly number[],
  sink = -Infinity,
): { weights: Float64Array; logSumExp: number } {
  const weights = new Float64Array(scores.length);
  if (keys.length === 0) return { weights, logSumExp: sink };
  const rowMax = keys.reduce((max, j) => Math.max(max, scores[j]!), sink);
  const exponential = (score: number): number => (score === -Infinity ? 0 : Math.exp(score - rowMax));
  const rowSum = keys.reduce((sum, j) => sum + exponential(scores[j]!), exponential(sink));
  for (const j of keys) weights[j] = exponential(scores[j]!) / rowSum;
  return { weights, logSumExp: rowMax + Math.log(rowSum) };
}

/** Writes a row of `weights`, if its head and row are in their range. */
function writeWeights(
  { weights: place, weightsRange: { heads, rows } = {} }: ReferenceOptions,
  weights: Float64Array,
  { b, h, i }: QueryRow,
  [numHeads, seqLen]: readonly [number, number],
): void {
  const [[firstHead, endHead], [firstRow, endRow]] = [heads ?? [0, numHeads], rows ?? [0, seqLen]];
  if (!place || h < firstHead || h >= endHead || i < firstRow || i >= endRow) return;
  const row = (b * (endHead - firstHead) + h - firstHead) * (endRow - firstRow) + i - firstRow;
  for (const [j, weight] of weights.entries()) place.data[row * weights.length + j] = weight;
}
