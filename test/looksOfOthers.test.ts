/** Looks at the weights of other scores, and of attention to some of the keys: they are what the weights say. */
import { describe, expect, test } from "vitest";
import type { AttentionOptions, Engine } from "headwise";
import { localAttention as localReference } from "headwise/reference";
import { parseShape, randomInputs } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { expectLooksOf, lookPlaces, weightPlaces } from "./support/looks.js";
import { normal } from "./support/random.js";

const shape = parseShape("B2-S9-KV600-H4/2-D12");
const { q, k, v } = randomInputs(shape, 5);
const centers = {
  data: Float32Array.from({ length: 2 * 4 * 9 }, (_, row) => (row * 83.625) % 600),
  dims: [2, 4, 9],
};

const CALLS: Record<string, (engine: Engine, options: AttentionOptions) => unknown> = {
  additiveAttention: (engine, options) =>
    engine.additiveAttention(q, k, v, { query: normal([7, 12], 1), key: normal([7, 12], 2), score: normal([7], 3) }, options),
  bilinearAttention: (engine, options) => engine.bilinearAttention(q, k, v, { weight: normal([12, 12], 4, 0.3) }, options),
  cosineAttention: (engine, options) => engine.cosineAttention(q, k, v, { ...options, scale: 3 }),
  topKAttention: (engine, options) => engine.topKAttention(q, k, v, { count: 9 }, options),
  "localAttention around positions": (engine, options) => engine.localAttention(q, k, v, { halfWidth: 30 }, options),
  "localAttention, renormalized": (engine, options) =>
    engine.localAttention(q, k, v, { halfWidth: 30, centers, renormalize: true }, options),
};

onEveryEngine((build, engine) => {
  describe.each(Object.entries(CALLS))("%s", (_, attend) => {
    test.each([false, true])(`${build} › looks equal what the weights say, causal: %s`, (causal) => {
      const [looks, weights] = [lookPlaces(shape, 3), weightPlaces(shape)];
      attend(engine, { causal, ...looks, ...weights });
      expectLooksOf(looks, weights);
    });
  });

  test(`${build} › hardAttention: all looks see one key`, () => {
    const [looks, weights] = [lookPlaces(shape, 1), weightPlaces(shape)];
    const picks = { data: new Float32Array(2 * 4 * 9), dims: [2, 4, 9] };
    engine.hardAttention(q, k, v, { picks }, { ...looks, ...weights });
    expectLooksOf(looks, weights);
    expect(looks.topKeys.indices.data).toEqual(picks.data);
    expect(looks.largestWeight.data).toEqual(new Float32Array(picks.data.length).fill(1));
  });

  test(`${build} › localAttention with a Gaussian: looks are those of the weights times the Gaussian`, () => {
    const [{ topKeys, keyWeights, entropy, largestWeight }, weights] = [lookPlaces(shape, 3), weightPlaces(shape)];
    engine.localAttention(q, k, v, { halfWidth: 30, centers }, { topKeys, keyWeights, ...weights });
    const truth = { data: new Float64Array(2 * 4 * 600), dims: [2, 4, 600] };
    localReference(q, k, v, { halfWidth: 30, centers }, { keyWeights: truth });
    for (const [key, sum] of truth.data.entries()) expect(keyWeights.data[key]).toBeCloseTo(sum, 5);
    // These two are refused here; the others are held to the weights as everywhere.
    for (let row = 0; row < entropy.data.length; row++) {
      const own = weights.weights.data.subarray(row * 600, (row + 1) * 600);
      largestWeight.data[row] = Math.max(...own);
      entropy.data[row] = own.reduce((sum, weight) => sum - (weight === 0 ? 0 : weight * Math.log(weight)), 0);
    }
    expectLooksOf({ topKeys, keyWeights, entropy, largestWeight }, weights);
    for (const refused of [{ entropy }, { largestWeight }]) {
      expect(() => engine.localAttention(q, k, v, { halfWidth: 30, centers }, refused)).toThrow("sum to 1");
    }
  });
});
