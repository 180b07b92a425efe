/** The multi-head layer against its definition in float64, on every build and number of threads. */
import { describe, test } from "vitest";
import type { MultiHeadForwardOptions } from "headwise";
import type { ReferenceMultiHeadOptions } from "headwise/reference";
import { onEveryEngine } from "./support/engines.js";
import { checkLayer, type Extras, type LayerConfig, randomParameters, sizesOf } from "./support/layers.js";
import { normal, randomMask, uniform } from "./support/random.js";

interface Case {
  config: LayerConfig;
  x: number[];
  extras?: Extras;
  options?: MultiHeadForwardOptions & ReferenceMultiHeadOptions;
  /** Rows of keys and values, for cross-attention. */
  kvLen?: number;
}

const CASES: Record<string, Case> = {
  self: { config: { embedDim: 24, numHeads: 3 }, x: [2, 7, 24] },
  "one row": { config: { embedDim: 65, numHeads: 5 }, x: [1, 1, 65], extras: { biases: true } },
  "one sequence": { config: { embedDim: 9, numHeads: 1 }, x: [63, 9], extras: { biases: true }, options: { causal: true } },
  "causal, inOut, grouped": {
    config: { embedDim: 40, numHeads: 6, numKvHeads: 2, headDim: 7, weightLayout: "inOut" },
    x: [2, 65, 40],
    extras: { biases: true },
    options: { causal: true },
  },
  "different valueDim and outDim": {
    config: { embedDim: 8, numHeads: 2, headDim: 5, valueDim: 3, outDim: 11 },
    x: [3, 8, 8],
    options: { window: [3, 1], sinkTokens: 1 },
  },
  cross: { config: { embedDim: 16, numHeads: 2, kDim: 9, vDim: 7 }, x: [2, 5, 16], kvLen: 13, extras: { biases: true } },
  "cross, more rows than keys": {
    config: { embedDim: 16, numHeads: 2 },
    x: [2, 9, 16],
    kvLen: 1,
    options: { causal: "upper-left" },
  },
  "cross, as many": { config: { embedDim: 16, numHeads: 2 }, x: [2, 9, 16], kvLen: 9, options: { causal: true } },
  "cross, values of keys": { config: { embedDim: 16, numHeads: 4, kDim: 9, vDim: 9 }, x: [3, 16], kvLen: 64 },
  norms: { config: { embedDim: 24, numHeads: 3, qkNorm: true }, x: [2, 9, 24], extras: { norms: true } },
  "norms without parameters": { config: { embedDim: 30, numHeads: 3, qkNorm: { eps: 0.1 } }, x: [2, 9, 30] },
  rotary: { config: { embedDim: 24, numHeads: 3, rotary: {} }, x: [2, 9, 24], options: { causal: true } },
  "rotary of some channels, interleaved, after norms": {
    config: {
      embedDim: 40,
      numHeads: 4,
      numKvHeads: 2,
      rotary: { base: 500, rotaryStart: 3, rotaryDim: 6, interleaved: true },
      qkNorm: true,
    },
    x: [2, 33, 40],
    extras: { norms: true, biases: true },
  },
  "rotary by tables, with an offset": {
    config: { embedDim: 24, numHeads: 3, rotary: { tables: { cos: normal([20, 3], 91), sin: normal([20, 3], 92) } } },
    x: [2, 5, 24],
    options: { causal: true, queryOffset: [3, 15] },
  },
  "rotary of padded sequences": {
    config: { embedDim: 16, numHeads: 2, rotary: {} },
    x: [3, 9, 16],
    options: { causal: true, keyStarts: [4, 0, 2], keyLengths: [9, 7, 8], queryLengths: [5, 7, 6] },
  },
  "rotary of packed sequences, with an extra key": {
    config: { embedDim: 16, numHeads: 2, rotary: {}, addZeroAttention: true },
    x: [1, 20, 16],
    options: { cuSeqlensQ: [0, 3, 3, 20], causal: true },
  },
  gates: { config: { embedDim: 12, numHeads: 4, headGates: [1, 0, -2, 0.3] }, x: [2, 5, 12], extras: { biases: true } },
  "gates of the call": { config: { embedDim: 12, numHeads: 3 }, x: [2, 5, 12], options: { headGates: [0, 0, 2] } },
  "mask, bias, softcap, scale, sinks": {
    config: { embedDim: 12, numHeads: 3 },
    x: [2, 9, 12],
    options: {
      scale: 0.7,
      softcap: 3,
      mask: randomMask([3, 9, 9], 5, 0.7),
      bias: normal([2, 1, 9, 9], 6),
      sinks: normal([3], 7),
      causal: "upper-left",
    },
  },
  lengths: {
    config: { embedDim: 12, numHeads: 3 },
    x: [2, 9, 12],
    options: { queryLengths: [9, 2], keyLengths: [5, 9], causal: true },
  },
  packed: { config: { embedDim: 12, numHeads: 3 }, x: [1, 20, 12], options: { cuSeqlensQ: [0, 3, 3, 20], causal: true } },
  "an extra key": {
    config: { embedDim: 12, numHeads: 3 },
    x: [2, 9, 12],
    extras: { biasKv: true, biases: true },
    options: { causal: true },
  },
  "zero attention": {
    config: { embedDim: 12, numHeads: 3, addZeroAttention: true },
    x: [9, 12],
    options: { mask: randomMask([9, 9], 5, 0.5) },
  },
  "both, queries before all keys": {
    config: { embedDim: 12, numHeads: 4, numKvHeads: 2, addZeroAttention: true },
    x: [2, 9, 12],
    kvLen: 5,
    extras: { biasKv: true },
    options: { causal: true, sinks: normal([4], 7) },
  },
  "both, lengths, window and a mask of each head": {
    config: { embedDim: 12, numHeads: 3, addZeroAttention: true },
    x: [2, 9, 12],
    extras: { biasKv: true },
    options: {
      queryLengths: [9, 4],
      keyLengths: [8, 6],
      window: [2, 1],
      sinkTokens: 1,
      mask: randomMask([2, 3, 9, 9], 4, 0.7),
      softcap: 2,
    },
  },
  "both, a bias of each head": {
    config: { embedDim: 12, numHeads: 3, addZeroAttention: true },
    x: [2, 9, 12],
    extras: { biasKv: true },
    options: { bias: normal([3, 9, 9], 4), scale: 0.5 },
  },
  "both, where a block ends": {
    config: { embedDim: 6, numHeads: 2, addZeroAttention: true },
    ...{ x: [1, 3, 6], kvLen: 511, extras: { biasKv: true }, options: { causal: true, queryOffset: 20 } },
  },
  "both, blocks behind a window, sink tokens and rows before all keys": {
    config: { embedDim: 6, numHeads: 2, addZeroAttention: true },
    ...{ x: [2, 3, 6], kvLen: 1300, extras: { biasKv: true } },
    options: { causal: true, queryOffset: [700, -9], window: [5, 0], sinkTokens: 2 },
  },
  "both, keys that begin late, and a mask of the first ones": {
    config: { embedDim: 12, numHeads: 3, addZeroAttention: true },
    ...{ x: [2, 5, 12], kvLen: 21, extras: { biasKv: true } },
    options: { keyStarts: [3, 0], mask: randomMask([2, 1, 5, 10], 4, 0.7), bias: normal([5, 13], 5), shortMask: "hide" },
  },
  "both, packed": {
    config: { embedDim: 12, numHeads: 3, addZeroAttention: true },
    x: [1, 20, 12],
    extras: { biasKv: true },
    options: { cuSeqlensQ: [0, 3, 3, 20], causal: true },
  },
};

/** A random layer and call, with any sizes and options. */
function randomCase(seed: number): Case {
  const next = uniform(seed);
  const integer = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  const maybe = <T>(chance: number, value: () => T): T | undefined => (next() < chance ? value() : undefined);
  const [numKvHeads, headDim, embedDim] = [integer(1, 3), integer(2, 9), integer(1, 20)];
  const numHeads = numKvHeads * integer(1, 3);
  const [batch, seqLen] = [integer(1, 3), integer(1, 12)];
  const kvLen = maybe(0.4, () => integer(1, 14));
  const keys = kvLen ?? seqLen;
  const sizes = kvLen === undefined ? {} : { kDim: integer(1, 9), vDim: integer(1, 9) };
  const config: LayerConfig = {
    embedDim,
    numHeads,
    numKvHeads,
    headDim,
    valueDim: integer(1, 9),
    outDim: integer(1, 17),
    ...sizes,
    weightLayout: next() < 0.5 ? "inOut" : "outIn",
    qkNorm: maybe(0.3, () => ({ eps: 0.01 })),
    rotary: maybe(0.3, () => ({
      rotaryDim: 2 * integer(1, Math.floor(headDim / 2)),
      interleaved: next() < 0.5,
      base: 1 + 1000 * next(),
    })),
    headGates: maybe(0.3, () => Array.from({ length: numHeads }, () => (next() < 0.2 ? 0 : next() - 0.5))),
    addZeroAttention: next() < 0.3,
  };
  const lengths = maybe(config.rotary ? 0 : 0.3, () => ({
    keyLengths: Array.from({ length: batch }, () => integer(0, keys)),
    queryLengths: Array.from({ length: batch }, () => integer(0, seqLen)),
  }));
  const options: Case["options"] = {
    causal: maybe(0.5, () => (next() < 0.3 ? "upper-left" : true)),
    queryOffset: config.rotary && seqLen > keys ? integer(0, 3) : undefined,
    mask: maybe(0.3, () => randomMask([integer(0, 1) ? 1 : batch, integer(0, 1) ? 1 : numHeads, seqLen, keys], seed, 0.7)),
    bias: maybe(0.3, () => normal([integer(0, 1) ? 1 : numHeads, seqLen, keys], seed + 1)),
    window: maybe(0.3, () => [integer(0, 4), integer(0, 4)] as const),
    sinkTokens: maybe(0.3, () => integer(0, 3)),
    softcap: maybe(0.3, () => 2),
    sinks: maybe(0.3, () => normal([numHeads], seed + 2)),
    ...lengths,
  };
  const extras = { biases: next() < 0.5, biasKv: next() < 0.3, norms: config.qkNorm !== undefined && next() < 0.5 };
  return { config, x: [batch, seqLen, embedDim], extras, options, ...(kvLen !== undefined && { kvLen }) };
}

onEveryEngine((_, engine) => {
  describe("the layer is within twice the error of naive float32, plus 4 ulp", () => {
    const check = ({ config, x, extras, options = {}, kvLen }: Case, seed: number): void => {
      const { kDim, vDim } = sizesOf(config);
      const rows = (channels: number): number[] => [...x.slice(0, -2), kvLen!, channels];
      const source =
        kvLen === undefined ? {} : { key: normal(rows(kDim), 41), ...(vDim !== kDim && { value: normal(rows(vDim), 42) }) };
      checkLayer(engine, config, randomParameters(config, seed, extras), normal(x, 40), { ...options, ...source });
    };
    test.each(Object.entries(CASES))("%s › seed 3", (_name, each) => check(each, 3));
    test.each(Array.from({ length: 40 }, (_, index) => index + 1))("any layer › seed %d", (seed) =>
      check(randomCase(77 * seed), seed),
    );
  });
});
