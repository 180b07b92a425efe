/** Positions in scores: slopes, biases and keys by distance. */
import type { AttentionOptions } from "headwise";
import { type BitsCase, casesOf, type Outputs } from "./bits/case.js";
import { type Inputs, place } from "./bits/inputs.js";

const positions = casesOf("positions", "Engine.scaledDotProductAttention");
const onCache = casesOf("positions", "Engine.createKVCache", "KVCache.append", "KVCache.attend");

/** One call of 4 heads, which share 2 heads of keys of 24 channels, over more than a block. */
const call = (name: string, rows: number, keys: number, optionsOf: (inputs: Inputs) => AttentionOptions): BitsCase =>
  positions(name, (engine, inputs): Outputs => {
    const [q, k, v] = [inputs.numbers([1, rows, 4, 24]), inputs.numbers([1, keys, 2, 24]), inputs.numbers([1, keys, 2, 24])];
    const logSumExp = place(1, 4, rows);
    const { data: out } = engine.scaledDotProductAttention(q, k, v, { ...optionsOf(inputs), logSumExp });
    return { out, logSumExp: logSumExp.data };
  });

const keysOf = (inputs: Inputs, distances: number, heads: number) => ({
  relativeKeys: inputs.numbers([distances, heads, 24]),
  contentBias: inputs.numbers([4, 24]),
  positionBias: inputs.numbers([4, 24]),
});

export default [
  call("slopes, causal", 70, 1100, (inputs) => ({ alibiSlopes: inputs.numbers([1, 4]), causal: true })),
  call("a table for each head", 70, 1100, (inputs) => ({
    relativeBias: inputs.numbers([4, inputs.integer(300, 400)]),
    relativeZero: 200,
  })),
  call("one table, longer than the keys, softcap and sink tokens", 37, 600, (inputs) => ({
    ...{ relativeBias: inputs.numbers([1, 1401]), softcap: 6, window: [90, 0], sinkTokens: 5 },
  })),
  call("keys of distances for each head", 37, 1100, (inputs) => ({ ...keysOf(inputs, 801, 4), causal: true })),
  call("keys of distances for all heads, packed sequences", 90, 90, (inputs) => ({
    ...{ ...keysOf(inputs, 31, 1), cuSeqlensQ: [0, inputs.integer(1, 40), 90], causal: true },
  })),
  ...(["float32", "int8"] as const).map((dtype) =>
    onCache(`${dtype}, one row of a cache whose keys threads share`, (engine, inputs): Outputs => {
      const cache = engine.createKVCache({ numKvHeads: 1, headDim: 24, capacity: 1300, dtype });
      cache.append(inputs.numbers([1, 1290, 1, 24]), inputs.numbers([1, 1290, 1, 24]));
      const options = { ...keysOf(inputs, 101, 4), relativeBias: inputs.numbers([4, 1500]), relativeZero: 90 };
      const token = cache.attend(inputs.numbers([1, 1, 4, 24]), { ...options, alibiSlopes: inputs.numbers([4]) }).data;
      cache.dispose();
      return { token };
    }),
  ),
] satisfies readonly BitsCase[];
