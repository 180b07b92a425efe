/** The ONNX operator Attention, opsets 23 to 25: the cases of its test suite, mapped to headwise's options. */
import { expect, test } from "vitest";
import type { AttentionOptions, TypedTensor } from "headwise";
import { ABSENT, readConformance } from "./support/conformance.js";
import { onEveryEngine } from "./support/engines.js";
import { countOf } from "./support/random.js";

const NAMES = [
  "test_attention_23_boolmask_fullymasked_row_nan_robustness",
  "test_attention_23_fullymasked_qk_matmul_output_mode3_zero",
  "test_attention_24_fullymasked_qk_matmul_output_mode3_zero",
  "test_attention_24_qk_matmul_output_mode3_softmax_precision",
  "test_attention_3d_local_window",
  "test_attention_4d_causal_nonpad_attn_mask_composition",
  "test_attention_4d_causal_nonpad_batch_prefill",
  "test_attention_4d_causal_nonpad_continued_prefill",
  "test_attention_4d_causal_nonpad_negative_offset_structural_empty",
  "test_attention_4d_causal_with_past_and_present",
  "test_attention_4d_gqa_causal_nonpad_decode",
  "test_attention_4d_gqa_causal_nonpad_decode_fp16",
  "test_attention_bidirectional_window",
  "test_attention_causal_boolmask_nan_robustness",
  "test_attention_local_window",
  "test_attention_local_window_default",
  "test_attention_local_window_ext_cache_float16_mask",
  "test_attention_local_window_ext_cache_rank2_mask",
  "test_attention_local_window_ext_cache_rank3_head_mask",
  "test_attention_local_window_ext_cache_rank4_batch_mask",
  "test_attention_local_window_gqa_rank4_mask",
  "test_attention_local_window_rank1_boolean_mask",
  "test_attention_local_window_with_past",
];

interface OnnxTensor {
  dims: number[];
  type: "float32" | "float16" | "bool" | "int64";
  data: (number | "Infinity" | "-Infinity")[];
}

interface OnnxCase {
  name: string;
  attributes: Record<string, number>;
  inputs: Record<"Q" | "K" | "V", OnnxTensor> &
    Partial<Record<"attn_mask" | "past_key" | "past_value" | "nonpad_kv_seqlen", OnnxTensor>>;
  outputs: { Y: OnnxTensor } & Partial<Record<"present_key" | "present_value" | "qk_matmul_output", OnnxTensor>>;
}

/** The error allowed, absolute up to 1 and relative above: two units of float32, or the rounding of Y to float16. */
const TOLERANCE = { float32: 2 * 2 ** -23, float16: 2 ** -11 };
const toleranceOf = (type: OnnxTensor["type"]): number => TOLERANCE[type as keyof typeof TOLERANCE];

/** The bits of a number rounded to float16. */
function float16Bits(value: number): number {
  const magnitude = Math.abs(value);
  const sign = value < 0 ? 0x8000 : 0;
  if (magnitude === Infinity) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  return sign | (1024 * (exponent + 14) + Math.round(magnitude / 2 ** (exponent - 10)));
}

function toHeadwise({ dims, type, data }: OnnxTensor): TypedTensor {
  const numbers = data.map(Number);
  if (type === "bool") return { dims, type, data: numbers };
  return { dims, type, data: type === "float16" ? Uint16Array.from(numbers, float16Bits) : Float32Array.from(numbers) };
}

/** Cached keys or values before the new ones: [batch, heads, past + seq, channels]. */
function appended(past: OnnxTensor | undefined, added: OnnxTensor): OnnxTensor {
  if (!past) return added;
  const [batch, heads, pastLen, channels] = past.dims as [number, number, number, number];
  const [pastSize, addedSize] = [pastLen * channels, added.dims[2]! * channels];
  const data = Array.from({ length: batch * heads }, (_, head) => [
    ...past.data.slice(head * pastSize, (head + 1) * pastSize),
    ...added.data.slice(head * addedSize, (head + 1) * addedSize),
  ]).flat();
  return { dims: [batch, heads, pastLen + added.dims[2]!, channels], type: added.type, data };
}

/** [batch, seq, heads · channels] as [batch, seq, heads, channels]; rank 4 stays. */
function splitHeads(tensor: OnnxTensor, heads = 1): OnnxTensor {
  const [batch, seq, size] = tensor.dims as [number, number, number];
  return tensor.dims.length === 3 ? { ...tensor, dims: [batch, seq, heads, size / heads] } : tensor;
}

/** The position of the first query in ONNX: after the cached keys; or such that the last query meets the last valid key; or 0. */
function queryOffsetOf({ past_key, nonpad_kv_seqlen }: OnnxCase["inputs"], seqLen: number): number | number[] {
  if (past_key) return past_key.dims[2]!;
  return nonpad_kv_seqlen ? nonpad_kv_seqlen.data.map((length) => Number(length) - seqLen) : 0;
}

// prettier-ignore
const ATTRIBUTES = [
  "q_num_heads", "kv_num_heads", "is_causal", "scale", "softcap", "left_window_size", "right_window_size",
  "qk_matmul_output_mode", "softmax_precision",
];
/** qk_matmul_output_mode 0 to 2; 3 is the weights. */
const SCORES_STAGES = ["scaled", "capped", "biased"] as const;

/** A case as a call, and the array that receives `qk_matmul_output`. */
function mapCase({ attributes, inputs, outputs }: OnnxCase) {
  // softmax_precision has no counterpart: headwise computes in float32 throughout
  expect(
    Object.keys(attributes).filter((name) => !ATTRIBUTES.includes(name)),
    "attributes that are not mapped",
  ).toEqual([]);
  const { q_num_heads, kv_num_heads, is_causal, scale, softcap, left_window_size, right_window_size } = attributes;
  const { qk_matmul_output_mode: mode = 0 } = attributes;

  const present = { k: appended(inputs.past_key, inputs.K), v: appended(inputs.past_value, inputs.V) };
  const isRank4 = inputs.Q.dims.length === 4;
  const attnMask = inputs.attn_mask && toHeadwise(inputs.attn_mask);
  const matrixDims = outputs.qk_matmul_output?.dims;
  const matrix = matrixDims && { data: new Float32Array(countOf(matrixDims)), dims: matrixDims };
  const options: AttentionOptions = {
    layout: isRank4 ? "bhsd" : "bshd",
    scale,
    softcap,
    causal: is_causal === 1,
    queryOffset: queryOffsetOf(inputs, inputs.Q.dims[isRank4 ? 2 : 1]!),
    keyLengths: inputs.nonpad_kv_seqlen?.data.map(Number),
    window: [left_window_size, right_window_size],
    [inputs.attn_mask?.type === "bool" ? "mask" : "bias"]: attnMask,
    shortMask: "hide",
    ...(mode === 3 ? { weights: matrix } : { scores: matrix, scoresStage: SCORES_STAGES[mode] }),
  };
  const tensors = [splitHeads(inputs.Q, q_num_heads), splitHeads(present.k, kv_num_heads), splitHeads(present.v, kv_num_heads)];
  const [q, k, v] = tensors.map(toHeadwise) as [TypedTensor, TypedTensor, TypedTensor];
  return { q, k, v, options, matrix, present };
}

function expectNear(found: ArrayLike<number>, { data, type }: OnnxTensor, what: string): void {
  expect(found.length, what).toBe(data.length);
  for (const [index, value] of data.map(Number).entries()) {
    const error = found[index] === value ? 0 : Math.abs(found[index]! - value);
    expect(error, `${what}: element ${index}`).toBeLessThanOrEqual(toleranceOf(type) * Math.max(1, Math.abs(value)));
  }
}

const cases = (await readConformance("onnx-main/attention.json")) as OnnxCase[] | undefined;

test.skipIf(!cases)(`onnx › the data contain exactly these ${NAMES.length} cases${cases ? "" : ABSENT}`, () => {
  expect(cases?.map(({ name }) => name).sort()).toEqual(NAMES);
});

onEveryEngine((_, engine) => {
  for (const name of NAMES) {
    const onnxCase = cases?.find((candidate) => candidate.name === name);
    if (!onnxCase) {
      test.skip(`onnx › ${name}${ABSENT}`, () => undefined);
      continue;
    }
    const { type } = onnxCase.outputs.Y;
    test(`onnx › ${name} › ${type}: ≤ ${toleranceOf(type).toPrecision(2)}`, () => {
      const { q, k, v, options, matrix, present } = mapCase(onnxCase);
      const { Y, present_key, present_value, qk_matmul_output } = onnxCase.outputs;
      expectNear(engine.scaledDotProductAttention(q, k, v, options).data, Y, "Y");
      if (matrix && qk_matmul_output) expectNear(matrix.data, qk_matmul_output, "qk_matmul_output");
      if (present_key) expect(present.k.data).toEqual(present_key.data);
      if (present_value) expect(present.v.data).toEqual(present_value.data);
    });
  }
});
