/** What works on elements and rows: activations, softmax, norms, and rotary embeddings. */
import { ACTIVATIONS } from "headwise";
import { type BitsCase, casesOf } from "../case.js";
import { place } from "../inputs.js";

const activate = casesOf("activate", "FullEngine.activate");
const softmax = casesOf("softmax", "FullEngine.softmax");
const layerNorm = casesOf("layerNorm", "FullEngine.layerNorm");
const rmsNorm = casesOf("rmsNorm", "FullEngine.rmsNorm");
const rotary = casesOf("rotary", "FullEngine.rotary");
const rotaryTables = casesOf("rotaryTables", "FullEngine.rotaryTables");

export const rowCases: readonly BitsCase[] = [
  ...ACTIVATIONS.map((kind) =>
    activate(`"${kind}"`, (engine, inputs) => ({
      usual: engine.activate(inputs.numbers([1030], 4), kind).data,
      steep: engine.activate(inputs.between(-110, 95, [515]), kind).data,
      any: engine.activate(inputs.anyNumbers([1001]), kind).data,
      extreme: engine.activate(inputs.extremes([203], 3), kind).data,
      gated: engine.activate(inputs.numbers([5, 7]), kind, { gate: inputs.numbers([5, 7]) }).data,
    })),
  ),

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
  softmax("zeros, subnormal numbers, infinities and NaN", (engine, inputs) => {
    const x = inputs.extremes([60, 13], 40);
    return { rows: engine.softmax(x).data, columns: engine.softmax(x, { axis: 0, log: true }).data };
  }),

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

  rotary("halves, an offset for each sequence", (engine, inputs) => ({
    out: engine.rotary(inputs.numbers([2, 30, 3, 22]), { offset: inputs.integers(2, 0, 5000) }).data,
  })),
  rotary("interleaved, some channels, another base, backwards, layout bhsd", (engine, inputs) => {
    const options = { interleaved: true, rotaryDim: 14, base: 500000, inverse: true, layout: "bhsd" } as const;
    return { out: engine.rotary(inputs.numbers([2, 3, 30, 22]), { ...options, positions: inputs.integers(60, 0, 100000) }).data };
  }),
  rotary("positions up to the last one", (engine, inputs) => ({
    out: engine.rotary(inputs.numbers([200, 16]), { positions: inputs.integers(200, 0, 2 ** 29 - 1) }).data,
  })),
  rotary("tables of its own", (engine, inputs) => {
    const tables = { cos: inputs.numbers([40, 8]), sin: inputs.numbers([40, 8]) };
    return { out: engine.rotary(inputs.numbers([1, 25, 2, 16]), { tables, offset: inputs.integer(0, 15) }).data };
  }),
  rotary(
    "tables that rotaryTables made",
    (engine, inputs) => {
      const tables = engine.rotaryTables({ length: 90, rotaryDim: 10 });
      const out = place(1, 30, 2, 10);
      return { out: engine.rotary(inputs.numbers(out.dims), { tables, offset: inputs.integer(0, 60), out }).data };
    },
    "FullEngine.rotaryTables",
  ),
  rotaryTables("1500 positions, any base", (engine, inputs) => {
    const { cos, sin } = engine.rotaryTables({ length: 1500, rotaryDim: 18, base: inputs.integer(2, 2 ** 20) + inputs.next() });
    return { cos: cos.data, sin: sin.data };
  }),
];
