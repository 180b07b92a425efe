/** Looks at weights. */
import type { AttentionOptions } from "headwise";
import { type BitsCase, casesOf, type Outputs } from "./bits/case.js";
import { place } from "./bits/inputs.js";

const looks = casesOf("looks", "Engine.scaledDotProductAttention");

/** Places for all looks at rows with these sizes in front, and their arrays. */
function placesFor(rows: number[], keys: number[], count: number): [Omit<AttentionOptions, "causal">, Outputs] {
  const topKeys = { indices: place(...rows, count), weights: place(...rows, count) };
  const rest = { entropy: place(...rows), largestWeight: place(...rows), keyWeights: place(...keys) };
  const { entropy, largestWeight, keyWeights } = rest;
  const outputs = {
    ...{ indices: topKeys.indices.data, topWeights: topKeys.weights.data },
    ...{ entropy: entropy.data, largestWeight: largestWeight.data, keyWeights: keyWeights.data },
  };
  return [{ topKeys, ...rest }, outputs];
}

export default [
  looks("grouped heads, several blocks of keys, causal, sinks", (engine, inputs) => {
    const [q, k, v] = [inputs.numbers([2, 37, 6, 20]), inputs.numbers([2, 1100, 2, 20]), inputs.numbers([2, 1100, 2, 12])];
    const [places, outputs] = placesFor([2, 6, 37], [2, 6, 1100], 8);
    const out = engine.scaledDotProductAttention(q, k, v, { causal: true, sinks: inputs.numbers([6], 3), ...places }).data;
    return { out, ...outputs };
  }),
  looks("more keys than rows see, NaN and infinities, a part of the weights", (engine, inputs) => {
    const [q, k, v] = [inputs.extremes([1, 40, 3, 6], 150), inputs.extremes([1, 30, 3, 6], 150), inputs.numbers([1, 30, 3, 6])];
    const [places, outputs] = placesFor([1, 3, 40], [1, 3, 30], 20);
    const weights = place(1, 2, 11, 30);
    const weightsRange = { heads: [1, 3], rows: [20, 31] } as const;
    engine.scaledDotProductAttention(q, k, v, { mask: inputs.mask([3, 40, 30], 0.5), ...places, weights, weightsRange });
    return { ...outputs, weights: weights.data };
  }),
  casesOf(
    "looks",
    "Engine.createKVCache",
    "KVCache.append",
    "KVCache.attend",
  )("a cache of int8", (engine, inputs) => {
    const cache = engine.createKVCache({ numKvHeads: 2, headDim: 16, capacity: 600, dtype: "int8", window: 300, sinkTokens: 4 });
    cache.append(inputs.numbers([1, 600, 2, 16]), inputs.numbers([1, 600, 2, 16]));
    const [places, outputs] = placesFor([1, 4, 9], [1, 4, 600], 5);
    cache.attend(inputs.numbers([1, 9, 4, 16]), places);
    cache.dispose();
    return outputs;
  }),
] satisfies readonly BitsCase[];
