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
  rotaryTables("scaled frequencies of every type", (engine, inputs) => {
    const factor = 1 + 7 * inputs.next();
    const original = inputs.integer(500, 3000);
    const divisors = (): number[] => Array.from({ length: 9 }, () => 1 + 30 * inputs.next());
    const scalings = {
      linear: { type: "linear", factor },
      dynamic: { type: "dynamic", factor, maxPositionEmbeddings: original, length: 9999 },
      yarn: { type: "yarn", factor, originalMaxPositionEmbeddings: original },
      untruncated: { type: "yarn", factor, originalMaxPositionEmbeddings: original, truncate: false, mscale: 0.7, mscaleAllDim: 1 },
      llama3: { type: "llama3", factor, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: original },
      longrope: {
        ...{ type: "longrope", factor, originalMaxPositionEmbeddings: original },
        ...{ shortFactor: divisors(), longFactor: divisors() },
      },
    } as const;
    const tables = Object.entries(scalings).map(([name, scaling]) => {
      const { cos, sin } = engine.rotaryTables({ length: 600, rotaryDim: 18, scaling });
      return [name, Float32Array.of(...cos.data, ...sin.data)] as const;
    });
    return Object.fromEntries(tables);
  }),
  rotary("scaled, with a factor on cosines and sines", (engine, inputs) => {
    const scaling = { type: "yarn", factor: 4, originalMaxPositionEmbeddings: 1024 } as const;
    return { out: engine.rotary(inputs.numbers([1, 9, 3, 22]), { scaling, offset: inputs.integer(0, 5000) }).data };
  }),
] satisfies readonly BitsCase[];
