/** What the heads of a layer do: their circuits, and how much each matters. */
import { describe, expect, test } from "vitest";
import type { HeadImportanceOptions, MultiHeadAttention } from "headwise";
import { circuits, headImportance, type ReferenceMultiHeadOptions } from "headwise/reference";
import { expectSameBits, largestError, poison } from "./support/attention.js";
import { openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { concatenated, GROUPED, type LayerConfig, randomParameters, sizesOf } from "./support/layers.js";
import { normal, type TestTensor } from "./support/random.js";

const CONFIGS: Record<string, LayerConfig> = {
  square: { embedDim: 24, numHeads: 4 },
  grouped: GROUPED,
  "inOut, every size its own": {
    ...{ embedDim: 20, numHeads: 4, numKvHeads: 2, headDim: 6, valueDim: 9, kDim: 14, vDim: 11, outDim: 17 },
    weightLayout: "inOut",
  },
};

/** out[i] = Σ_j a[i, j] b[j] for each row, in float64. */
const product = (a: TestTensor | { data: Float64Array; dims: number[] }, x: ArrayLike<number>, first: number): number[] => {
  const [rows, columns] = a.dims as [number, number];
  return Array.from({ length: rows }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < columns; j++) sum += a.data[i * columns + j]! * x[first + j]!;
    return sum;
  });
};

onEveryEngine((_, engine) => {
  describe.each(Object.keys(CONFIGS))("circuits, %s", (name) => {
    const config = CONFIGS[name]!;
    const { embedDim, numHeads, headDim, valueDim, kDim, vDim, outDim } = sizesOf(config);
    const parameters = randomParameters(config, 3);

    test("the products of the matrices: at most 4 · 2⁻²⁴ · channels of the largest product", () => {
      using layer = engine.createMultiHeadAttention(config, parameters);
      for (let head = 0; head < numHeads; head++) {
        poison(engine);
        const found = layer.circuits(head);
        const truth = circuits(config, parameters, head);
        expect([found.queryKey.dims, found.outputValue.dims]).toEqual([
          [embedDim, kDim],
          [outDim, vDim],
        ]);
        expect(largestError(found.queryKey.data, truth.queryKey.data)).toBeLessThanOrEqual(4 * 2 ** -24 * headDim);
        expect(largestError(found.outputValue.data, truth.outputValue.data)).toBeLessThanOrEqual(4 * 2 ** -24 * valueDim);
      }
    });

    test("the layer is the sum over its heads of softmax(x queryKey keyᵀ · scale) value outputValueᵀ: at most 1e-5", () => {
      using layer = engine.createMultiHeadAttention(config, parameters);
      const [x, key, value] = [normal([5, embedDim], 4), normal([7, kDim], 5), normal([7, vDim], 6)];
      const expected = layer.forward(x, { key, value });
      const sums = new Float64Array(5 * outDim);
      for (let head = 0; head < numHeads; head++) {
        const { queryKey, outputValue } = layer.circuits(head);
        const [ofKeys, ofValues] = [key, value].map(({ data }, index) =>
          Array.from({ length: 7 }, (_, j) => product(index === 0 ? queryKey : outputValue, data, j * (index === 0 ? kDim : vDim))),
        );
        for (let i = 0; i < 5; i++) {
          const scores = ofKeys!.map(
            (row) => row.reduce((sum, y, c) => sum + y * x.data[i * embedDim + c]!, 0) / Math.sqrt(headDim),
          );
          const exponentials = scores.map((score) => Math.exp(score - Math.max(...scores)));
          const total = exponentials.reduce((sum, y) => sum + y, 0);
          for (const [j, row] of ofValues!.entries()) {
            for (let c = 0; c < outDim; c++) sums[i * outDim + c]! += (exponentials[j]! / total) * row[c]!;
          }
        }
      }
      expect(largestError(expected.data, sums)).toBeLessThanOrEqual(1e-5);
    });
  });

  test("circuits: biases, gates and extra keys change no bit, nor does one matrix for q, k and v", () => {
    const parameters = randomParameters(CONFIGS["square"]!, 7, { biases: true, biasKv: true });
    const { q, k, v, out } = parameters;
    const config = { ...CONFIGS["square"]!, headGates: [1, 2, 0, 3], addZeroAttention: true };
    using plain = engine.createMultiHeadAttention(CONFIGS["square"]!, { q, k, v, out });
    using layers = engine.createMultiHeadAttention(config, parameters);
    using fused = engine.createMultiHeadAttention(CONFIGS["square"]!, { qkv: concatenated(q, k, v), out });
    for (const layer of [layers, fused]) {
      expectSameBits(layer.circuits(2).queryKey.data, plain.circuits(2).queryKey.data, "queryKey");
      expectSameBits(layer.circuits(2).outputValue.data, plain.circuits(2).outputValue.data, "outputValue");
    }
  });

  const { embedDim } = GROUPED;
  const x = normal([2, 9, embedDim], 8);
  const mask = { data: Uint8Array.from({ length: 2 * 6 * 9 * 9 }, (_, index) => Number((index * 7) % 5 < 2)), dims: [2, 6, 9, 9] };
  test.each<[string, LayerConfig, HeadImportanceOptions]>([
    ["everything visible", GROUPED, {}],
    ["causal, one gate 0", { ...GROUPED, headGates: [1, 2, 0, -1, 0.5, 1] }, { causal: true }],
    ["gates of the call, lengths", GROUPED, { headGates: [3, 1, 1, 0, 1, 1], queryLengths: [9, 4], keyLengths: [6, 0] }],
    ["a mask for each head, some rows without keys", GROUPED, { mask, causal: true, window: 2 }],
    [
      "rotary, norms, another source",
      { ...GROUPED, rotary: { rotaryDim: 6 }, qkNorm: true },
      { key: normal([2, 11, embedDim], 9) },
    ],
    ["extra keys, rank 2", { ...GROUPED, addZeroAttention: true }, { softcap: 2, scale: 0.7 }],
  ])("importance, %s: confidence within 2⁻²⁰, leaveOneOut within 2⁻¹⁸ of itself", (name, config, options) => {
    const parameters = randomParameters(config, 10, {
      biases: true,
      biasKv: name.startsWith("extra"),
      norms: config.qkNorm !== undefined,
    });
    const rows = name.endsWith("rank 2") ? { data: x.data.slice(0, 9 * embedDim), dims: [9, embedDim] } : x;
    using layer = engine.createMultiHeadAttention(config, parameters);
    poison(engine);
    const found = layer.headImportance(rows, options);
    const truth = headImportance(config, parameters, rows, options as ReferenceMultiHeadOptions);
    expect([found.confidence.dims, found.leaveOneOut.dims]).toEqual([[config.numHeads], [config.numHeads]]);
    for (let head = 0; head < config.numHeads; head++) {
      expect(Math.abs(found.confidence.data[head]! - truth.confidence.data[head]!)).toBeLessThanOrEqual(2 ** -20);
      const change = truth.leaveOneOut.data[head]!;
      expect(Math.abs(found.leaveOneOut.data[head]! - change)).toBeLessThanOrEqual(2 ** -18 * change);
    }
  });

  test("importance: the same bits alone, in a batch, from memory and in the other order of axes", () => {
    const parameters = randomParameters(GROUPED, 11, { biases: true });
    using layer = engine.createMultiHeadAttention(GROUPED, parameters);
    using memory = layer.projectKeys(x);
    const expected = layer.headImportance(x);
    const swapped = { data: new Float32Array(x.data.length), dims: [9, 2, embedDim] };
    for (let row = 0; row < 18; row++) {
      swapped.data.set(x.data.subarray(row * embedDim, (row + 1) * embedDim), ((row % 9) * 2 + Math.floor(row / 9)) * embedDim);
    }
    using other = engine.createMultiHeadAttention({ ...GROUPED, layout: "sequenceFirst" }, parameters);
    for (const found of [layer.headImportance(x, { memory }), other.headImportance(swapped)]) {
      expectSameBits(found.confidence.data, expected.confidence.data, "confidence");
      expectSameBits(found.leaveOneOut.data, expected.leaveOneOut.data, "leaveOneOut");
    }
  });

  test("importance: 0 without rows or keys, NaN where a head sees NaN", () => {
    using layer = engine.createMultiHeadAttention(GROUPED, randomParameters(GROUPED, 12));
    const zeros = new Float32Array(6);
    for (const found of [
      layer.headImportance({ data: new Float32Array(0), dims: [0, embedDim] }),
      layer.headImportance(x, { keyLengths: [0, 0] }),
    ]) {
      expectSameBits(found.confidence.data, zeros, "confidence");
      expectSameBits(found.leaveOneOut.data, zeros, "leaveOneOut");
    }
    const nan = { ...x, data: x.data.map((y, index) => (index === 0 ? NaN : y)) };
    const found = layer.headImportance(nan);
    expect([...found.confidence.data, ...found.leaveOneOut.data].every(Number.isNaN)).toBe(true);
  });
});

describe("mismatches are named", () => {
  const x = normal([3, 24], 14);
  test.each<[string, (make: (config?: object) => MultiHeadAttention) => unknown]>([
    ['circuits: "head" must be an integer from 0 to 3, got 4', (make) => make().circuits(4)],
    ['circuits: "head" is missing, expected an integer from 0 to 3', (make) => make().circuits(undefined as never)],
    [
      'circuits: this layer has "rotary", with which the matrix between two rows depends on their distance',
      (make) => make({ rotary: {} }).circuits(0),
    ],
    [
      'circuits: this layer has "qkNorm", with which scores are not products of rows with one matrix',
      (make) => make({ qkNorm: true }).circuits(0),
    ],
    [
      'headImportance: "x" has dims [3, 4], expected [batch, seq, 24] or [seq, 24] (embedDim is 24)',
      (make) => make().headImportance(normal([3, 4], 1)),
    ],
    [
      'headImportance: unknown option "cache"; a cache would change: give "memory", or all rows as "key"',
      (make) => make().headImportance(x, { cache: make().createCache({ capacity: 9 }) } as never),
    ],
    ['headImportance: unknown option "out"; the options are', (make) => make().headImportance(x, { out: x } as never)],
  ])("%s", (message, call) => {
    using engine = openBuild("simd");
    const parameters = randomParameters(CONFIGS["square"]!, 13);
    const make = (config = {}) => engine.createMultiHeadAttention({ ...CONFIGS["square"]!, ...config }, parameters);
    expect(() => call(make)).toThrow(`MultiHeadAttention.${message}`);
  });
});
