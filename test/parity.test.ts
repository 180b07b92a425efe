/** Every option against the reference. The rule: at most twice the error of naive float32, plus 4 ulp of the largest number. */
import type { Given } from "../src/call/readOptions.js";
import { test } from "vitest";
import type { AttentionOptions } from "headwise";
import { onEveryEngine } from "./support/engines.js";
import { checkAgainstReference, parseShape, poison, randomInputs, type Shape } from "./support/attention.js";
import { normal, randomMask } from "./support/random.js";

type Options = (shape: Shape, seed: number) => Given<AttentionOptions>;

const bias = (dims: number[], seed: number) => {
  const tensor = normal(dims, seed);
  for (let index = 0; index < tensor.data.length; index += 7) tensor.data[index] = -Infinity;
  return tensor;
};

/** Shapes with odd sizes on purpose: tails of rows, keys, channels and columns, and one block or several. */
const CASES: Record<string, [shape: string, options: Options][]> = {
  plain: [
    ["B1-S1-KV1-H1/1-D1", () => ({})],
    ["B1-S1-KV9-H1/1-D1:1", () => ({})],
    ["B2-S5-KV7-H3/3-D5", () => ({})],
    ["B1-S13-KV8-H2/2-D8", () => ({})],
    ["B2-S63-KV100-H6/2-D80", () => ({})],
    ["B1-S17-KV1030-H2/1-D16", () => ({})],
    ["B1-S6-KV512-H1/1-D64", () => ({})],
    ["B1-S7-KV513-H1/1-D33:65", () => ({})],
    ["B3-S4-KV3-H4/1-D7:9", () => ({ layout: "bhsd" })],
    ["B1-S128-KV128-H2/2-D64", () => ({ layout: "bhsd" })],
  ],
  scale: [
    ["B1-S9-KV20-H2/2-D12", () => ({ scale: 0.37 })],
    ["B1-S9-KV20-H2/2-D12", () => ({ scale: 0 })],
    ["B1-S9-KV20-H2/2-D12", () => ({ scale: -2 })],
  ],
  softcap: [
    ["B1-S11-KV30-H2/2-D24", () => ({ softcap: 2 })],
    ["B1-S11-KV30-H2/2-D24", () => ({ softcap: 50, scale: 3, causal: true })],
    ["B1-S11-KV30-H2/2-D24", () => ({ softcap: 0.5, scoresStage: "capped" })],
    ["B1-S11-KV600-H2/1-D24", () => ({ softcap: 5, scoresStage: "scaled", causal: "upper-left" })],
  ],
  bias: [
    [
      "B2-S9-KV21-H4/2-D8",
      ({ batchSize, numHeads, seqLen, kvLen }, seed) => ({ bias: bias([batchSize, numHeads, seqLen, kvLen], seed) }),
    ],
    ["B2-S9-KV21-H4/2-D8", ({ numHeads, seqLen, kvLen }, seed) => ({ bias: bias([numHeads, seqLen, kvLen], seed) })],
    ["B2-S9-KV21-H4/2-D8", ({ kvLen }, seed) => ({ bias: bias([kvLen], seed), softcap: 3 })],
    ["B2-S9-KV21-H4/2-D8", ({ numHeads }, seed) => ({ bias: bias([numHeads, 1, 1], seed) })],
    ["B2-S9-KV21-H4/2-D8", ({ batchSize, seqLen }, seed) => ({ bias: bias([batchSize, 1, seqLen, 1], seed), layout: "bhsd" })],
    ["B1-S5-KV1100-H2/2-D8", ({ seqLen, kvLen }, seed) => ({ bias: bias([seqLen, kvLen], seed) })],
    ["B1-S5-KV40-H2/2-D8", ({ seqLen }, seed) => ({ bias: bias([seqLen, 13], seed), shortMask: "hide" })],
    ["B1-S5-KV40-H2/2-D8", (_, seed) => ({ bias: bias([], seed + 1) })],
  ],
  mask: [
    [
      "B2-S9-KV21-H4/2-D8",
      ({ batchSize, numHeads, seqLen, kvLen }, seed) => ({ mask: randomMask([batchSize, numHeads, seqLen, kvLen], seed, 0.4) }),
    ],
    ["B2-S9-KV21-H4/2-D8", ({ seqLen, kvLen }, seed) => ({ mask: randomMask([seqLen, kvLen], seed, 0.1) })],
    ["B2-S9-KV21-H4/2-D8", ({ batchSize, kvLen }, seed) => ({ mask: randomMask([batchSize, 1, 1, kvLen], seed, 0.5) })],
    ["B2-S9-KV21-H4/2-D8", ({ seqLen }, seed) => ({ mask: randomMask([seqLen, 1], seed, 0.5) })],
    ["B1-S8-KV1100-H2/2-D8", ({ seqLen, kvLen }, seed) => ({ mask: randomMask([seqLen, kvLen], seed, 0.02), causal: true })],
    ["B1-S5-KV40-H2/2-D8", ({ seqLen }, seed) => ({ mask: randomMask([seqLen, 13], seed, 0.5), shortMask: "hide" })],
    [
      "B1-S5-KV40-H2/2-D8",
      ({ seqLen }, seed) => ({ mask: randomMask([seqLen, 13], seed, 0.5), bias: bias([40], seed), shortMask: "hide" }),
    ],
  ],
  causal: [
    ["B1-S20-KV20-H2/2-D16", () => ({ causal: true })],
    ["B1-S13-KV40-H2/2-D16", () => ({ causal: "lower-right" })],
    ["B1-S13-KV40-H2/2-D16", () => ({ causal: "upper-left" })],
    ["B1-S40-KV13-H2/2-D16", () => ({ causal: true })],
    ["B1-S40-KV13-H2/2-D16", () => ({ causal: "upper-left" })],
    ["B1-S600-KV600-H1/1-D8", () => ({ causal: true })],
    ["B2-S13-KV40-H2/2-D16", () => ({ causal: true, queryOffset: 5 })],
    ["B2-S13-KV40-H6/2-D16", () => ({ causal: true, queryOffset: [-4, 31] })],
  ],
  window: [
    ["B1-S30-KV30-H2/2-D16", () => ({ window: 3 })],
    ["B1-S30-KV30-H2/2-D16", () => ({ window: 0 })],
    ["B1-S30-KV30-H2/2-D16", () => ({ window: [5, 2] })],
    ["B1-S30-KV30-H2/2-D16", () => ({ window: [-1, 2] })],
    ["B1-S30-KV30-H2/2-D16", () => ({ window: [5, undefined] })],
    ["B1-S30-KV70-H4/2-D16", () => ({ window: 4, causal: true })],
    ["B1-S30-KV70-H4/2-D16", () => ({ window: [4, 3], causal: true })],
    ["B1-S9-KV1500-H2/2-D16", () => ({ window: [600, 0] })],
    ["B1-S700-KV700-H1/1-D8", () => ({ window: 20, causal: true })],
    ["B1-S12-KV30-H2/2-D16", () => ({ window: 2, queryOffset: 100 })],
    ["B1-S12-KV30-H2/2-D16", () => ({ window: 2, queryOffset: -5 })],
  ],
  sinkTokens: [
    ["B1-S30-KV30-H2/2-D16", () => ({ window: 3, sinkTokens: 4 })],
    ["B1-S30-KV30-H2/2-D16", () => ({ window: 3, sinkTokens: 4, causal: true })],
    ["B1-S9-KV1800-H2/1-D16", () => ({ window: 10, sinkTokens: 5, causal: true })],
    ["B1-S700-KV700-H1/1-D8", () => ({ window: [20, 0], sinkTokens: 3 })],
    ["B1-S12-KV30-H2/2-D16", () => ({ window: 2, sinkTokens: 100, queryOffset: 60 })],
    ["B1-S9-KV1800-H2/1-D16", () => ({ window: 10, sinkTokens: 700, causal: "upper-left", queryOffset: 1500 })],
  ],
  lengths: [
    ["B3-S12-KV30-H2/2-D16", () => ({ keyLengths: [30, 0, 7] })],
    ["B3-S12-KV30-H2/2-D16", () => ({ keyLengths: Int32Array.of(30, 1, 7), causal: true })],
    ["B3-S12-KV30-H2/2-D16", () => ({ queryLengths: [0, 12, 5], keyLengths: [30, 29, 7], causal: true, window: 3 })],
    ["B3-S12-KV30-H2/2-D16", () => ({ queryLengths: [3, 12, 5], scoresStage: "scaled" })],
  ],
  "left padding": [
    ["B3-S12-KV30-H2/2-D16", () => ({ keyStarts: [0, 5, 30] })],
    ["B3-S12-KV30-H2/2-D16", () => ({ keyStarts: Int32Array.of(3, 29, 9), causal: true, scoresStage: "scaled" })],
    [
      "B3-S12-KV30-H2/2-D16",
      () => ({ keyStarts: [4, 9, 6], keyLengths: [30, 7, 20], causal: "upper-left", window: 4, sinkTokens: 2 }),
    ],
    [
      "B2-S20-KV1100-H4/2-D16",
      ({ seqLen, kvLen }, seed) => ({
        keyStarts: [3, 600],
        causal: true,
        queryOffset: [1050, 1080],
        mask: randomMask([seqLen, kvLen], seed, 0.5),
        bias: bias([kvLen - 20], seed),
        shortMask: "hide",
      }),
    ],
  ],
  packed: [
    ["B1-S30-KV30-H4/2-D16", () => ({ cuSeqlensQ: [0, 7, 7, 30], causal: true })],
    ["B1-S30-KV30-H2/2-D16", () => ({ cuSeqlensQ: [0, 30], scoresStage: "scaled" })],
    [
      "B1-S30-KV50-H4/2-D16",
      () => ({ cuSeqlensQ: [0, 7, 20, 30], cuSeqlensK: [0, 21, 21, 50], scoresStage: "capped", softcap: 2 }),
    ],
    [
      "B1-S30-KV50-H4/1-D16",
      () => ({ cuSeqlensQ: [0, 9, 20, 30], cuSeqlensK: [0, 3, 40, 50], causal: "upper-left", layout: "bhsd" }),
    ],
    ["B1-S640-KV640-H1/1-D8", () => ({ cuSeqlensQ: Int32Array.of(0, 530, 640), causal: true, window: 90, sinkTokens: 3 })],
    [
      "B1-S30-KV1050-H4/2-D16",
      ({ seqLen, kvLen, numHeads }, seed) => ({
        cuSeqlensQ: [0, 5, 30],
        cuSeqlensK: [0, 13, 1050],
        queryOffset: [2, 900],
        causal: true,
        mask: randomMask([seqLen, kvLen], seed, 0.5),
        bias: bias([numHeads, 1, kvLen - 20], seed),
        shortMask: "hide",
        sinks: normal([numHeads], seed),
      }),
    ],
  ],
  sinks: [
    ["B2-S9-KV21-H4/2-D8", (_, seed) => ({ sinks: normal([4], seed) })],
    ["B2-S9-KV21-H4/2-D8", (_, seed) => ({ sinks: normal([4], seed, 20), causal: "upper-left", softcap: 3 })],
    ["B2-S9-KV0-H4/2-D8", (_, seed) => ({ sinks: normal([4], seed) })],
    ["B1-S9-KV21-H2/2-D8", () => ({ sinks: { data: Float32Array.of(-Infinity, 1e4), dims: [2] } })],
  ],
  together: [
    [
      "B2-S37-KV540-H6/2-D20:28",
      ({ seqLen, kvLen, numHeads }, seed) => ({
        layout: "bhsd",
        scale: 0.3,
        softcap: 4,
        causal: true,
        window: [300, 0],
        sinkTokens: 2,
        keyLengths: [540, 530],
        queryLengths: [37, 30],
        mask: randomMask([seqLen, kvLen], seed, 0.7),
        bias: bias([numHeads, 1, kvLen], seed + 1),
        sinks: normal([numHeads], seed + 2),
      }),
    ],
  ],
};

onEveryEngine((_, engine) => {
  for (const [name, cases] of Object.entries(CASES)) {
    for (const [index, [shapeName, options]] of cases.entries()) {
      const seed = index + 7;
      test(`${name} › ${shapeName} › seed ${seed}`, () => {
        const shape = parseShape(shapeName);
        const callOptions = options(shape, seed);
        poison(engine);
        checkAgainstReference(engine, shape, randomInputs(shape, seed, callOptions.layout), callOptions);
      });
    }
  }
});
