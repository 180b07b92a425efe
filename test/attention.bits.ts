/** Attention on keys passed to the call, and merging of results. */
import type { AttentionOptions, Float32Tensor } from "headwise";
import { type BitsCase, casesOf, type Outputs } from "./bits/case.js";
import { type Inputs, place } from "./bits/inputs.js";

interface Sizes {
  batchSize?: number;
  seqLen: number;
  kvLen: number;
  numHeads?: number;
  numKvHeads?: number;
  headDim: number;
  valueDim?: number;
}

const attention = casesOf("attention", "Engine.scaledDotProductAttention");

/** One call on normally distributed q, k and v, with the options that `optionsOf` draws. */
const call = (name: string, sizes: Sizes, optionsOf: (inputs: Inputs) => AttentionOptions = () => ({})): BitsCase =>
  attention(name, (engine, inputs): Outputs => {
    const { batchSize = 1, seqLen, kvLen, numHeads = 1, numKvHeads = numHeads, headDim, valueDim = headDim } = sizes;
    const { layout = "bshd", ...options } = optionsOf(inputs);
    const tensor = (rows: number, heads: number, channels: number) =>
      inputs.numbers(layout === "bshd" ? [batchSize, rows, heads, channels] : [batchSize, heads, rows, channels]);
    const q = tensor(seqLen, numHeads, headDim);
    const k = tensor(kvLen, numKvHeads, headDim);
    const v = tensor(kvLen, numKvHeads, valueDim);
    const logSumExp = place(batchSize, numHeads, seqLen);
    const out = engine.scaledDotProductAttention(q, k, v, { ...options, layout, logSumExp }).data;
    return {
      out,
      logSumExp: logSumExp.data,
      ...(options.weights && { weights: (options.weights as Float32Tensor).data }),
      ...(options.scores && { scores: (options.scores as Float32Tensor).data }),
    };
  });

/** Keys of a block, and more. */
const BLOCKS = 1100;
const NEGATIVE = -Infinity;

export default [
  call("every key, grouped heads, a value size of its own", {
    batchSize: 2,
    seqLen: 37,
    kvLen: 70,
    numHeads: 6,
    numKvHeads: 2,
    headDim: 40,
    valueDim: 24,
  }),
  call("every key, more than two blocks of them", { seqLen: 33, kvLen: BLOCKS, numHeads: 2, headDim: 64 }),
  call("one row on many keys", { seqLen: 1, kvLen: BLOCKS, numHeads: 5, headDim: 64 }),
  call("causal, more than two blocks of keys", { seqLen: 200, kvLen: BLOCKS, numHeads: 2, headDim: 32 }, () => ({ causal: true })),
  ...[1, 3, 7, 16, 65, 128, 257].map((headDim) =>
    call(`headDim ${headDim}, as many as valueDim but for one`, { seqLen: 13, kvLen: 19, headDim, valueDim: headDim + 1 }),
  ),
  call(
    "layout bhsd, upper-left, window, sink tokens, weights",
    { batchSize: 2, seqLen: 50, kvLen: 66, numHeads: 2, headDim: 8 },
    () => ({
      layout: "bhsd",
      causal: "upper-left",
      window: [9, 0],
      sinkTokens: 3,
      weights: place(2, 2, 50, 66),
    }),
  ),
  call(
    "window on both sides, positions by queryOffset, scores scaled",
    { batchSize: 2, seqLen: 20, kvLen: 600, headDim: 16 },
    (inputs) => ({
      window: [200, 40],
      queryOffset: inputs.integers(2, 100, 500),
      scores: place(2, 1, 20, 600),
      scoresStage: "scaled",
    }),
  ),
  call(
    "mask, bias with −∞ in it, softcap, scores biased",
    { batchSize: 2, seqLen: 21, kvLen: 75, numHeads: 3, headDim: 20 },
    (inputs) => {
      const bias = inputs.numbers([2, 1, 21, 75]);
      for (let index = 0; index < bias.data.length; index++) if (inputs.integer(1, 9) === 1) bias.data[index] = NEGATIVE;
      return { mask: inputs.mask([3, 21, 75], 0.7), bias, softcap: 5, scores: place(2, 3, 21, 75) };
    },
  ),
  call("a mask over more than a block, scores capped", { seqLen: 9, kvLen: 700, numHeads: 2, headDim: 24 }, (inputs) => ({
    mask: inputs.mask([700], 0.5),
    softcap: 20,
    scores: place(1, 2, 9, 700),
    scoresStage: "capped",
  })),
  call(
    "lengths of queries and keys, padding on the left, causal",
    { batchSize: 3, seqLen: 30, kvLen: 45, numHeads: 2, headDim: 12 },
    (inputs) => ({
      causal: true,
      queryLengths: inputs.integers(3, 10, 30),
      keyLengths: inputs.integers(3, 31, 45),
      keyStarts: inputs.integers(3, 0, 5),
    }),
  ),
  call("packed sequences", { seqLen: 100, kvLen: 160, numHeads: 4, numKvHeads: 1, headDim: 16 }, (inputs) => ({
    causal: true,
    cuSeqlensQ: [0, inputs.integer(1, 40), inputs.integer(41, 99), 100],
    cuSeqlensK: [0, inputs.integer(1, 80), inputs.integer(81, 159), 160],
  })),
  call("sinks and a scale that makes the softmax steep", { seqLen: 30, kvLen: 90, numHeads: 3, headDim: 32 }, (inputs) => ({
    sinks: inputs.numbers([3], 4),
    scale: 30,
    weights: place(1, 3, 30, 90),
  })),
  call(
    "a mask from a key on in another block, a padding mask, a scale for each head",
    { batchSize: 2, seqLen: 14, kvLen: 550, numHeads: 4, numKvHeads: 2, headDim: 20 },
    (inputs) => ({
      mask: inputs.mask([2, 1, 14, 30], 0.6),
      maskStart: [inputs.integer(520, 525), 520],
      keyMask: inputs.mask([2, 550], 0.8),
      scale: inputs.numbers([4]).data,
      weights: place(2, 4, 14, 550),
    }),
  ),
  call("a mask and a bias that are short, and hide the rest", { seqLen: 9, kvLen: 60, numHeads: 2, headDim: 8 }, (inputs) => ({
    mask: inputs.mask([9, 33], 0.6),
    bias: inputs.numbers([41]),
    shortMask: "hide",
    scores: place(1, 2, 9, 60),
  })),
  attention("float16, rank 2", (engine, inputs) => {
    const [q, k, v] = [inputs.halves([25, 48]), inputs.halves([85, 48]), inputs.halves([85, 32])];
    return { out: engine.scaledDotProductAttention(q, k, v).data };
  }),
  attention("the engine's tensors, the result in place of q", (engine, inputs) => {
    const [q, k, v] = [engine.tensor([1, 40, 2, 36]), engine.tensor([1, 64, 2, 36]), engine.tensor([1, 64, 2, 36])];
    for (const tensor of [q, k, v]) tensor.data.set(inputs.numbers(tensor.dims).data);
    const out = engine.scaledDotProductAttention(q, k, v, { out: q }).data.slice();
    for (const tensor of [q, k, v]) tensor.dispose();
    return { out };
  }),
  attention("zeros, subnormal numbers, infinities and NaN in q, k and v", (engine, inputs) => {
    const [q, k, v] = [
      inputs.extremes([1, 40, 3, 6], 150),
      inputs.extremes([1, 30, 3, 6], 150),
      inputs.extremes([1, 30, 3, 6], 30),
    ];
    const logSumExp = place(1, 3, 40);
    const weights = place(1, 3, 40, 30);
    const mask = inputs.mask([3, 40, 30], 0.5);
    return {
      masked: engine.scaledDotProductAttention(q, k, v, { mask, weights, logSumExp }).data,
      weights: weights.data,
      logSumExp: logSumExp.data,
      causal: engine.scaledDotProductAttention(q, k, v, { causal: true }).data,
    };
  }),
  attention("subnormal values and scores far apart", (engine, inputs) => {
    const [q, k, v] = [inputs.numbers([30, 4], 20), inputs.numbers([50, 4], 4), inputs.numbers([50, 5], 1e-42)];
    return { out: engine.scaledDotProductAttention(q, k, v, { scale: 1 }).data };
  }),

  casesOf("merge", "Engine.mergeAttention")("three parts, one of which some rows see no key of", (engine, inputs) => {
    const parts = [0, 1, 2].map(() => ({ out: inputs.numbers([2, 15, 3, 10]), logSumExp: inputs.numbers([2, 3, 15], 8) }));
    const last = parts[2]!.logSumExp.data;
    for (let row = 0; row < last.length; row += inputs.integer(1, 3)) last[row] = NEGATIVE;
    const logSumExp = place(2, 3, 15);
    return { out: engine.mergeAttention(parts, { logSumExp }).data, logSumExp: logSumExp.data };
  }),
  casesOf(
    "merge",
    "Engine.mergeAttention",
    "Engine.scaledDotProductAttention",
  )("two calls, layout bhsd", (engine, inputs) => {
    const q = inputs.numbers([1, 2, 40, 16]);
    const parts = [100, 30].map((kvLen) => {
      const logSumExp = place(1, 2, 40);
      const [k, v] = [inputs.numbers([1, 2, kvLen, 16]), inputs.numbers([1, 2, kvLen, 16])];
      return { out: engine.scaledDotProductAttention(q, k, v, { layout: "bhsd", logSumExp }), logSumExp };
    });
    return { out: engine.mergeAttention(parts, { layout: "bhsd" }).data };
  }),
] satisfies readonly BitsCase[];
