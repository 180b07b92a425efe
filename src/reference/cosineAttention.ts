/** Attention by the cosine of query and key, in float64, by its definition. Graves et al. 2014, arXiv:1410.5401, eq. 6. */
import type { ReferenceOptions } from "./attentionOptions.js";
import { dot, projectedRows } from "./headRows.js";
import { headSizes, softmaxAttention } from "./softmaxAttention.js";
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

/**
 * s_ij = scale · q_i·k_j / (‖q_i‖ ‖k_j‖), 0 where one of them is zero, with scale 1 unless it is given; the rest is as in
 * scaledDotProductAttention.
 *
 * @param q  [batch, seqLen, numHeads, headDim]
 * @param k  [batch, kvLen, numKvHeads, headDim]
 * @param v  [batch, kvLen, numKvHeads, valueDim]
 * @returns { data, dims } with dims [batch, seqLen, numHeads, valueDim] in the layout and rank of q
 *
 * @example
 * import { cosineAttention } from "headwise/reference";
 *
 * const column = (...data) => ({ data, dims: [data.length, 1] });
 * console.log(cosineAttention(column(5), column(0.1, 7), column(4, 8)).data[0]); // 6
 */
export function cosineAttention(
  q: ReferenceTensor,
  k: ReferenceTensor,
  v: ReferenceTensor,
  options: ReferenceOptions = {},
): ReferenceResult {
  const { layout = "bshd" } = options;
  const { ofQ, ofK } = headSizes(q, k, v, options);
  const numHeads = ofQ[2];
  const queries = projectedRows(q, ofQ, layout, numHeads);
  const keys = projectedRows(k, ofK, layout, numHeads);
  return softmaxAttention(q, k, v, options, {
    scale: 1,
    score({ b, h, i }, j) {
      const [query, key] = [queries(b, h, i), keys(b, h, j)];
      const norms = Math.sqrt(dot(query, query)) * Math.sqrt(dot(key, key));
      return norms === 0 ? 0 : dot(query, key) / norms;
    },
  });
}
