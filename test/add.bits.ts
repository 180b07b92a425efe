/** Sums of two tensors. */
import { type BitsCase, casesOf } from "./bits/case.js";

const add = casesOf("add", "Engine.add");

export default [
  add("equal sizes, rows, columns, numbers, axes in turn, float16", (engine, inputs) => ({
    usual: engine.add(inputs.numbers([3, 701]), inputs.numbers([3, 701])).data,
    any: engine.add(inputs.anyNumbers([1001]), inputs.anyNumbers([1001])).data,
    extreme: engine.add(inputs.extremes([203], 3), inputs.extremes([203], 3)).data,
    bias: engine.add(inputs.numbers([2, 9, 133]), inputs.numbers([133])).data,
    narrow: engine.add(inputs.numbers([7]), inputs.numbers([2, 301, 7])).data,
    columns: engine.add(inputs.numbers([9, 133]), inputs.numbers([9, 1])).data,
    number: engine.add(inputs.numbers([]), inputs.numbers([515])).data,
    outer: engine.add(inputs.numbers([5, 1, 3, 1]), inputs.numbers([4, 1, 7])).data,
    halves: engine.add(inputs.halves([5, 7]), inputs.halves([7])).data,
  })),
] satisfies readonly BitsCase[];
