/** Reads rows of a cache as tensors. */
import type { Call } from "../call/call.js";
import { inOrder, type Layout } from "../call/layout.js";
import { handBack, newResult, type Operand } from "../call/operand.js";
import type { ResultTensor } from "../call/tensor.js";
import type { CacheConfig } from "./cacheConfig.js";
import type { KeySpan } from "./keySequences.js";
import { transferRows } from "./transferRows.js";

/** The spans as keys and values; 0 beyond the end of shorter ones. */
export function readRows(
  call: Call,
  config: CacheConfig,
  spans: readonly KeySpan[],
  layout: Layout,
): { k: ResultTensor; v: ResultTensor } {
  const { batchSize, numKvHeads, headDim, valueDim } = config;
  const count = spans.reduce((most, { first, end }) => Math.max(most, end - first), 0);
  const axes = inOrder(layout, batchSize, count, numKvHeads);
  // copied in, because the kernel writes no rows beyond a span
  const zeros = (channels: number): Operand => {
    const result = newResult(call, [...axes, channels]);
    return { ...result, data: new Float32Array(result.count), isUpdated: true };
  };
  const [k, v] = [zeros(headDim), zeros(valueDim)];
  if (count > 0) transferRows(call, "readKeys", config, spans, { k, v, layout });
  return { k: handBack<ResultTensor>(undefined, k), v: handBack<ResultTensor>(undefined, v) };
}
