/** Layers from the state dict of PyTorch's nn.MultiheadAttention. */
import { describe, expect, test } from "vitest";
import type { FromTorchOptions, TensorLike } from "headwise";
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

/** A few rounding errors of numbers up to about 10. */
const BOUND = 2e-5;

onEveryBuild((_, engine) => {
  const [query, key] = [normal([ROWS, EMBED], 5), normal([KEYS, EMBED], 6)];

  test(`in_proj_weight and biases, against the formula written out: ≤ ${BOUND}`, () => {
    using layer = engine.createMultiHeadAttention.fromTorch(stateDict, { numHeads: HEADS });
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
    using layer = engine.createMultiHeadAttention.fromTorch(
      { ...named, "layers.0.norm1.weight": normal([EMBED], 1) },
      { numHeads: HEADS, addZeroAttention: true, prefix: "layers.0.self_attn." },
    );
    const options = { key: k, value: v, causal: true };
    expect(largestError(layer.forward(x, options).data, reference(config, parameters, x, options).data)).toBeLessThan(BOUND);
    expect(layer.config).toMatchObject({ embedDim: EMBED, headDim: HEAD_DIM, kDim: 7, vDim: 9, weightLayout: "outIn" });
    using direct = engine.createMultiHeadAttention(config, parameters);
    expectSameBits(direct.forward(x, options).data, layer.forward(x, options).data, "the same parameters by their own names");
  });
});

describe("mismatches are named", () => {
  const without = (name: string): Record<string, TensorLike> =>
    Object.fromEntries(Object.entries(stateDict).filter(([each]) => each !== name));
  test.each<[unknown, unknown, string]>([
    [null, { numHeads: 2 }, '"stateDict" must be an object of tensors by name, got null'],
    [stateDict, { numHeads: 2, prefix: 3 }, '"prefix" must be a string, got 3'],
    [stateDict, { heads: 2 }, 'unknown option "heads"; the options are numHeads, prefix, headGates, addZeroAttention'],
    [stateDict, {}, '"numHeads" is missing, expected an integer from 1 to 1048576'],
    [stateDict, { numHeads: 4 }, '"headDim" is missing: embedDim 6 is not a multiple of numHeads 4'],
    [without("out_proj.weight"), { numHeads: 2 }, '"out_proj.weight" is missing from "stateDict"'],
    [stateDict, { numHeads: 2, prefix: "a." }, '"a.out_proj.weight" is missing from "stateDict"'],
    [
      without("in_proj_weight"),
      { numHeads: 2 },
      '"q_proj_weight" is missing; give "q_proj_weight", "k_proj_weight" and "v_proj_weight", or "in_proj_weight"',
    ],
    [
      { ...stateDict, q_proj_weight: normal([6, 6], 1) },
      { numHeads: 2 },
      '"in_proj_weight" cannot be combined with "q_proj_weight", which it contains',
    ],
    [
      { ...stateDict, "norm.weight": normal([6], 1) },
      { numHeads: 2 },
      '"stateDict" holds "norm.weight", expected in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight, in_proj_bias, ' +
        'out_proj.weight, out_proj.bias, bias_k, bias_v; if it holds other layers too, give the "prefix" of this one',
    ],
    [
      { ...stateDict, in_proj_weight: normal([17, 6], 1) },
      { numHeads: 2 },
      '"in_proj_weight" has dims [17, 6], expected [18, 6] ((numHeads + numKvHeads) · headDim + numKvHeads · valueDim, embedDim)',
    ],
    [
      { ...stateDict, "out_proj.weight": normal([36], 1) },
      { numHeads: 2 },
      '"out_proj.weight" has dims [36], expected [out, in]',
    ],
    [{ ...stateDict, bias_k: normal([1, 1, 6], 1) }, { numHeads: 2 }, '"bias_v" is missing; "bias_k" needs it'],
  ])("%#", (dict, options, message) => {
    using engine = openBuild("simd");
    expect(() => engine.createMultiHeadAttention.fromTorch(dict as typeof stateDict, options as FromTorchOptions)).toThrow(
      `createMultiHeadAttention.fromTorch: ${message}`,
    );
    expect(engine.info.memory.inUse).toBe(0);
  });
});
