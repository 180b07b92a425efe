/** Slopes of ALiBi, biases and keys by distance against the reference, by the rule of parity.test.ts. */
import { test } from "vitest";
import { alibiSlopes, type AttentionOptions } from "headwise";
import { checkAgainstReference, parseShape, poison, randomInputs, type Shape } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, randomMask, type TestTensor } from "./support/random.js";

type Options = (shape: Shape, seed: number) => AttentionOptions;

/** A table in which every 7th distance hides keys. */
function holes(dims: number[], seed: number): TestTensor {
  const table = normal(dims, seed);
  for (let index = 0; index < table.data.length; index += 7) table.data[index] = -Infinity;
  return table;
}

const slopes = (dims: number[], seed: number): TestTensor => normal(dims, seed, 0.2);

/** All that keys of distances take. */
const keysOf = ({ numHeads, headDim }: Shape, seed: number, distances: number, heads = numHeads) => ({
  relativeKeys: normal([distances, heads, headDim], seed),
  contentBias: normal([numHeads, headDim], seed + 1),
  positionBias: normal([numHeads, headDim], seed + 2),
});

const CASES: Record<string, [shape: string, options: Options][]> = {
  alibiSlopes: [
    ["B1-S1-KV1-H1/1-D1", (_, seed) => ({ alibiSlopes: slopes([1], seed) })],
    ["B2-S13-KV37-H3/3-D9:5", ({ numHeads }) => ({ alibiSlopes: alibiSlopes(numHeads), causal: true })],
    ["B3-S9-KV21-H4/2-D8", (_, seed) => ({ alibiSlopes: slopes([3, 4], seed), layout: "bhsd" })],
    ["B1-S70-KV1100-H2/1-D16", () => ({ alibiSlopes: alibiSlopes(2) })],
    ["B1-S9-KV1500-H2/2-D16", () => ({ alibiSlopes: alibiSlopes(2), window: [600, 0], sinkTokens: 3 })],
    ["B1-S12-KV30-H2/2-D16", (_, seed) => ({ alibiSlopes: slopes([2], seed), queryOffset: 100 })],
    ["B2-S12-KV30-H2/2-D16", (_, seed) => ({ alibiSlopes: slopes([2], seed), queryOffset: [-50, 3], softcap: 2 })],
  ],
  relativeBias: [
    ["B1-S7-KV13-H2/2-D5", (_, seed) => ({ relativeBias: normal([1, 1], seed) })],
    ["B1-S7-KV13-H2/2-D5", (_, seed) => ({ relativeBias: normal([2, 4], seed), relativeZero: 0 })],
    ["B1-S7-KV13-H2/2-D5", (_, seed) => ({ relativeBias: normal([2, 4], seed), relativeZero: 3 })],
    ["B1-S7-KV13-H2/2-D5", (_, seed) => ({ relativeBias: normal([2, 99], seed) })],
    ["B2-S33-KV65-H6/2-D8", (_, seed) => ({ relativeBias: normal([6, 41], seed), causal: true })],
    ["B2-S33-KV65-H6/1-D8", (_, seed) => ({ relativeBias: normal([1, 41], seed), causal: "upper-left" })],
    ["B1-S70-KV1100-H2/2-D16", (_, seed) => ({ relativeBias: normal([2, 301], seed) })],
    ["B1-S70-KV1100-H4/2-D8", (_, seed) => ({ relativeBias: normal([4, 3001], seed) })],
    ["B1-S560-KV560-H1/1-D4", (_, seed) => ({ relativeBias: normal([1, 900], seed), relativeZero: 700, causal: true })],
    ["B1-S70-KV1100-H2/1-D8", (_, seed) => ({ relativeBias: holes([2, 1600], seed), relativeZero: 1100 })],
    ["B1-S30-KV30-H2/2-D8", (_, seed) => ({ relativeBias: holes([2, 20], seed), relativeZero: 19, window: 9 })],
    ["B1-S30-KV1800-H2/1-D8", (_, seed) => ({ relativeBias: normal([2, 999], seed), window: [20, 4], sinkTokens: 5 })],
    ["B1-S12-KV30-H2/2-D16", (_, seed) => ({ relativeBias: normal([2, 61], seed), queryOffset: 45 })],
    ["B1-S12-KV30-H2/2-D16", (_, seed) => ({ relativeBias: normal([2, 61], seed), queryOffset: -45 })],
  ],
  relativeKeys: [
    ["B1-S1-KV1-H1/1-D1", (shape, seed) => keysOf(shape, seed, 1)],
    ["B1-S7-KV13-H2/2-D5", (shape, seed) => ({ ...keysOf(shape, seed, 4), relativeZero: 0 })],
    ["B1-S7-KV13-H2/2-D5", (shape, seed) => ({ ...keysOf(shape, seed, 4), relativeZero: 3 })],
    ["B1-S7-KV13-H2/2-D5", (_, seed) => ({ relativeKeys: normal([9, 1, 5], seed), positionBias: normal([2, 5], seed) })],
    ["B2-S33-KV65-H3/3-D7:9", (shape, seed) => ({ ...keysOf(shape, seed, 41, 1), causal: true, layout: "bhsd" })],
    ["B2-S33-KV65-H6/2-D8", (shape, seed) => ({ ...keysOf(shape, seed, 41), causal: true })],
    ["B2-S33-KV65-H6/2-D8", (shape, seed) => ({ ...keysOf(shape, seed, 99, 1), scale: [1, 0.2, 0.3, -1, 2, 0] })],
    ["B1-S70-KV1100-H2/2-D16", (shape, seed) => keysOf(shape, seed, 301)],
    ["B1-S70-KV1100-H4/2-D8", (shape, seed) => keysOf(shape, seed, 2401)],
    ["B1-S560-KV560-H1/1-D4", (shape, seed) => ({ ...keysOf(shape, seed, 570), relativeZero: 560, causal: true })],
    ["B1-S30-KV1800-H2/1-D8", (shape, seed) => ({ ...keysOf(shape, seed, 999), window: [20, 4], sinkTokens: 5 })],
    ["B1-S11-KV600-H2/1-D24", (shape, seed) => ({ ...keysOf(shape, seed, 77), softcap: 3, scoresStage: "scaled", causal: true })],
    ["B1-S11-KV600-H2/1-D24", (shape, seed) => ({ ...keysOf(shape, seed, 77), softcap: 3, scoresStage: "capped", causal: true })],
    ["B1-S12-KV30-H2/2-D16", (shape, seed) => ({ ...keysOf(shape, seed, 61), queryOffset: 45 })],
    ["B1-S12-KV30-H2/2-D16", (shape, seed) => ({ ...keysOf(shape, seed, 61), queryOffset: -45 })],
  ],
  "sequences of a call": [
    [
      "B3-S12-KV30-H2/2-D16",
      (shape, seed) => ({
        ...{ alibiSlopes: slopes([3, 2], seed), relativeBias: normal([2, 21], seed + 1), ...keysOf(shape, seed, 21) },
        ...{ keyStarts: [4, 9, 6], keyLengths: [30, 29, 20], queryLengths: [12, 0, 5], causal: true },
      }),
    ],
    [
      "B1-S640-KV640-H2/1-D8",
      (shape, seed) => ({
        ...{ alibiSlopes: slopes([2], seed), relativeBias: normal([2, 91], seed + 1), ...keysOf(shape, seed, 71, 1) },
        ...{ cuSeqlensQ: [0, 530, 530, 640], causal: true, window: 90, sinkTokens: 3 },
      }),
    ],
    [
      "B1-S30-KV1050-H4/2-D16",
      (shape, seed) => ({
        ...{ relativeBias: normal([4, 1001], seed), ...keysOf(shape, seed, 1001), relativeZero: 950, scoresStage: "scaled" },
        ...{ cuSeqlensQ: [0, 5, 30], cuSeqlensK: [0, 13, 1050], queryOffset: [2, 900] },
      }),
    ],
  ],
  together: [
    [
      "B2-S37-KV540-H6/2-D20:28",
      (shape, seed) => ({
        ...{ alibiSlopes: slopes([2, 6], seed), relativeBias: holes([6, 701], seed + 1), ...keysOf(shape, seed, 701) },
        ...{ layout: "bhsd", scale: 0.3, softcap: 4, causal: true, window: [300, 0], sinkTokens: 2, keyLengths: [540, 530] },
        mask: randomMask([37, 540], seed, 0.7),
        bias: holes([6, 1, 540], seed + 5),
        sinks: normal([6], seed + 6),
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
        checkAgainstReference(engine, shape, randomInputs(shape, seed, callOptions.layout ?? "bshd"), callOptions);
      });
    }
  }
});
