/** Local attention in float64, by its definition. Luong et al. 2015, arXiv:1508.04025, section 3.2. */
import type { ReferenceOptions } from "./attentionOptions.js";
import { dot, projectedRows, vectorOf } from "./headRows.js";
import { dotProduct } from "./scaledDotProductAttention.js";
import { type AttentionDefinition, headSizes, type QueryRow, softmaxAttention } from "./softmaxAttention.js";
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

/** The parameters of `Engine.localAttention`. */
export interface ReferenceLocalParameters {
  /** D */
  readonly halfWidth: number;
  /** Where the window of each row has its centre, counted from the first key of the sequence: [batch, numHeads, seqLen]. */
  readonly centers?: ReferenceTensor | undefined;
  /** W [hidden, headDim] and v [hidden], or with numHeads as the first size: the centre is keys · sigmoid(vᵀ tanh(W q)). */
  readonly predictor?: { readonly weight: ReferenceTensor; readonly score: ReferenceTensor } | undefined;
  readonly renormalize?: boolean | undefined;
}

/**
 * scaledDotProductAttention over the keys j with |j − p_i| ≤ D, where p_i is the row's position. Around centres that are given or
 * predicted, each weight is then multiplied by exp(−(j − p_i)² / 2σ²), σ = D / 2; with `renormalize` that exponent is added to the
 * scores instead, as a bias is. The window hides keys that `sinkTokens` does not, too.
 *
 * @returns { data, dims } with dims [batch, seqLen, numHeads, valueDim] in the layout and rank of q
 *
 * @example
 * import { localAttention } from "headwise/reference";
 *
 * const column = (...data) => ({ data, dims: [data.length, 1] });
 * const v = column(4, 8, 9, 10);
 * console.log(localAttention(column(0, 0, 0, 0), column(1, 2, 3, 4), v, { halfWidth: 1 }).data[1]); // 7
 */
export function localAttention(
  q: ReferenceTensor,
  k: ReferenceTensor,
  v: ReferenceTensor,
  { halfWidth, centers, predictor, renormalize = false }: ReferenceLocalParameters,
  options: ReferenceOptions = {},
): ReferenceResult {
  const { layout = "bshd" } = options;
  const { ofQ } = headSizes(q, k, v, options);
  const [, seqLen, numHeads] = ofQ;
  const hidden = predictor && projectedRows(q, ofQ, layout, numHeads, predictor.weight);

  const centreOf = ({ b, h, i, keyStart, keyEnd, position }: QueryRow): number => {
    if (centers) return keyStart + centers.data[(b * numHeads + h) * seqLen + i]!;
    if (!predictor) return position;
    const logit = dot(vectorOf(predictor.score, h), hidden!(b, h, i).map(Math.tanh));
    return keyStart + (keyEnd - keyStart) / (1 + Math.exp(-logit));
  };
  const exponent = (row: QueryRow, j: number): number => -((j - centreOf(row)) ** 2) / (2 * (halfWidth / 2) ** 2);
  const definition: AttentionDefinition = {
    ...dotProduct(q, k, v, options),
    sees: (row, j) => Math.abs(j - centreOf(row)) <= halfWidth,
  };
  if (!centers && !predictor) return softmaxAttention(q, k, v, options, definition);
  if (renormalize) return softmaxAttention(q, k, v, options, { ...definition, added: exponent });
  return softmaxAttention(q, k, v, options, { ...definition, factor: (row, j) => Math.exp(exponent(row, j)) });
}
