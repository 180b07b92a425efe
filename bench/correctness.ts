/** Correctness first: the speed of a wrong result is worthless. */
import type { Engine } from "headwise";
import { scaledDotProductAttention as reference } from "headwise/reference";
import { inputsOf } from "./data.js";
import { type AttentionShape, optionsOf } from "./shapes.js";

/** Absolute, for values of about 1: far below any wrong result, above all rounding. */
export const TOLERANCE = 5e-6;

/** Largest error of a few rows before each quarter of the sequence, in all heads. */
export function largestError(engine: Engine, shape: AttentionShape): number {
  const { q, k, v } = inputsOf(shape);
  const { data } = engine.scaledDotProductAttention(q, k, v, optionsOf(shape));
  const rowLength = shape.numHeads * shape.headDim;
  const numRows = Math.max(1, Math.min(8, Math.floor(2 ** 18 / shape.seqLen / shape.numHeads)));
  let largest = 0;
  for (const quarter of [0.25, 0.5, 0.75, 1]) {
    const first = Math.max(0, Math.floor(shape.seqLen * quarter) - numRows);
    const rows = {
      data: q.data.subarray(first * rowLength, (first + numRows) * rowLength),
      dims: [1, numRows, shape.numHeads, shape.headDim],
    };
    const truth = reference(rows, k, v, { ...optionsOf(shape), queryOffset: first });
    for (const [index, value] of truth.data.entries())
      largest = Math.max(largest, Math.abs(data[first * rowLength + index]! - value));
  }
  return largest;
}

/** The same, but throws if it is too large. */
export function checkedError(engine: Engine, shape: AttentionShape): number {
  const error = largestError(engine, shape);
  if (error <= TOLERANCE) return error;
  throw new Error(`${engine.info.build} ${shape.name}: error ${error}, no speed is reported on a wrong result`);
}
