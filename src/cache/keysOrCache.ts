/** Attention on keys and values that come as tensors, or in a cache. */
import { type AttentionCall, readAttention } from "../attention/attentionCall.js";
import type { Addition } from "../attention/extras.js";
import type { AttentionOptions } from "../attention/options.js";
import { attend } from "../attention/scaledDotProductAttention.js";
import { Call } from "../call/call.js";
import type { Operation } from "../call/operation.js";
import { readOptions } from "../call/readOptions.js";
import type { PlaceTensor, TensorLike } from "../call/tensor.js";
import { describe, isAbsent, wrongKind } from "../check.js";
import type { Runtime } from "../runtime/runtime.js";
import { operationOn } from "./cacheOptions.js";
import { KVCache } from "./kvCache.js";

/** The keys of a call: rows, or a cache, which has the values too. */
export type Keys = TensorLike | KVCache;
/** The values of a call; absent with a cache. */
export type Values = TensorLike | null | undefined;

/**
 * Computes an operation of attention.
 *
 * @param operation  with all options of attention; on a cache it has fewer
 * @param addition      what the operation adds to plain attention
 * @returns `out` where given, else a new tensor
 * @internal
 * @throws as `scaledDotProductAttention` and `KVCache.attend`
 */
export function attendOn<Out extends PlaceTensor>(
  runtime: Runtime,
  operation: Operation,
  q: TensorLike,
  k: Keys,
  v: Values,
  options: AttentionOptions<Out> | null | undefined,
  addition: Addition,
): Out {
  const call = new Call(runtime, operation.name);
  const attention = KVCache.isCache(k)
    ? readOnCache(call, operation, q, k, v, options, addition)
    : readAttention(call, q, { k, v: v as TensorLike }, readOptions(operation, options), addition);
  return attend(attention) as Out;
}

function readOnCache(
  call: Call,
  operation: Operation,
  q: TensorLike,
  cache: KVCache,
  v: Values,
  options: AttentionOptions<PlaceTensor> | null | undefined,
  addition: Addition,
): AttentionCall {
  KVCache.assertUsable(call, "k", cache);
  if (!isAbsent(v)) {
    throw wrongKind(call.operation, `"v" must be absent where "k" is a KVCache, which has the values, got ${describe(v)}`);
  }
  const given = readOptions(operationOn(operation, cache.config.policy), options);
  return cache.readAttention(call, q, given, addition, '"k"');
}
