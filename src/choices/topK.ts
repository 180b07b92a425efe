/** Attention to the keys of the largest scores. */
import { MISPLACED_NAMES } from "../attention/foreignNames.js";
import type { AttentionOptions } from "../attention/options.js";
import { SCALED_DOT_PRODUCT_ATTENTION } from "../attention/scaledDotProductAttention.js";
import { attendOn, type Keys, type Values } from "../cache/keysOrCache.js";
import type { Operation } from "../call/operation.js";
import { type KnownOptions, readOptions } from "../call/readOptions.js";
import type { PlaceTensor, ResultTensor, TensorLike } from "../call/tensor.js";
import { integer, MAX_POSITION } from "../check.js";
import { CHOICES } from "../runtime/abi.generated.js";
import type { Runtime } from "../runtime/runtime.js";

/** Parameters of `topKAttention`. */
export interface TopKParameters {
  /** How many keys each row keeps, at least 1; a row that sees fewer keeps them all. */
  count: number;
}

export const TOP_K_ATTENTION: Operation = { ...SCALED_DOT_PRODUCT_ATTENTION, name: "topKAttention" };
const PARAMETERS: KnownOptions = {
  name: TOP_K_ATTENTION.name,
  options: ["count"],
  foreign: { ...MISPLACED_NAMES, count: "k topk n" },
};

/**
 * See `Engine.topKAttention`.
 * @internal
 */
export function topKAttention<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  q: TensorLike,
  k: Keys,
  v: Values,
  parameters: TopKParameters,
  options?: AttentionOptions<Out> | null,
): Out {
  return attendOn(runtime, TOP_K_ATTENTION, q, k, v, options, () => {
    const { count } = readOptions(PARAMETERS, parameters, "parameters");
    const keptKeys = integer(PARAMETERS.name, "count", count, 1, MAX_POSITION);
    return {
      read: ({ shape }) => ({
        operands: [],
        isWhole: true,
        workOfPair: shape.headDim, // scores are computed twice
        fields: () => ({ choice: CHOICES.indexOf("largest"), keptKeys }),
      }),
    };
  });
}
