/** Softmax along an axis. */
import { type BitsCase, casesOf } from "./bits/case.js";

const softmax = casesOf("softmax", "Engine.softmax");

export default [
  softmax("the last axis, of 1 to 19 and of 1100 elements", (engine, inputs) => {
    const widths = Array.from({ length: 19 }, (_, index) => index + 1).slice(1); // one element is always 1
    const short = widths.map((width) => engine.softmax(inputs.numbers([3, width], 3)).data);
    return {
      short: Float32Array.from(short.flatMap((row) => [...row])),
      long: engine.softmax(inputs.numbers([5, 1100], 3)).data,
      log: engine.softmax(inputs.numbers([5, 1100], 3), { log: true }).data,
    };
  }),
  softmax("other axes", (engine, inputs) => {
    const x = inputs.numbers([9, 21, 140], 3);
    return {
      first: engine.softmax(x, { axis: 0 }).data,
      middle: engine.softmax(x, { axis: 1, scale: 2.5 }).data,
      log: engine.softmax(x, { axis: -2, log: true }).data,
    };
  }),
  softmax("mask and bias, steep", (engine, inputs) => {
    const x = inputs.numbers([4, 6, 50], 30);
    const [mask, bias] = [inputs.mask([6, 50], 0.6), inputs.extremes([4, 1, 50], 20)];
    return { rows: engine.softmax(x, { mask, bias }).data, columns: engine.softmax(x, { axis: 1, mask, log: true }).data };
  }),
  softmax("a mask and a bias that are short", (engine, inputs) => {
    const [mask, bias] = [inputs.mask([6, 37], 0.6), inputs.numbers([41])];
    return { rows: engine.softmax(inputs.numbers([4, 6, 50], 3), { mask, bias, shortMask: "hide" }).data };
  }),
  softmax("zeros, subnormal numbers, infinities and NaN", (engine, inputs) => {
    const x = inputs.extremes([60, 13], 40);
    return { rows: engine.softmax(x).data, columns: engine.softmax(x, { axis: 0, log: true }).data };
  }),
] satisfies readonly BitsCase[];
