/** Scaled dot-product attention in float64, by its definition. Vaswani et al. 2017, arXiv:1706.03762, eq. 1. */
import type { ReferenceOptions } from "./attentionOptions.js";
import { relativeKey } from "./positions.js";
import { type AttentionDefinition, headSizes, softmaxAttention } from "./softmaxAttention.js";
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

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
  return softmaxAttention(q, k, v, options, dotProduct(q, k, v, options));
}

/**
 * (q_i + u)·k_j + (q_i + v)·R[j − i], scaled by 1/√headDim: R, u and v are relativeKeys, contentBias and positionBias. Dai et al. 2019,
 * arXiv:1901.02860, section 3.3.
 */
export function dotProduct(
  q: ReferenceTensor,
  k: ReferenceTensor,
  v: ReferenceTensor,
  options: ReferenceOptions,
): Pick<AttentionDefinition, "score" | "scale"> {
  const { relativeKeys, relativeZero, contentBias, positionBias } = options;
  const [, , , headDim] = headSizes(q, k, v, options).ofQ;
  return {
    scale: 1 / Math.sqrt(headDim),
    score({ h, position }, j, qStart, kStart) {
      let sum = 0;
      for (let d = 0; d < headDim; d++) {
        sum += (q.data[qStart + d]! + (contentBias?.data[h * headDim + d] ?? 0)) * k.data[kStart + d]!;
      }
      if (!relativeKeys) return sum;
      for (const [d, r] of relativeKey(relativeKeys, h, j - position, relativeZero).entries()) {
        sum += (q.data[qStart + d]! + (positionBias?.data[h * headDim + d] ?? 0)) * r;
      }
      return sum;
    },
  };
}
