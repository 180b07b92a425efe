/** Softmax over the last axis: as many rows as 12 heads of 512 queries have. */
import { normal } from "../../../build/tools/bench/data.js";
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
      const values = new Float64Array((end - first) * columns);
      for (let i = first; i < end; i++) {
        const powers = Float64Array.from(x.data.subarray(i * columns, (i + 1) * columns), Math.exp);
        const sum = powers.reduce((total, power) => total + power, 0);
        values.set(
          powers.map((power) => power / sum),
          (i - first) * columns,
        );
      }
      return { start: first * columns, values };
    }),
};
