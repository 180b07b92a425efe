/** Layers from the checkpoints of other libraries. */
import { describe, expect, test } from "vitest";
import {
  type Engine,
  type MultiHeadAttention,
  type MultiHeadDefinition,
  multiHeadFromHuggingFace,
  multiHeadFromKeras,
  multiHeadFromTorch,
  type StateDict,
  type TensorLike,
} from "headwise";
import { multiHeadAttention as reference } from "headwise/reference";
import { expectSameBits, largestError } from "./support/attention.js";
import { onEveryBuild, openBuild } from "./support/builds.js";
import { normal, type TestTensor } from "./support/random.js";

const [EMBED, HEADS, HEAD_DIM, ROWS, KEYS] = [6, 2, 3, 4, 5];

const stateDict = {
  in_proj_weight: normal([3 * EMBED, EMBED], 1),
  in_proj_bias: normal([3 * EMBED], 2),
  "out_proj.weight": normal([EMBED, EMBED], 3),
  "out_proj.bias": normal([EMBED], 4),
};

/** What nn.MultiheadAttention computes, written out. */
function naive(query: TestTensor, key: TestTensor): number[] {
  const project = ({ data }: TestTensor, part: number): number[][] =>
    Array.from({ length: data.length / EMBED }, (_, row) =>
      Array.from({ length: EMBED }, (_, to) => {
        let sum = stateDict.in_proj_bias.data[part * EMBED + to]!;
        for (let from = 0; from < EMBED; from++)
          sum += data[row * EMBED + from]! * stateDict.in_proj_weight.data[(part * EMBED + to) * EMBED + from]!;
        return sum;
      }),
    );
  const [q, k, v] = [project(query, 0), project(key, 1), project(key, 2)];
  return q.flatMap((queryRow) => {
    const heads = new Array<number>(EMBED).fill(0);
    for (let h = 0; h < HEADS; h++) {
      const channels = Array.from({ length: HEAD_DIM }, (_, c) => h * HEAD_DIM + c);
      const scores = k.map((keyRow) => channels.reduce((sum, c) => sum + queryRow[c]! * keyRow[c]!, 0) / Math.sqrt(HEAD_DIM));
      const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
      for (const [j, score] of scores.entries()) for (const c of channels) heads[c]! += (Math.exp(score) / total) * v[j]![c]!;
    }
    return Array.from({ length: EMBED }, (_, to) =>
      heads.reduce(
        (sum, head, from) => sum + head * stateDict["out_proj.weight"].data[to * EMBED + from]!,
        stateDict["out_proj.bias"].data[to]!,
      ),
    );
  });
}

const made = (engine: Engine, { config, parameters }: MultiHeadDefinition): MultiHeadAttention =>
  engine.createMultiHeadAttention(config, parameters);

/** A matrix [out, in] of the state dict above, as [in, out]. */
function transposed({ data, dims: [rows, columns] }: TestTensor): TestTensor {
  const found = new Float32Array(data.length);
  for (let i = 0; i < rows!; i++) for (let j = 0; j < columns!; j++) found[j * rows! + i] = data[i * columns! + j]!;
  return { data: found, dims: [columns!, rows!] };
}

/** Rows `first` to `first + count − 1` of a matrix, or elements of a vector. */
const rowsOf = (
  { data, dims: [, columns = 1] }: TestTensor,
  first: number,
  count: number,
  dims: readonly number[],
): TestTensor => ({
  data: data.slice(first * columns, (first + count) * columns),
  dims: [...dims],
});

/** Nested arrays, as `tolist()` gives them. */
function toList({ data, dims: [length, ...rest] }: { data: ArrayLike<number>; dims: readonly number[] }): unknown {
  if (length === undefined) return data[0];
  const size = data.length / length;
  return Array.from({ length }, (_, index) =>
    toList({ data: Array.prototype.slice.call(data, index * size, (index + 1) * size) as number[], dims: rest }),
  );
}

/** The state dict above under the names of others: three matrices, with biases, that give the same layer. */
const { in_proj_weight: inWeight, in_proj_bias: inBias } = stateDict;
const part = (index: number): TestTensor => rowsOf(inWeight, index * EMBED, EMBED, [EMBED, EMBED]);
const partBias = (index: number): TestTensor => rowsOf(inBias, index * EMBED, EMBED, [EMBED]);
const separately = (q: string, k: string, v: string, out: string): StateDict => ({
  ...Object.fromEntries([q, k, v].map((name, index) => [`${name}.weight`, part(index)])),
  ...Object.fromEntries([q, k, v].map((name, index) => [`${name}.bias`, partBias(index)])),
  [`${out}.weight`]: stateDict["out_proj.weight"],
  [`${out}.bias`]: stateDict["out_proj.bias"],
});
/** q, k and v of head 0, then of head 1, in place of all of q, k and v. */
function byHead(tensor: TestTensor): TestTensor {
  const width = tensor.dims[1] ?? 1;
  const rows = Array.from({ length: HEADS }, (_, h) => [0, 1, 2].map((index) => (index * HEADS + h) * HEAD_DIM)).flat();
  return {
    ...tensor,
    data: Float32Array.from(rows.flatMap((row) => [...tensor.data.subarray(row * width, (row + HEAD_DIM) * width)])),
  };
}
const norm = { "output.LayerNorm.weight": normal([EMBED], 9), "output.LayerNorm.bias": normal([EMBED], 9) };
const HUGGING_FACE: Record<string, StateDict> = {
  BERT: { ...separately("self.query", "self.key", "self.value", "output.dense"), ...norm },
  ViT: separately("attention.query", "attention.key", "attention.value", "output.dense"),
  DistilBERT: separately("q_lin", "k_lin", "v_lin", "out_lin"),
  "GPT-2": {
    "c_attn.weight": transposed(inWeight),
    "c_attn.bias": inBias,
    "c_proj.weight": transposed(stateDict["out_proj.weight"]),
    "c_proj.bias": stateDict["out_proj.bias"],
    bias: { data: new Float32Array(4), dims: [1, 1, 2, 2] },
    masked_bias: { data: new Float32Array(1), dims: [] },
  },
  "Qwen 2, but with a bias of the output": {
    ...separately("q_proj", "k_proj", "v_proj", "o_proj"),
    "rotary_emb.inv_freq": normal([1], 1),
  },
  BART: separately("q_proj", "k_proj", "v_proj", "out_proj"),
  "GPT-NeoX and BLOOM": {
    "query_key_value.weight": byHead(inWeight),
    "query_key_value.bias": byHead(inBias),
    "dense.weight": stateDict["out_proj.weight"],
    "dense.bias": stateDict["out_proj.bias"],
  },
};

/** Keras's kernels [in, heads, channels] and [heads, channels, out], and biases [heads, channels]. */
const perHead = (tensor: TestTensor, dims: readonly number[]): TestTensor => ({ ...tensor, dims: [...dims] });
const kernels = [0, 1, 2].map((index) => perHead(transposed(part(index)), [EMBED, HEADS, HEAD_DIM]));
const kernelBiases = [0, 1, 2].map((index) => perHead(partBias(index), [HEADS, HEAD_DIM]));
const outKernel = perHead(transposed(stateDict["out_proj.weight"]), [HEADS, HEAD_DIM, EMBED]);
const KERAS = {
  "query/kernel:0": kernels[0],
  "query/bias:0": kernelBiases[0],
  "key/kernel:0": kernels[1],
  "key/bias:0": kernelBiases[1],
  "value/kernel:0": kernels[2],
  "value/bias:0": kernelBiases[2],
  "attention_output/kernel:0": outKernel,
  "attention_output/bias:0": stateDict["out_proj.bias"],
};

/** A few rounding errors of numbers up to about 10. */
const BOUND = 2e-5;

onEveryBuild((_, engine) => {
  const [query, key] = [normal([ROWS, EMBED], 5), normal([KEYS, EMBED], 6)];

  test(`in_proj_weight and biases, against the formula written out: ≤ ${BOUND}`, () => {
    using layer = made(engine, multiHeadFromTorch(stateDict, { numHeads: HEADS }));
    expect(largestError(layer.forward(query, { key }).data, naive(query, key))).toBeLessThan(BOUND);
    expect(largestError(layer.forward(query).data, naive(query, query))).toBeLessThan(BOUND);
  });

  test(`separate matrices, kdim and vdim, bias_k and bias_v, add_zero_attn: the reference within ${BOUND}`, () => {
    const dict = {
      q_proj_weight: normal([EMBED, EMBED], 11),
      k_proj_weight: normal([EMBED, 7], 12),
      v_proj_weight: normal([EMBED, 9], 13),
      in_proj_bias: normal([3 * EMBED], 14),
      "out_proj.weight": normal([EMBED, EMBED], 15),
      "out_proj.bias": normal([EMBED], 16),
      bias_k: normal([1, 1, EMBED], 17),
      bias_v: normal([1, 1, EMBED], 18),
    };
    const config = { embedDim: EMBED, numHeads: HEADS, kDim: 7, vDim: 9, addZeroAttention: true };
    const parameters = {
      q: dict.q_proj_weight,
      k: dict.k_proj_weight,
      v: dict.v_proj_weight,
      qkvBias: dict.in_proj_bias,
      out: dict["out_proj.weight"],
      outBias: dict["out_proj.bias"],
      biasK: dict.bias_k,
      biasV: dict.bias_v,
    };
    const [k, v] = [normal([2, KEYS, 7], 19), normal([2, KEYS, 9], 20)];
    const x = normal([2, ROWS, EMBED], 21);
    const named = Object.fromEntries(Object.entries(dict).map(([name, tensor]) => [`layers.0.self_attn.${name}`, tensor]));
    const read = multiHeadFromTorch(
      { ...named, "layers.0.norm1.weight": normal([EMBED], 1) },
      { numHeads: HEADS, prefix: "layers.0.self_attn." },
    );
    using layer = engine.createMultiHeadAttention({ ...read.config, addZeroAttention: true }, read.parameters);
    const options = { key: k, value: v, causal: true };
    expect(largestError(layer.forward(x, options).data, reference(config, parameters, x, options).data)).toBeLessThan(BOUND);
    expect(layer.config).toMatchObject({ embedDim: EMBED, headDim: HEAD_DIM, kDim: 7, vDim: 9, weightLayout: "outIn" });
    using direct = engine.createMultiHeadAttention(config, parameters);
    expectSameBits(direct.forward(x, options).data, layer.forward(x, options).data, "the same parameters by their own names");
  });

  const expectSameLayer = (definition: MultiHeadDefinition): void => {
    using layer = made(engine, definition);
    expect(largestError(layer.forward(query, { key }).data, naive(query, key))).toBeLessThan(BOUND);
    expect(layer.config).toMatchObject({ numHeads: HEADS, numKvHeads: HEADS, headDim: HEAD_DIM });
  };

  test.each(Object.entries(HUGGING_FACE))(`Hugging Face: %s, against the formula written out: ≤ ${BOUND}`, (_, dict) => {
    expectSameLayer(multiHeadFromHuggingFace(dict, { numHeads: HEADS }));
    const named = Object.fromEntries(Object.entries(dict).map(([name, tensor]) => [`h.3.attn.${name}`, tensor]));
    expectSameLayer(multiHeadFromHuggingFace({ ...named, "h.3.mlp.weight": inBias }, { numHeads: HEADS, prefix: "h.3.attn." }));
  });

  test("Hugging Face: grouped heads and norms of queries and keys, as in Qwen 3: the same bits as by their own names", () => {
    const [q, k, v, out] = [normal([12, 5], 1), normal([6, 5], 2), normal([6, 5], 3), normal([5, 12], 4)];
    const [qNorm, kNorm] = [normal([3], 5), normal([3], 6)];
    const read = multiHeadFromHuggingFace(
      {
        ...{ "q_proj.weight": q, "k_proj.weight": k, "v_proj.weight": v, "o_proj.weight": out },
        ...{ "q_norm.weight": qNorm, "k_norm.weight": kNorm },
      },
      { numHeads: 4 },
    );
    const config = { embedDim: 5, numHeads: 4, numKvHeads: 2, headDim: 3, qkNorm: true };
    expect(read.config).toEqual({ ...config, kDim: 5, vDim: 5, outDim: 5 });
    using layer = made(engine, read);
    using direct = engine.createMultiHeadAttention(config, { q, k, v, out, qNorm, kNorm });
    const x = normal([7, 5], 7);
    expectSameBits(layer.forward(x, { causal: true }).data, direct.forward(x, { causal: true }).data, "out");
  });

  test("Hugging Face: groups of query heads, k and v in one matrix, as in Falcon: the same bits as by their own names", () => {
    for (const [numHeads, numKvHeads] of [
      [4, 2], // new_decoder_architecture
      [4, 1], // multi_query
    ] as const) {
      const qkv = normal([(numHeads + 2 * numKvHeads) * 3, 5], 1);
      const out = normal([5, numHeads * 3], 2);
      const read = multiHeadFromHuggingFace({ "query_key_value.weight": qkv, "dense.weight": out }, { numHeads });
      expect(read.config).toEqual({ embedDim: 5, numHeads, numKvHeads, headDim: 3, outDim: 5, order: "groups" });
      const group = (numHeads / numKvHeads + 2) * 3;
      const rows = (first: number, count: number): TestTensor => {
        const parts = Array.from({ length: numKvHeads }, (_, g) => [...rowsOf(qkv, g * group + first, count, []).data]);
        return { data: Float32Array.from(parts.flat()), dims: [numKvHeads * count, 5] };
      };
      using layer = made(engine, read);
      using direct = engine.createMultiHeadAttention(
        { embedDim: 5, numHeads, numKvHeads, headDim: 3 },
        { q: rows(0, group - 6), k: rows(group - 6, 3), v: rows(group - 3, 3), out },
      );
      const x = normal([7, 5], 7);
      expectSameBits(layer.forward(x, { causal: true }).data, direct.forward(x, { causal: true }).data, "out");
    }
  });

  test(`Keras: by name, in the order of get_weights(), and without biases, against the formula written out: ≤ ${BOUND}`, () => {
    expectSameLayer(multiHeadFromKeras(KERAS));
    expectSameLayer(multiHeadFromKeras(Object.values(KERAS) as TensorLike[]));
    const named = Object.fromEntries(Object.entries(KERAS).map(([name, tensor]) => [`mha/${name}`, tensor]));
    expectSameLayer(multiHeadFromKeras({ ...named, "dense/kernel:0": outKernel }, { prefix: "mha/" }));

    using layer = made(engine, multiHeadFromKeras([...kernels, outKernel]));
    using direct = engine.createMultiHeadAttention(
      { embedDim: EMBED, numHeads: HEADS, weightLayout: "inOut" },
      { q: kernels[0]!, k: kernels[1]!, v: kernels[2]!, out: outKernel },
    );
    expectSameBits(layer.forward(query).data, direct.forward(query).data, "without biases");
  });

  test("Keras: grouped heads, and sizes of their own for values, keys and results", () => {
    const [q, k, v] = [normal([6, 4, 3], 1), normal([7, 2, 3], 2), normal([8, 2, 5], 3)];
    const out = normal([4, 5, 9], 4);
    const { config } = multiHeadFromKeras([q, k, v, out]);
    expect(config).toEqual({
      ...{ embedDim: 6, numHeads: 4, numKvHeads: 2, headDim: 3, valueDim: 5, kDim: 7, vDim: 8, outDim: 9 },
      weightLayout: "inOut",
    });
    using layer = made(engine, multiHeadFromKeras([q, k, v, out]));
    const options = { key: normal([5, 7], 6), value: normal([5, 8], 7) };
    expect(layer.forward(normal([2, 6], 5), options).dims).toEqual([2, 9]);
  });

  test("nested arrays, as tolist() and JSON give them, are the same as tensors", () => {
    const listed = (dict: StateDict): StateDict =>
      JSON.parse(
        JSON.stringify(Object.fromEntries(Object.entries(dict).map(([name, each]) => [name, toList(each as TestTensor)]))),
      ) as StateDict;
    expectSameLayer(multiHeadFromTorch(listed(stateDict), { numHeads: HEADS }));
    expectSameLayer(multiHeadFromHuggingFace(listed(HUGGING_FACE["GPT-2"]!), { numHeads: HEADS }));
    expectSameLayer(multiHeadFromKeras(listed(KERAS)));
  });
});

test("PyTorch: batchFirst: false is a layer that takes the sequence first", () => {
  using engine = openBuild("simd");
  for (const [batchFirst, layout] of [
    [undefined, "batchFirst"],
    [true, "batchFirst"],
    [false, "sequenceFirst"],
  ] as const) {
    using layer = made(engine, multiHeadFromTorch(stateDict, { numHeads: HEADS, batchFirst }));
    expect(layer.config.layout).toBe(layout);
  }
});

describe("mismatches are named", () => {
  const without = (name: string): StateDict => Object.fromEntries(Object.entries(stateDict).filter(([each]) => each !== name));
  const loop: unknown[] = [];
  loop.push(loop);
  const torch = (dict: unknown, options: unknown = { numHeads: 2 }) =>
    multiHeadFromTorch(dict as StateDict, options as { numHeads: number });
  const huggingFace = (dict: unknown, options: unknown = { numHeads: 2 }) =>
    multiHeadFromHuggingFace(dict as StateDict, options as { numHeads: number });
  const keras = (weights: unknown, options?: unknown) => multiHeadFromKeras(weights as StateDict, options as object);
  const bart = HUGGING_FACE["BART"]!;

  test.each<[() => unknown, string]>([
    [() => torch(null), 'multiHeadFromTorch: "stateDict" must be an object of tensors by name, got null'],
    [() => torch(stateDict, { numHeads: 2, prefix: 3 }), 'multiHeadFromTorch: "prefix" must be a string, got 3'],
    [
      () => torch(stateDict, { heads: 2 }),
      'multiHeadFromTorch: unknown option "heads"; the options are numHeads, prefix, batchFirst',
    ],
    [() => torch(without("out_proj.weight")), 'multiHeadFromTorch: "out_proj.weight" is missing'],
    [
      () => torch({ ...stateDict, "norm.weight": normal([6], 1) }),
      'multiHeadFromTorch: "stateDict" holds "norm.weight", expected in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight, in_proj_bias, out_proj.weight, out_proj.bias, bias_k, bias_v; if it holds other layers too, give the "prefix" of this one',
    ],
    [
      () => torch({ ...stateDict, "out_proj.weight": normal([36], 1) }),
      'multiHeadFromTorch: "out_proj.weight" has dims [36], expected 2 of them (a matrix)',
    ],
    [
      () => torch({ ...stateDict, in_proj_bias: 3 }),
      'multiHeadFromTorch: "in_proj_bias" must be a tensor { data, dims } or nested arrays of numbers, got 3',
    ],
    [
      () => torch({ ...stateDict, in_proj_bias: { data: [1] } }),
      'multiHeadFromTorch: "in_proj_bias.dims" must be an array of sizes, got undefined',
    ],
    [() => torch({ in_proj_bias: [1, [2]] }), 'multiHeadFromTorch: "in_proj_bias[1]" must be a number, got an array of 1'],
    [
      () => torch({ in_proj_weight: [[1, 2], [3]] }),
      'multiHeadFromTorch: "in_proj_weight[1]" must be an array of 2 (as the first one), got an array of 1',
    ],
    [() => torch({ in_proj_weight: loop }), 'multiHeadFromTorch: "in_proj_weight" is nested more than 8 deep'],
    [
      () => torch({ in_proj_weight: [new Array(2 ** 24), new Array(2 ** 24)] }),
      'multiHeadFromTorch: "in_proj_weight[0][0]" must be a number, got undefined',
    ],
    [() => huggingFace(bart, {}), 'multiHeadFromHuggingFace: "numHeads" is missing, expected an integer from 1 to 1048576'],
    [
      () => huggingFace(bart, { numHeads: 4 }),
      'multiHeadFromHuggingFace: "q_proj.weight" has 6 rows, expected a multiple of numHeads 4',
    ],
    [
      () => huggingFace({ ...bart, "k_proj.weight": normal([4, 6], 1) }),
      'multiHeadFromHuggingFace: "k_proj.weight" has 4 rows, expected a multiple of headDim 6 / 2 = 3',
    ],
    [
      () => huggingFace({ "q_proj.weight": part(0) }),
      'multiHeadFromHuggingFace: "stateDict" has no matrix "k", expected one of self.key.weight, attention.key.weight, k_lin.weight, k_proj.weight or c_attn.weight or query_key_value.weight',
    ],
    [
      () => huggingFace({ "query_key_value.weight": normal([15, 6], 1), "dense.weight": part(0) }),
      'multiHeadFromHuggingFace: "query_key_value.weight" has 15 rows, expected (numHeads 2 + 2 · numKvHeads) · 3 (headDim 6 / 2)',
    ],
    [
      () => huggingFace({ "query_key_value.weight": inWeight, "dense.weight": part(0) }, { numHeads: 4 }),
      'multiHeadFromHuggingFace: "dense.weight" has 6 columns, expected a multiple of numHeads 4',
    ],
    [
      () => huggingFace({ ...bart, "o_proj.weight": part(0) }),
      'multiHeadFromHuggingFace: "out_proj.weight" and "o_proj.weight" are the same parameter, "out"; if it holds other layers too, give the "prefix" of this one',
    ],
    [
      () => huggingFace({ ...bart, "lora_A.weight": part(0) }),
      '"stateDict" holds "lora_A.weight", expected self.query.weight, self.key.weight',
    ],
    [() => keras([1, 2]), 'multiHeadFromKeras: "weights" holds 2 arrays, expected 4 kernels, or 8 with biases'],
    [
      () => keras([part(0), ...kernels]),
      'multiHeadFromKeras: "query/kernel" has dims [6, 6], expected 3 of them ([in, heads, channels])',
    ],
    [() => keras({ "query/kernel": kernels[0] }), 'multiHeadFromKeras: "key/kernel" is missing'],
    [() => keras({ "query/weight": 1 }), '"weights" holds "query/weight", expected query/kernel, query/bias, key/kernel'],
    [() => keras(KERAS, 3), 'multiHeadFromKeras: "options" must be an object, got 3'],
  ])("%#", (call, message) => {
    expect(call).toThrow(message);
  });
});
