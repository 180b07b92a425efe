/** Linear attention: every feature map and every rule, in one call and on states. */
import type { FeatureMap, Engine, LinearOptions, LinearRule, TensorLike } from "headwise";
import { type BitsCase, casesOf, type Outputs } from "./bits/case.js";
import type { Inputs, Numbers } from "./bits/inputs.js";

const linear = casesOf("linear", "Engine.linearAttention");
const state = casesOf("linear state", "Engine.createLinearAttentionState", "LinearAttentionState.step");

/** φ(x) = x² + ½ for each channel, and the products of neighbouring pairs: only + and × of the host. */
const squares = ({ data, dims }: { data: Float32Array; dims: readonly number[] }): TensorLike => {
  const channels = dims.at(-1)!;
  const result = new Float32Array(2 * data.length);
  for (let index = 0; index < data.length; index++) {
    const row = index - (index % channels);
    result[row + index] = data[index]! * data[index]! + 0.5;
    result[row + index + channels] = data[index]! * data[row + ((index + 1) % channels)]! + 0.5;
  }
  return { data: result, dims: [...dims.slice(0, -1), 2 * channels] };
};

const MAPS: readonly Exclude<FeatureMap, (...parameters: never[]) => unknown>[] = [
  ...(["identity", "elu+1", "relu", "relu2", "exp", "softmax", "favor+"] as const),
];
const RULES: readonly LinearRule[] = ["linear", "gated", "delta", "gated_delta"];
const DIMS = { batch: 2, rows: 110, heads: 4, kvHeads: 2, headDim: 20, valueDim: 12 };

/** q, k and v of 4 heads on 2, with keys short enough for delta rules. */
const inputsOf = (inputs: Inputs, rows = DIMS.rows): { q: Numbers; k: Numbers; v: Numbers } => ({
  q: inputs.numbers([DIMS.batch, rows, DIMS.heads, DIMS.headDim]),
  k: inputs.numbers([DIMS.batch, rows, DIMS.kvHeads, DIMS.headDim], 0.1875),
  v: inputs.numbers([DIMS.batch, rows, DIMS.kvHeads, DIMS.valueDim]),
});

/** The options that a rule requires, with decays for whole heads or for channels. */
function gatesOf(inputs: Inputs, rule: LinearRule, rows = DIMS.rows, isByChannel = false): Pick<LinearOptions, "decay" | "beta"> {
  const dims = [DIMS.batch, rows, DIMS.kvHeads];
  return {
    ...(rule.startsWith("gated") && { decay: inputs.between(-0.4, 0, isByChannel ? [...dims, DIMS.headDim] : dims) }),
    ...(rule.endsWith("delta") && { beta: inputs.between(0, 1, dims) }),
  };
}

const call = (name: string, optionsOf: (inputs: Inputs) => LinearOptions): BitsCase =>
  linear(name, (engine, inputs): Outputs => {
    const { q, k, v } = inputsOf(inputs);
    return { out: engine.linearAttention(q, k, v, optionsOf(inputs)).data };
  });

/** Steps of a state across chunk boundaries, its sums, and the results of a fork and a restored state. */
const stateCase = (name: string, kind: Parameters<Engine["createLinearAttentionState"]>[0], isByChannel = false): BitsCase =>
  state(
    name,
    (engine, inputs) => {
      const outputs: Record<string, Float32Array | Uint8Array> = {};
      const mine = engine.createLinearAttentionState({ ...kind, channelDecay: isByChannel || undefined });
      const step = (to: typeof mine, rows: number): Float32Array => {
        const { q, k, v } = inputsOf(inputs, rows);
        return to.step(q, k, v, kind.rule ? gatesOf(inputs, kind.rule, rows, isByChannel) : {}).data;
      };
      for (const [index, rows] of [30, 40, 1, 1, 50].entries()) outputs[`step ${index}`] = step(mine, rows);
      outputs["sums"] = mine.sums().data;
      outputs["bytes"] = mine.serialize();
      const map = typeof kind.featureMap === "function" ? kind.featureMap : undefined;
      const restored = engine.restoreLinearAttentionState(outputs["bytes"], map);
      const twin = mine.fork();
      outputs["restored"] = step(restored, 7);
      outputs["fork"] = step(twin, 60);
      for (const each of [mine, restored, twin]) each.dispose();
      return outputs;
    },
    "LinearAttentionState.sums",
    "LinearAttentionState.serialize",
    "Engine.restoreLinearAttentionState",
    "LinearAttentionState.fork",
  );

const SIZES = { batchSize: DIMS.batch, numKvHeads: DIMS.kvHeads, headDim: DIMS.headDim, valueDim: DIMS.valueDim };

export default [
  linear("packed sequences, gates that serve all heads", (engine, inputs) => {
    const rows = (heads: number, channels: number, deviation?: number) => inputs.numbers([1, 130, heads, channels], deviation);
    const tensors = [rows(4, 20), rows(2, 20, 0.1875), rows(2, 12)] as const;
    const cuSeqlens = [0, 17, 17, 80, 130];
    const gates = { decay: inputs.between(-0.4, 0, [1, 130, 1]), beta: inputs.between(0, 1, [1, 130, 1]) };
    const channels = inputs.between(-0.4, 0, [1, 130, 1, 20]);
    return {
      causal: engine.linearAttention(...tensors, { causal: true, cuSeqlens }).data,
      full: engine.linearAttention(...tensors, { featureMap: "softmax", cuSeqlens }).data,
      rule: engine.linearAttention(...tensors, { rule: "gated_delta", ...gates, cuSeqlens }).data,
      byChannel: engine.linearAttention(...tensors, { rule: "gated", decay: channels, cuSeqlens }).data,
    };
  }),
  ...MAPS.flatMap((featureMap) => {
    const options = featureMap === "favor+" ? { featureMap, features: 37, seed: 5 } : { featureMap };
    return [
      call(`map "${featureMap}"`, () => options),
      ...(featureMap === "softmax" ? [] : [call(`map "${featureMap}", causal`, () => ({ ...options, causal: true }))]),
    ];
  }),
  call("a map that is a function, causal, chunks of 7", () => ({ featureMap: squares, causal: true, chunkSize: 7 })),
  call("not normalized, key lengths and a mask, causal", (inputs) => ({
    normalize: false,
    causal: true,
    keyLengths: inputs.integers(2, 50, 110),
    keyMask: inputs.mask([2, 110], 0.7),
    scale: 0.3,
  })),
  call("256 features of favor+ as they are by default", (inputs) => ({ featureMap: "favor+", seed: inputs.integer(0, 2 ** 31) })),
  ...RULES.map((rule) => call(`rule "${rule}"`, (inputs) => ({ rule, ...gatesOf(inputs, rule) }))),
  ...RULES.filter((rule) => rule.startsWith("gated")).map((rule) =>
    call(`rule "${rule}", decays by channel`, (inputs) => ({ rule, ...gatesOf(inputs, rule, DIMS.rows, true) })),
  ),
  call("retention: a decay for each head, lengths and a mask", (inputs) => ({
    rule: "gated",
    decay: inputs.between(-0.1, 0, [2]),
    keyLengths: inputs.integers(2, 50, 110),
    keyMask: inputs.mask([110], 0.9),
  })),
  call("decays that clear the state", (inputs) => {
    const { decay, beta } = gatesOf(inputs, "gated_delta") as { decay: Numbers; beta: Numbers };
    for (let index = 0; index < decay.data.length; index += inputs.integer(5, 40)) decay.data[index] = index % 2 ? -Infinity : -90;
    return { rule: "gated_delta", decay, beta };
  }),
  linear("layout bhsd, keys and values in other numbers than rows, float16", (engine, inputs) => {
    const [q, k, v] = [inputs.halves([1, 3, 17, 9]), inputs.halves([1, 3, 41, 9]), inputs.halves([1, 3, 41, 11])];
    return { out: engine.linearAttention(q, k, v, { layout: "bhsd" }).data };
  }),
  linear("zeros, subnormal numbers, infinities and NaN", (engine, inputs) => {
    // Values that are not finite stay in the state: some rows at the beginning must come before them.
    const tensors = (): [Numbers, Numbers, Numbers] => [
      ...([inputs.extremes([60, 6], 60), inputs.extremes([60, 6], 500), inputs.extremes([60, 6], 500)] as const),
    ];
    return {
      causal: engine.linearAttention(...tensors(), { causal: true }).data,
      delta: engine.linearAttention(...tensors(), { rule: "delta", beta: inputs.between(0, 1, [60]) }).data,
      gated: engine.linearAttention(...tensors(), { rule: "gated", decay: inputs.between(-1, 0, [60]) }).data,
    };
  }),

  stateCase("elu+1", SIZES),
  stateCase("favor+", { ...SIZES, featureMap: "favor+", features: 19, seed: 7 }),
  stateCase("a map that is a function", { ...SIZES, featureMap: squares, features: 2 * SIZES.headDim }),
  ...RULES.map((rule) => stateCase(`rule "${rule}"`, { ...SIZES, rule })),
  stateCase("decays by channel", { ...SIZES, rule: "gated_delta" }, true),
  state("sums to begin with", (engine, inputs) => {
    const initialState = inputs.numbers([DIMS.batch, DIMS.kvHeads, DIMS.headDim, DIMS.valueDim]);
    const mine = engine.createLinearAttentionState({ ...SIZES, rule: "linear", initialState });
    const { q, k, v } = inputsOf(inputs, 20);
    const out = mine.step(q, k, v).data;
    mine.dispose();
    return { out };
  }),
] satisfies readonly BitsCase[];
