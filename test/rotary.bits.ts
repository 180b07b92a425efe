/** Rotary embeddings and their tables. */
import { type BitsCase, casesOf } from "./bits/case.js";
import { place } from "./bits/inputs.js";

const rotary = casesOf("rotary", "Engine.rotary");
const rotaryTables = casesOf("rotaryTables", "Engine.rotaryTables");

export default [
  rotary("halves, an offset for each sequence", (engine, inputs) => ({
    out: engine.rotary(inputs.numbers([2, 30, 3, 22]), { offset: inputs.integers(2, 0, 5000) }).data,
  })),
  rotary("interleaved, some channels, another base, backwards, layout bhsd", (engine, inputs) => {
    const options = { interleaved: true, rotaryDim: 14, base: 500000, inverse: true, layout: "bhsd" } as const;
    return { out: engine.rotary(inputs.numbers([2, 3, 30, 22]), { ...options, positions: inputs.integers(60, 0, 100000) }).data };
  }),
  rotary("the last channels of each head", (engine, inputs) => ({
    halves: engine.rotary(inputs.numbers([1, 9, 3, 22]), { rotaryStart: 12, offset: inputs.integer(0, 5000) }).data,
    interleaved: engine.rotary(inputs.numbers([1, 9, 3, 22]), { rotaryStart: 5, rotaryDim: 14, interleaved: true }).data,
  })),
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
    "Engine.rotaryTables",
  ),
  rotaryTables("1500 positions, any base", (engine, inputs) => {
    const { cos, sin } = engine.rotaryTables({ length: 1500, rotaryDim: 18, base: inputs.integer(2, 2 ** 20) + inputs.next() });
    return { cos: cos.data, sin: sin.data };
  }),
] satisfies readonly BitsCase[];
