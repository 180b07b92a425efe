/** Scaled dot-product attention. */
import { inputsOf } from "../../../build/tools/bench/data.js";
import { DECODE_ROWS, flopsOf, FORWARD, LONG, SMALL_CALLS } from "../../../build/tools/bench/shapes.js";
import { scaledDotProductAttention as reference } from "../../../dist/reference/index.js";
import { rowsBeforeQuarters } from "../truth.mjs";

const BLOCK_ROWS = 8;

export const attention = {
  name: "attention",
  shapes: [...SMALL_CALLS, ...FORWARD, ...LONG, ...DECODE_ROWS],
  ioOf: (shape) => (SMALL_CALLS.some(({ name }) => name === shape.name) ? "copy" : "resident"),
  inputsOf,
  constantsOf: () => ({}),
  outDimsOf: ({ seqLen, numHeads, headDim }) => [1, seqLen, numHeads, headDim],
  workOf: flopsOf,
  rate: "gigaflops",
  toleranceOf: () => 5e-6, // for values of about 1: far below any wrong result, above every rounding
  truthOf({ seqLen, numHeads, headDim, causal }, { q, k, v }) {
    const rowLength = numHeads * headDim;
    return rowsBeforeQuarters(seqLen, BLOCK_ROWS).map(({ first, end }) => {
      const rows = { data: q.data.subarray(first * rowLength, end * rowLength), dims: [1, end - first, numHeads, headDim] };
      return { start: first * rowLength, values: reference(rows, k, v, { causal, queryOffset: first }).data };
    });
  },
};
