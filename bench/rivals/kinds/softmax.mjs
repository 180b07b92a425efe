/** Softmax over the last axis: the rows of 12 heads with 512 queries each. */
import { normal } from "../../../build/tools/bench/data.js";
import { softmax as reference } from "../../../dist/reference/index.js";
import { rowsBeforeQuarters } from "../truth.mjs";

const BLOCK_ROWS = 8;

export const softmax = {
  name: "softmax",
  shapes: [{ name: "softmax 6144×512", rows: 6144, columns: 512 }],
  ioOf: () => "resident",
  inputsOf: ({ rows, columns }) => ({ x: normal([rows, columns], 1) }),
  constantsOf: () => ({}),
  outDimsOf: ({ rows, columns }) => [rows, columns],
  workOf: ({ rows, columns }) => rows * columns,
  rate: "gigaelements",
  toleranceOf: () => 2e-7, // for weights of about 1/512, the largest of them 0.1
  truthOf: ({ rows, columns }, { x }) =>
    rowsBeforeQuarters(rows, BLOCK_ROWS).map(({ first, end }) => {
      const block = { data: x.data.subarray(first * columns, end * columns), dims: [end - first, columns] };
      return { start: first * columns, values: reference(block).data };
    }),
};
