/** What the results are held against: `headwise/reference` in float64, on some rows of all heads. */
import { inputsOf } from "../../build/tools/bench/data.js";
import { scaledDotProductAttention as reference } from "../../dist/reference/index.js";

/** Absolute, for values of about 1: far below any wrong result, above every rounding. */
export const TOLERANCE = 5e-6;

const BLOCK_ROWS = 8;

/** Blocks of rows: one before each quarter of the sequence. */
export function truthOf(shape) {
  const { q, k, v } = inputsOf(shape);
  const { seqLen, numHeads, headDim, causal } = shape;
  const rowLength = numHeads * headDim;
  return [0.25, 0.5, 0.75, 1].map((quarter) => {
    const end = Math.ceil(seqLen * quarter);
    const first = Math.max(0, end - BLOCK_ROWS);
    const rows = { data: q.data.subarray(first * rowLength, end * rowLength), dims: [1, end - first, numHeads, headDim] };
    return { start: first * rowLength, values: reference(rows, k, v, { causal, queryOffset: first }).data };
  });
}

/** The largest absolute error of a result in layout "bshd"; NaN where it holds one. */
export function largestError(truth, result) {
  let largest = 0;
  for (const { start, values } of truth)
    for (const [index, value] of values.entries()) largest = Math.max(largest, Math.abs(result[start + index] - value));
  return largest;
}
