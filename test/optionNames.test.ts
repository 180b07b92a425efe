/** Options by other names: those of other libraries, and misspelt ones, are answered with the name here. */
import { describe, expect, test } from "vitest";
import { readOptions } from "../src/call/readOptions.js";
import { openBuild } from "./support/builds.js";
import { normal } from "./support/random.js";

const engine = openBuild("simd");
const x = normal([2, 3, 2, 4], 1);
const attend = (options: object): unknown => engine.scaledDotProductAttention(x, x, x, options);

describe("names of other libraries", () => {
  test.each([
    ["isCausal is_causal useCausalMask", 'did you mean "causal"?'],
    ["attnMask attn_mask", 'here it is "mask", or "bias" for numbers to add'],
    [
      "keyPaddingMask key_padding_mask",
      'here it is "keyMask", other than 0 where a key is kept; PyTorch has it the other way round',
    ],
    ["attention_mask attentionMask", 'here it is "keyMask", or "mask" unless it is [batch, kvLen]'],
    ["windowSize window_size sliding_window local_window_size", 'here it is "window", which does not count the row\'s own key'],
    ["softmaxScale softmax_scale sm_scale", 'did you mean "scale"?'],
    ["attn_logits_soft_cap logits_soft_cap", 'did you mean "softcap"?'],
    ["enableGqa enable_gqa", "q may always have a multiple of the heads of k"],
    ["dropoutP dropout_p dropout p", "there is no dropout"],
    ["needWeights need_weights output_attentions return_attention_scores", 'here it is "weights", which takes a place for them'],
    ["batchFirst batch_first", 'here it is "layout", "sbhd" where the sequence comes first'],
    ["kv_num_heads num_heads_kv num_key_value_heads", 'here it is "numKvHeads"'],
    ["sinkToken num_sink_tokens", 'did you mean "sinkTokens"?'],
    ["cu_seqlens cu_seqlens_kv", 'did you mean "cuSeqlens'],
    ["seqlens_q query_seq_lengths", 'here it is "queryLengths"'],
    ["seqlens_k key_value_seq_lengths", 'here it is "keyLengths"'],
    ["total_sequence_length", "the options are layout, numHeads"],
    ["attn_bias attentionBias", '"bias"'],
    ["alibi_slopes alibi", '"alibiSlopes"'],
    ["cache_seqlens seqused_k nonpad_kv_seqlen", 'here it is "keyLengths"'],
    ["seqused_q", 'here it is "queryLengths"'],
    ["leftpad_k", 'here it is "keyStarts"'],
    ["s_aux head_sink", 'here it is "sinks"'],
    ["return_lse softmax_lse", 'here it is "logSumExp", which takes a place for it'],
    ["past_key past_value pastKeyValues", "createKVCache makes a cache"],
    ["cu_seqlens_q", 'here it is "cuSeqlensQ"'],
  ])("%s", (names, answer) => {
    for (const name of names.split(" ")) {
      expect(() => attend({ [name]: 1 }), name).toThrow(`scaledDotProductAttention: unknown option "${name}"; `);
      expect(() => attend({ [name]: 1 }), name).toThrow(answer);
    }
  });
});

test.each<[string, (options: object) => unknown, string, string]>([
  ["createKVCache", (options) => engine.createKVCache(options as never), "head_size", 'here it is "headDim"'],
  [
    "createMultiHeadAttention",
    (options) => engine.createMultiHeadAttention(options as never, {} as never),
    "head_size",
    'here it is "headDim"',
  ],
  [
    "createMultiHeadAttention",
    (options) => engine.createMultiHeadAttention(options as never, {} as never),
    "batch_first",
    'here it is "layout"',
  ],
  [
    "createMultiHeadAttention",
    (parameters) => engine.createMultiHeadAttention({ embedDim: 4, numHeads: 2 }, parameters as never),
    "query_key_value",
    'here it is "qkv"',
  ],
  [
    "createMultiHeadAttention",
    (parameters) => engine.createMultiHeadAttention({ embedDim: 4, numHeads: 2 }, parameters as never),
    "query_bias",
    'here it is "qBias"',
  ],
  ["rotary", (options) => engine.rotary(x, options), "using", "the options are layout"],
  ["rotary", (options) => engine.rotary(x, options), "head_dim", "the options are layout"],
])("%s %#", (operation, call, name, answer) => {
  expect(() => call({ [name]: 1 }), name).toThrow(answer);
  expect(() => call({ [name]: 1 }), name).toThrow(
    new RegExp(`^${operation}: unknown (option|parameter) "(parameters\\.)?${name}"; `),
  );
});

describe("misspelt names", () => {
  const known = { name: "operation", options: ["causal", "keyLengths", "axis", "out", "queryOffset"] };
  test.each([
    ["casual", "causal"],
    ["cusal", "causal"],
    ["keyLenghts", "keyLengths"],
    ["keylength", "keyLengths"],
    ["axs", "axis"],
    ["outt", "out"],
    ["querryOfset", "queryOffset"],
    ["myqueryOffsets", "queryOffset"],
  ])("%s", (name, option) => {
    expect(() => readOptions(known, { [name]: 1 })).toThrow(`did you mean "${option}"?`);
  });

  test("others get the list", () => {
    for (const name of ["q", "lengths", "oo", "caus", "logout"]) {
      expect(() => readOptions(known, { [name]: 1 }), name).toThrow("the options are causal, keyLengths, axis, out, queryOffset");
    }
    expect(() => readOptions({ name: "operation", options: ["out"] }, { x: 1 })).toThrow("the only option is out");
  });

  test("an option that is absent is not read as one that is unknown", () => {
    expect(readOptions(known, { causal: null, axis: undefined, out: 0 })).toEqual({ out: 0 });
  });
});

describe("a tokenizer's mask [batch, kvLen] where batch = seqLen", () => {
  const square = normal([3, 3, 2, 4], 1);
  const masked = (...rows: number[][]): unknown =>
    engine.scaledDotProductAttention(square, square, square, { mask: { data: rows.flat(), dims: [3, 3] } });
  const ASKED = '"mask" of dims [3, 3] looks like a tokenizer\'s [batch, kvLen], but seqLen is 3 too; give it as "keyMask"';

  test("is asked what it means", () => {
    expect(() => masked([1, 1, 0], [1, 1, 1], [1, 0, 0])).toThrow(ASKED);
    expect(() => masked([0, 1, 1], [1, 1, 1], [0, 0, 1])).toThrow(ASKED);
    const tensor = engine.tensor([3, 3], "uint8");
    tensor.data.set([1, 1, 1, 1, 1, 0, 1, 0, 0]);
    expect(() => engine.scaledDotProductAttention(square, square, square, { mask: tensor })).toThrow(ASKED);
  });

  test("unless it cannot be one, or makes no difference", () => {
    expect(() => masked([1, 0, 0], [1, 1, 0], [1, 1, 1])).not.toThrow(); // causal
    expect(() => masked([1, 1, 1], [1, 1, 1], [1, 1, 1])).not.toThrow();
    expect(() => masked([1, 0, 1], [1, 1, 0], [1, 0, 0])).not.toThrow();
    expect(() => masked([1, 1, 0], [0, 0, 0], [1, 0, 0])).not.toThrow();
    const data = [1, 1, 0, 1, 1, 1, 1, 0, 0];
    expect(() => engine.scaledDotProductAttention(square, square, square, { mask: { data, dims: [1, 1, 3, 3] } })).not.toThrow();
    expect(() => engine.scaledDotProductAttention(square, square, square, { keyMask: { data, dims: [3, 3] } })).not.toThrow();
  });
});

test("a place that is not one: how to bring it", () => {
  expect(() => attend({ weights: true })).toThrow(
    '"weights" must be a place for the result, such as { data: new Float32Array(36), dims: [2, 2, 3, 3] } (batch, numHeads, seqLen, kvLen), or an engine\'s tensor, got true',
  );
});
