/** Linear attention by another project: cases of flash-linear-attention, in the layout of ONNX's operator LinearAttention. */
import { expect, test } from "vitest";
import type { LinearAttentionStateOptions } from "headwise";
import { linearAttention as reference, type ReferenceLinearOptions } from "headwise/reference";
import { ABSENT, readConformance } from "./support/conformance.js";
import { onEveryEngine } from "./support/engines.js";
import { countOf } from "./support/random.js";

const NAMES = [
  "delta_rule chunkwise 2x32",
  "delta_rule recurrence, initial state",
  "gated_delta_rule naive_chunk 32 T=75",
  "gated_delta_rule naive_recurrent, initial state",
  "gla naive_recurrent, per-channel decay, initial state",
  "kda naive_chunk 2x32",
  "kda naive_recurrent, per-channel decay",
  "linear_attn naive_chunk T=128",
  "linear_attn naive_recurrent, initial state",
  "retention naive",
  "simple_gla naive_chunk T=70",
  "simple_gla naive_recurrent, per-head decay, initial state",
];

interface CaseTensor {
  dims: number[];
  data: number[];
}

interface Case {
  name: string;
  attributes: {
    update_rule: "linear" | "gated" | "delta" | "gated_delta";
    q_num_heads: number;
    kv_num_heads: number;
    scale?: number;
  };
  inputs: Record<"query" | "key" | "value", CaseTensor> & Partial<Record<"past_state" | "decay" | "beta", CaseTensor>>;
  outputs: { output: CaseTensor } & Partial<Record<"present_state", CaseTensor>>;
}

/** The cases were also computed in float32, in other orders. Relative for numbers above 1. */
const TOLERANCE = 4e-6;

/** [batch, seq, heads · channels] as [batch, seq, heads, channels]. */
const splitHeads = ({ dims, data }: CaseTensor, heads: number) => ({
  data: Float32Array.from(data),
  dims: [dims[0]!, dims[1]!, heads, dims[2]! / heads],
});
const toTensor = ({ dims, data }: CaseTensor) => ({ data: Float32Array.from(data), dims });

function expectNear(found: ArrayLike<number>, { data }: CaseTensor, what: string): void {
  expect(found.length, what).toBe(data.length);
  for (const [index, value] of data.entries())
    expect(Math.abs(found[index]! - value), `${what}: element ${index}`).toBeLessThanOrEqual(
      TOLERANCE * Math.max(1, Math.abs(value)),
    );
}

/** A case as options and tensors. */
function mapCase({ attributes, inputs }: Case) {
  const known = ["update_rule", "q_num_heads", "kv_num_heads", "scale"];
  expect(
    Object.keys(attributes).filter((name) => !known.includes(name)),
    "attributes that are not mapped",
  ).toEqual([]);
  const { update_rule: rule, q_num_heads, kv_num_heads, scale } = attributes;
  const { query, key, value, decay, beta, past_state } = inputs;
  const isByChannel = decay !== undefined && decay.dims[2] !== kv_num_heads;
  return {
    q: splitHeads(query, q_num_heads),
    k: splitHeads(key, kv_num_heads),
    v: splitHeads(value, kv_num_heads),
    kind: { rule, scale, ...(isByChannel && { channelDecay: true }) },
    gates: {
      ...(decay && { decay: isByChannel ? splitHeads(decay, kv_num_heads) : toTensor(decay) }),
      ...(beta && { beta: toTensor(beta) }),
    },
    initialState: past_state && toTensor(past_state),
  };
}

const cases = (await readConformance("fla/vectors.json")) as Case[] | undefined;
const find = (name: string): Case | undefined => cases?.find((candidate) => candidate.name === name);

test.skipIf(!cases)(`fla › the data contain exactly these ${NAMES.length} cases${cases ? "" : ABSENT}`, () => {
  expect(cases?.map(({ name }) => name).sort()).toEqual(NAMES);
});

for (const name of NAMES) {
  test.skipIf(!find(name))(`fla › reference › ${name}: ≤ ${TOLERANCE}${cases ? "" : ABSENT}`, () => {
    const { q, k, v, kind, gates, initialState } = mapCase(find(name)!);
    const { output, present_state } = find(name)!.outputs;
    const finalState = { data: present_state ? new Float64Array(countOf(present_state.dims)) : [] };
    const options: ReferenceLinearOptions = { rule: kind.rule, scale: kind.scale, ...gates, initialState, finalState };
    expectNear(reference(q, k, v, options).data, output, "output");
    if (present_state) expectNear(finalState.data, present_state, "present_state");
  });
}

onEveryEngine((_, engine) => {
  for (const name of NAMES) {
    test.skipIf(!find(name))(`fla › ${name}: ≤ ${TOLERANCE}${cases ? "" : ABSENT}`, () => {
      const { q, k, v, kind, gates, initialState } = mapCase(find(name)!);
      const { output, present_state } = find(name)!.outputs;
      const [batchSize, , numKvHeads, valueDim] = v.dims as [number, number, number, number];
      const options: LinearAttentionStateOptions = { batchSize, numKvHeads, headDim: k.dims[3]!, valueDim, ...kind };
      using state = engine.createLinearAttentionState({ ...options, initialState });
      expectNear(state.step(q, k, v, gates).data, output, "output");
      if (present_state) expectNear(state.sums().data, present_state, "present_state");
      if (initialState) return;
      const { rule, scale } = kind;
      expectNear(engine.linearAttention(q, k, v, { rule, scale, ...gates }).data, output, "output without a state");
    });
  }
});
