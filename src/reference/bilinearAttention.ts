/** Bilinear attention in float64, by its definition. Luong et al. 2015, arXiv:1508.04025, "general" score of eq. 8. */
import type { ReferenceOptions } from "./attentionOptions.js";
import { dot, projectedRows } from "./headRows.js";
import { headSizes, softmaxAttention } from "./softmaxAttention.js";
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

/** The parameters of `Engine.bilinearAttention`. */
export interface ReferenceBilinearParameters {
  /** U [qDim, kDim] for all heads, or [numHeads, qDim, kDim] */
  readonly weight: ReferenceTensor;
}

/**
 * s_ij = scale · q_iᵀ U k_j, with scale 1 unless it is given; the rest is as in scaledDotProductAttention.
 *
 * @param q  [batch, seqLen, numHeads, qDim]
 * @param k  [batch, kvLen, numKvHeads, kDim]
 * @param v  [batch, kvLen, numKvHeads, valueDim]
 * @returns { data, dims } with dims [batch, seqLen, numHeads, valueDim] in the layout and rank of q
 *
 * @example
 * import { bilinearAttention } from "headwise/reference";
 *
 * const column = (...data) => ({ data, dims: [data.length, 1] });
 * const out = bilinearAttention(column(1), column(1, 2), column(4, 8), { weight: column(100) });
 * console.log(out.data[0]); // 8
 */
export function bilinearAttention(
  q: ReferenceTensor,
  k: ReferenceTensor,
  v: ReferenceTensor,
  { weight }: ReferenceBilinearParameters,
  options: ReferenceOptions = {},
): ReferenceResult {
  const { layout = "bshd" } = options;
  const { ofQ, ofK } = headSizes(q, k, v, options);
  const numHeads = ofQ[2];
  const queries = projectedRows(q, ofQ, layout, numHeads);
  const keys = projectedRows(k, ofK, layout, numHeads, weight);
  return softmaxAttention(q, k, v, options, { scale: 1, score: ({ b, h, i }, j) => dot(queries(b, h, i), keys(b, h, j)) });
}
