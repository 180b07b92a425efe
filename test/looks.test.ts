/** Looks at weights: what they are, to the bit, for the weights of the same call; parity with the reference; extremes; and places. */
import { describe, expect, test } from "vitest";
import type { AttentionOptions } from "headwise";
import { expectSameBits, parseShape, randomInputs, type Shape } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { expectLooksNear, expectLooksOf, lookPlaces, weightPlaces } from "./support/looks.js";
import { normal, randomMask } from "./support/random.js";

type Options = (shape: Shape, seed: number) => AttentionOptions;

const hiding = (dims: number[], seed: number) => {
  const bias = normal(dims, seed);
  for (let index = 0; index < bias.data.length; index += 3) bias.data[index] = -Infinity;
  return bias;
};

/** Shapes with odd sizes on purpose, and one block of keys or several; the numbers of keys are below, at and above those seen. */
const CASES: readonly [name: string, shape: string, count: number, options: Options][] = [
  ["one row, one key", "B1-S1-KV1-H1/1-D1", 1, () => ({})],
  ["more keys than there are", "B2-S5-KV7-H3/3-D5", 9, () => ({})],
  ["as many keys as there are", "B1-S9-KV20-H2/2-D12", 20, () => ({})],
  ["the largest alone", "B1-S9-KV530-H2/2-D12", 1, () => ({})],
  ["one block", "B2-S63-KV100-H6/2-D80", 8, () => ({})],
  ["two blocks and a tail", "B1-S17-KV1030-H2/1-D16", 5, () => ({})],
  ["more keys than eighths", "B1-S7-KV1100-H1/1-D8", 40, () => ({})],
  ["layouts", "B3-S4-KV13-H4/2-D7:9", 3, () => ({ layout: "bhsd" })],
  ["causal", "B2-S40-KV40-H4/2-D16", 8, () => ({ causal: true })],
  ["causal, rows without keys", "B1-S40-KV13-H2/2-D16", 4, () => ({ causal: true })],
  ["causal, several blocks", "B1-S600-KV600-H1/1-D8", 8, () => ({ causal: true })],
  ["window and sink tokens", "B1-S30-KV1100-H4/2-D16", 6, () => ({ window: 4, causal: true, sinkTokens: 3 })],
  ["softcap", "B1-S11-KV30-H2/2-D24", 4, () => ({ softcap: 2 })],
  ["scales", "B1-S11-KV30-H2/2-D24", 4, () => ({ scale: [0.2, 3] })],
  ["bias", "B2-S9-KV21-H4/2-D8", 5, ({ seqLen, kvLen }, seed) => ({ bias: hiding([seqLen, kvLen], seed) })],
  ["mask", "B2-S9-KV600-H4/2-D8", 5, ({ seqLen, kvLen }, seed) => ({ mask: randomMask([seqLen, kvLen], seed, 0.01) })],
  ["keyMask", "B2-S9-KV21-H4/2-D8", 5, ({ batchSize, kvLen }, seed) => ({ keyMask: randomMask([batchSize, kvLen], seed, 0.4) })],
  ["sinks", "B2-S9-KV21-H4/2-D8", 5, ({ numHeads }, seed) => ({ sinks: normal([numHeads], seed, 3), causal: true })],
  ["lengths", "B3-S9-KV21-H4/2-D8", 5, () => ({ queryLengths: [9, 4, 0], keyLengths: [21, 0, 13], causal: true })],
  ["keyStarts", "B3-S9-KV21-H4/2-D8", 5, () => ({ keyStarts: [0, 17, 21] })],
  ["packed", "B1-S20-KV24-H4/2-D8", 5, () => ({ cuSeqlensQ: [0, 7, 7, 19, 20], cuSeqlensK: [0, 9, 12, 12, 24], causal: true })],
];

onEveryEngine((_, engine) => {
  describe.each(CASES)("looks: %s", (_, name, count, optionsOf) => {
    const shape = parseShape(name);
    const seed = 11;
    const inputs = randomInputs(shape, seed, optionsOf(shape, seed).layout ?? "bshd");
    const { q, k, v } = inputs;
    const options = optionsOf(shape, seed);

    test("are what the weights of the call say, and change no bit of the output", () => {
      const [looks, weights] = [lookPlaces(shape, count), weightPlaces(shape)];
      const plain = engine.scaledDotProductAttention(q, k, v, options);
      const out = engine.scaledDotProductAttention(q, k, v, { ...options, ...looks, ...weights });
      expectSameBits(out.data, plain.data, "out");
      expectLooksOf(looks, weights);
    });

    test("are near the reference, and the same each alone", () => {
      const [looks, alone] = [lookPlaces(shape, count), lookPlaces(shape, count)];
      engine.scaledDotProductAttention(q, k, v, { ...options, ...looks });
      expectLooksNear(looks, inputs, shape, options);
      for (const [look, place] of Object.entries(alone)) engine.scaledDotProductAttention(q, k, v, { ...options, [look]: place });
      expectSameBits(alone.topKeys.indices.data, looks.topKeys.indices.data, "indices");
      expectSameBits(alone.topKeys.weights.data, looks.topKeys.weights.data, "largest weights");
      for (const look of ["entropy", "largestWeight", "keyWeights"] as const) {
        expectSameBits(alone[look].data, looks[look].data, look);
      }
    });
  });
});
