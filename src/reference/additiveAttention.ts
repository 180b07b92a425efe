/** Additive attention in float64, by its definition. Bahdanau et al. 2015, arXiv:1409.0473, appendix A.1.2. */
import { ACTIVATIONS } from "./activate.js";
import type { ReferenceOptions } from "./attentionOptions.js";
import { projectedRows, vectorOf } from "./headRows.js";
import { headSizes, softmaxAttention } from "./softmaxAttention.js";
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

/**
 * The parameters of `Engine.additiveAttention`: heads share them, or have each their own, with their number as the first size; `key` belongs
 * to heads of k.
 */
export interface ReferenceAdditiveParameters {
  /** B [hidden, headDim] */
  readonly query: ReferenceTensor;
  /** A [hidden, kDim]; without it k is A k already. */
  readonly key?: ReferenceTensor | undefined;
  /** u [hidden] */
  readonly score: ReferenceTensor;
  /** b [hidden] */
  readonly bias?: ReferenceTensor | undefined;
  readonly activation?: "tanh" | "relu" | "gelu" | undefined;
}

/**
 * s_ij = scale · uᵀ φ(A k_j + B q_i + b), with scale 1 unless it is given; the rest is as in scaledDotProductAttention.
 *
 * @param q  [batch, seqLen, numHeads, headDim]
 * @param k  [batch, kvLen, numKvHeads, kDim]
 * @param v  [batch, kvLen, numKvHeads, valueDim]
 * @returns { data, dims } with dims [batch, seqLen, numHeads, valueDim] in the layout and rank of q
 *
 * @example
 * import { additiveAttention } from "headwise/reference";
 *
 * const column = (...data) => ({ data, dims: [data.length, 1] });
 * const parameters = { query: column(0), key: column(0), score: { data: [1], dims: [1] } };
 * console.log(additiveAttention(column(1), column(1, 2), column(4, 8), parameters).data[0]); // 6
 */
export function additiveAttention(
  q: ReferenceTensor,
  k: ReferenceTensor,
  v: ReferenceTensor,
  { query, key, score, bias, activation = "tanh" }: ReferenceAdditiveParameters,
  options: ReferenceOptions = {},
): ReferenceResult {
  const { layout = "bshd" } = options;
  const { ofQ, ofK } = headSizes(q, k, v, options);
  const queries = projectedRows(q, ofQ, layout, ofQ[2], query);
  const keys = projectedRows(k, ofK, layout, ofK[2], key);
  return softmaxAttention(q, k, v, options, {
    scale: 1,
    score({ b, h, i, kvHead }, j) {
      const [ofQuery, ofKey, added] = [queries(b, h, i), keys(b, kvHead, j), bias && vectorOf(bias, h)];
      return vectorOf(score, h).reduce(
        (sum, u, d) => sum + u * ACTIVATIONS[activation](ofKey[d]! + ofQuery[d]! + (added?.[d] ?? 0)),
        0,
      );
    },
  });
}
