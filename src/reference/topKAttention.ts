/** Attention to the keys of the largest scores, in float64, by its definition. Gupta et al. 2021, arXiv:2106.06899. */
import type { ReferenceOptions } from "./attentionOptions.js";
import { largestFirst } from "./looks.js";
import { dotProduct } from "./scaledDotProductAttention.js";
import { softmaxAttention } from "./softmaxAttention.js";
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

/** The parameters of `Engine.topKAttention`. */
export interface ReferenceTopKParameters {
  /** How many keys each row keeps. */
  readonly count: number;
}

/**
 * scaledDotProductAttention over the `count` largest of each row's visible scores; of equal ones, those of lower keys. The scores that
 * the option `scores` receives are all of them.
 *
 * @returns { data, dims } with dims [batch, seqLen, numHeads, valueDim] in the layout and rank of q
 *
 * @example
 * import { topKAttention } from "headwise/reference";
 *
 * const column = (...data) => ({ data, dims: [data.length, 1] });
 * console.log(topKAttention(column(0), column(1, 2, 3), column(4, 8, 9), { count: 2 }).data[0]); // 6
 */
export function topKAttention(
  q: ReferenceTensor,
  k: ReferenceTensor,
  v: ReferenceTensor,
  { count }: ReferenceTopKParameters,
  options: ReferenceOptions = {},
): ReferenceResult {
  return softmaxAttention(q, k, v, options, {
    ...dotProduct(q, k, v, options),
    choose: (scores, keys) =>
      largestFirst(scores, keys)
        .slice(0, count)
        .sort((a, b) => a - b),
  });
}
