/** The multi-head layer. */
import type { LayerConfig } from "./support/layers.js";
import { type MultiHeadAttentionParameters, multiHeadFromTorch } from "headwise";
import { type BitsCase, casesOf } from "./bits/case.js";
import { type Inputs, place } from "./bits/inputs.js";

const layer = casesOf("layer", "Engine.createMultiHeadAttention", "MultiHeadAttention.forward");
const insideLayer = casesOf("layer", "Engine.createMultiHeadAttention");

const EMBED = 36;
/** About 1/√36. */
const DEVIATION = 0.171875;
const matrix = (inputs: Inputs, ...dims: readonly number[]) => inputs.numbers(dims, DEVIATION);

/** 6 heads of 10 channels on 3 key heads of 10 and value heads of 7; embedDim is 36. */
const GROUPED: LayerConfig = { embedDim: EMBED, numHeads: 6, numKvHeads: 3, headDim: 10, valueDim: 7 };
const groupedParameters = (inputs: Inputs): MultiHeadAttentionParameters => ({
  qkv: matrix(inputs, 60 + 30 + 21, EMBED),
  qkvBias: inputs.numbers([60 + 30 + 21]),
  out: matrix(inputs, EMBED, 42),
  outBias: inputs.numbers([EMBED]),
});

export default [
  layer("grouped heads, causal, weights", (engine, inputs) => {
    const mine = engine.createMultiHeadAttention(GROUPED, groupedParameters(inputs));
    const [weights, averageWeights, logSumExp] = [place(2, 6, 25, 25), place(2, 25, 25), place(2, 6, 25)];
    const options = { causal: true, weights, averageWeights, logSumExp };
    const out = mine.forward(inputs.numbers([2, 25, EMBED]), options).data;
    mine.dispose();
    return { out, weights: weights.data, averageWeights: averageWeights.data, logSumExp: logSumExp.data };
  }),
  layer("a mask of the last keys, a padding mask, a scale for each head", (engine, inputs) => {
    const mine = engine.createMultiHeadAttention(GROUPED, groupedParameters(inputs));
    const options = { mask: inputs.mask([25, 9], 0.6), maskStart: 16, keyMask: inputs.mask([2, 25], 0.8) };
    const out = mine.forward(inputs.numbers([2, 25, EMBED]), { ...options, scale: inputs.numbers([6]).data }).data;
    mine.dispose();
    return { out };
  }),
  layer("norms of heads, rotary, gates, layout inOut, added to what there is", (engine, inputs) => {
    const config = { embedDim: EMBED, numHeads: 3, weightLayout: "inOut", qkNorm: true, rotary: { base: 500 } } as const;
    const parameters = {
      q: matrix(inputs, EMBED, EMBED),
      k: matrix(inputs, EMBED, 3, 12),
      v: matrix(inputs, EMBED, EMBED),
      out: matrix(inputs, 3, 12, EMBED),
      qBias: inputs.numbers([3, 12]),
      qNorm: inputs.numbers([12]),
      kNorm: inputs.numbers([12]),
    };
    const headGates = [0, 1, 2].map(() => inputs.integer(1, 64) / 32);
    const mine = engine.createMultiHeadAttention({ ...config, headGates }, parameters);
    const out = inputs.numbers([1, 40, EMBED]);
    mine.forward(inputs.numbers([1, 40, EMBED]), { accumulate: true, out });
    mine.dispose();
    return { out: out.data };
  }),
  layer(
    "a cache, prefill and one by one",
    (engine, inputs) => {
      const mine = engine.createMultiHeadAttention({ ...GROUPED, rotary: {} }, groupedParameters(inputs));
      const cache = mine.createCache({ capacity: 100, batchSize: 2 });
      const outputs = {
        prefill: mine.forward(inputs.numbers([2, 30, EMBED]), { cache, queryLengths: inputs.integers(2, 10, 30) }).data,
        token: mine.forward(inputs.numbers([2, 1, EMBED]), { cache }).data,
        next: mine.forward(inputs.numbers([2, 1, EMBED]), { cache }).data,
      };
      cache.dispose();
      mine.dispose();
      return outputs;
    },
    "MultiHeadAttention.createCache",
  ),
  layer(
    "keys of an encoder projected once, as float32 and as int8",
    (engine, inputs) => {
      const parameters = {
        q: matrix(inputs, 24, EMBED),
        k: matrix(inputs, 24, 20),
        v: matrix(inputs, 24, 28),
        out: matrix(inputs, 50, 24),
      };
      const mine = engine.createMultiHeadAttention(
        { embedDim: EMBED, numHeads: 2, headDim: 12, kDim: 20, vDim: 28, outDim: 50, qkNorm: { eps: 0.01 } },
        parameters,
      );
      const [key, value, x] = [inputs.numbers([1, 45, 20]), inputs.numbers([1, 45, 28]), inputs.numbers([1, 8, EMBED])];
      const memories = (["float32", "int8"] as const).map((dtype) => mine.projectKeys(key, { value, dtype }));
      const [float32, int8] = memories.map((memory) => mine.forward(x, { memory }).data);
      for (const each of [...memories, mine]) each.dispose();
      return { float32: float32!, int8: int8! };
    },
    "MultiHeadAttention.projectKeys",
  ),
  layer(
    "without some heads",
    (engine, inputs) => {
      const mine = engine.createMultiHeadAttention(GROUPED, groupedParameters(inputs));
      const smaller = mine.pruneHeads([0, 3]);
      const out = smaller.forward(inputs.numbers([2, 11, EMBED])).data;
      for (const each of [mine, smaller]) each.dispose();
      return { out };
    },
    "MultiHeadAttention.pruneHeads",
  ),
  insideLayer(
    "the circuits of a head",
    (engine, inputs) => {
      const mine = engine.createMultiHeadAttention(GROUPED, groupedParameters(inputs));
      const { queryKey, outputValue } = mine.circuits(2);
      mine.dispose();
      return { queryKey: queryKey.data, outputValue: outputValue.data };
    },
    "MultiHeadAttention.circuits",
  ),
  insideLayer(
    "how much heads matter",
    (engine, inputs) => {
      const mine = engine.createMultiHeadAttention({ ...GROUPED, rotary: {} }, groupedParameters(inputs));
      const { confidence, leaveOneOut } = mine.headImportance(inputs.numbers([2, 11, EMBED]), {
        causal: true,
        queryLengths: [11, 5],
      });
      mine.dispose();
      return { confidence: confidence.data, leaveOneOut: leaveOneOut.data };
    },
    "MultiHeadAttention.headImportance",
  ),
  layer("parameters of PyTorch, with a key and a value more", (engine, inputs) => {
    const stateDict = {
      "attention.in_proj_weight": matrix(inputs, 3 * EMBED, EMBED),
      "attention.in_proj_bias": inputs.numbers([3 * EMBED]),
      "attention.out_proj.weight": matrix(inputs, EMBED, EMBED),
      "attention.out_proj.bias": inputs.numbers([EMBED]),
      "attention.bias_k": inputs.numbers([1, 1, EMBED]),
      "attention.bias_v": inputs.numbers([1, 1, EMBED]),
    };
    const { config, parameters } = multiHeadFromTorch(stateDict, { numHeads: 4, prefix: "attention." });
    const mine = engine.createMultiHeadAttention({ ...config, addZeroAttention: true }, parameters);
    const out = mine.forward(inputs.numbers([2, 13, EMBED]), { mask: inputs.mask([2, 1, 1, 13], 0.7) }).data;
    mine.dispose();
    return { out };
  }),
] satisfies readonly BitsCase[];
