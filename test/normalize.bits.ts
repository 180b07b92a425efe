/** Layer and RMS norm. */
import { type BitsCase, casesOf } from "./bits/case.js";

const layerNorm = casesOf("layerNorm", "Engine.layerNorm");
const rmsNorm = casesOf("rmsNorm", "Engine.rmsNorm");

export default [
  layerNorm("weight and bias, a mean far from 0, subnormal numbers", (engine, inputs) => {
    const options = { weight: inputs.numbers([133]), bias: inputs.numbers([133]) };
    const far = inputs.numbers([6, 133]);
    for (let index = 0; index < far.data.length; index++) far.data[index]! += 1e6;
    return {
      near: engine.layerNorm(inputs.numbers([9, 133]), options).data,
      far: engine.layerNorm(far, { eps: 0 }).data,
      tiny: engine.layerNorm(inputs.numbers([9, 133], 1e-39), { ...options, eps: 1e-45 }).data,
      extreme: engine.layerNorm(inputs.extremes([60, 5], 20)).data,
    };
  }),
  rmsNorm("weight, large numbers, subnormal numbers", (engine, inputs) => {
    const options = { weight: inputs.numbers([1029]) };
    return {
      usual: engine.rmsNorm(inputs.numbers([3, 1029]), options).data,
      large: engine.rmsNorm(inputs.numbers([3, 1029], 1e36), options).data,
      tiny: engine.rmsNorm(inputs.numbers([3, 1029], 1e-39), { eps: 1e-45 }).data,
      extreme: engine.rmsNorm(inputs.extremes([60, 5], 20)).data,
    };
  }),
] satisfies readonly BitsCase[];
