/** Matrix products. */
import { ACTIVATIONS } from "headwise";
import { type BitsCase, casesOf } from "./bits/case.js";

const matmul = casesOf("matmul", "Engine.matmul");

export default [
  matmul("more than two blocks of depth, bias", (engine, inputs) => {
    const [a, b] = [inputs.numbers([37, 1100]), inputs.numbers([1100, 67])];
    return { out: engine.matmul(a, b, { bias: inputs.numbers([67]) }).data };
  }),
  matmul("one row", (engine, inputs) => ({ out: engine.matmul(inputs.numbers([1, 513]), inputs.numbers([513, 130])).data })),
  matmul("one column, and one element", (engine, inputs) => ({
    column: engine.matmul(inputs.numbers([21, 33]), inputs.numbers([33, 1])).data,
    element: engine.matmul(inputs.numbers([1, 700]), inputs.numbers([700, 1])).data,
  })),
  matmul("vectors on either side", (engine, inputs) => ({
    left: engine.matmul(inputs.numbers([513]), inputs.numbers([2, 513, 18])).data,
    right: engine.matmul(inputs.numbers([2, 18, 513]), inputs.numbers([513])).data,
    both: engine.matmul(inputs.numbers([700]), inputs.numbers([700])).data,
  })),
  matmul("both transposed, added to what there is", (engine, inputs) => {
    const [a, b, out] = [inputs.numbers([70, 29]), inputs.numbers([45, 70]), inputs.numbers([29, 45])];
    return { out: engine.matmul(a, b, { transposeA: true, transposeB: true, accumulate: true, out }).data };
  }),
  matmul("leading axes that broadcast", (engine, inputs) => ({
    out: engine.matmul(inputs.numbers([3, 1, 10, 17]), inputs.numbers([2, 17, 9])).data,
  })),
  ...ACTIVATIONS.map((activation) =>
    matmul(`activation "${activation}"`, (engine, inputs) => ({
      out: engine.matmul(inputs.numbers([11, 20]), inputs.numbers([20, 18]), { activation }).data,
    })),
  ),
  matmul("zeros, subnormal numbers, infinities and NaN", (engine, inputs) => ({
    out: engine.matmul(inputs.extremes([40, 12], 40), inputs.extremes([12, 40], 40)).data,
  })),
  matmul(
    "packed matrices as they lie and transposed",
    (engine, inputs) => {
      const a = inputs.numbers([19, 530]);
      const [inOut, outIn] = [engine.packMatrix(inputs.numbers([530, 35])), engine.packMatrix(inputs.numbers([35, 530]), "outIn")];
      const outputs = { inOut: engine.matmul(a, inOut).data, outIn: engine.matmul(a, outIn).data };
      inOut.dispose();
      outIn.dispose();
      return outputs;
    },
    "Engine.packMatrix",
  ),
  matmul("float16", (engine, inputs) => ({ out: engine.matmul(inputs.halves([9, 31]), inputs.halves([31, 14])).data })),
] satisfies readonly BitsCase[];
