/** Attention by cosines: the length of queries and keys has no influence. */
import { attendOn, type Keys, type Values } from "../cache/keysOrCache.js";
import type { PlaceTensor, ResultTensor, TensorLike } from "../call/tensor.js";
import { SCORES } from "../runtime/abi.generated.js";
import type { Runtime } from "../runtime/runtime.js";
import { scoreOperation, type ScoreOptions } from "./scoreOptions.js";

export const COSINE_ATTENTION = scoreOperation("cosineAttention");

/**
 * See `Engine.cosineAttention`.
 * @internal
 */
export function cosineAttention<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  q: TensorLike,
  k: Keys,
  v: Values,
  options?: ScoreOptions<Out> | null,
): Out {
  return attendOn(runtime, COSINE_ATTENTION, q, k, v, options, () => ({
    read: () => ({ operands: [], scale: 1, fields: () => ({ score: SCORES.indexOf("cosine") }) }),
  }));
}
