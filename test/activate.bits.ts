/** Activation functions. */
import { ACTIVATIONS } from "headwise";
import { type BitsCase, casesOf } from "./bits/case.js";

const activate = casesOf("activate", "Engine.activate");

export default [
  ...ACTIVATIONS.map((kind) =>
    activate(`"${kind}"`, (engine, inputs) => ({
      usual: engine.activate(inputs.numbers([1030], 4), kind).data,
      steep: engine.activate(inputs.between(-110, 95, [515]), kind).data,
      any: engine.activate(inputs.anyNumbers([1001]), kind).data,
      extreme: engine.activate(inputs.extremes([203], 3), kind).data,
      gated: engine.activate(inputs.numbers([5, 7]), kind, { gate: inputs.numbers([5, 7]) }).data,
    })),
  ),
] satisfies readonly BitsCase[];
