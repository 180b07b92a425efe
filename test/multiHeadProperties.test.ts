/** The promises of a multi-head layer: which calls have the same bits, and which layers are equivalent. */
import { describe, expect, test } from "vitest";
import type { Float32Tensor, Engine, MultiHeadForwardOptions } from "headwise";
import { multiHeadAttention as reference } from "headwise/reference";
import { expectParity, expectSameBits, largestError, poison } from "./support/attention.js";
import { openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import {
  concatenated,
  GROUPED,
  type LayerParameters,
  naiveLayer,
  randomParameters,
  sequenceOf,
  sizesOf,
  type LayerConfig,
} from "./support/layers.js";
import { normal, type TestTensor } from "./support/random.js";

const transposed = ({ data, dims }: TestTensor): TestTensor => {
  const [rows, columns] = dims as [number, number];
  return {
    data: Float32Array.from(data, (_, index) => data[(index % rows) * columns + Math.floor(index / rows)]!),
    dims: [columns, rows],
  };
};

function forward(
  engine: Engine,
  config: LayerConfig,
  parameters: LayerParameters,
  x: TestTensor,
  options?: MultiHeadForwardOptions,
): Float32Array {
  using layer = engine.createMultiHeadAttention(config, parameters);
  poison(engine);
  return layer.forward(x, options).data;
}

const SQUARE: LayerConfig = { embedDim: 24, numHeads: 4 };

onEveryEngine((build, engine) => {
  describe("the same layer, to the bit", () => {
    const parameters = randomParameters(GROUPED, 2, { biases: true });
    const x = normal([2, 13, 20], 8);
    const expected = (): Float32Array => forward(engine, GROUPED, parameters, x, { causal: true });

    test("with the matrices of q, k and v in one", () => {
      const { q, k, v, qBias, kBias, vBias, out, outBias } = parameters;
      const packed = { qkv: concatenated(q, k, v), qkvBias: concatenated(qBias, kBias, vBias), out, outBias };
      expectSameBits(forward(engine, GROUPED, packed, x, { causal: true }), expected(), "outIn");
      const inOut = { ...packed, qkv: transposed(packed.qkv), out: transposed(out) };
      expectSameBits(forward(engine, { ...GROUPED, weightLayout: "inOut" }, inOut, x, { causal: true }), expected(), "inOut");
    });

    test("with matrices in the form of Keras", () => {
      const { q, k, v, qBias, kBias, vBias, out } = parameters;
      const heads = (matrix: TestTensor | undefined, ...dims: number[]): TestTensor => ({ data: transposed(matrix!).data, dims });
      const keras = {
        q: heads(q, 20, 6, 7),
        k: heads(k, 20, 3, 7),
        v: heads(v, 20, 3, 5),
        out: heads(out, 6, 5, 20),
        qBias: { ...qBias!, dims: [6, 7] },
        kBias: { ...kBias!, dims: [3, 7] },
        vBias: { ...vBias!, dims: [3, 5] },
        outBias: parameters.outBias,
      };
      expectSameBits(forward(engine, { ...GROUPED, weightLayout: "inOut" }, keras, x, { causal: true }), expected(), "keras");
    });

    test("from float16 and from the engine's own tensors, which may then be disposed of", () => {
      const placed = (tensor: TestTensor) => {
        const own = engine.tensor(tensor.dims);
        own.data.set(tensor.data);
        return own;
      };
      const given = Object.fromEntries(Object.entries(parameters).map(([name, tensor]) => [name, tensor && placed(tensor)]));
      const layer = engine.createMultiHeadAttention(GROUPED, given as never);
      for (const tensor of Object.values(given)) tensor?.dispose();
      const [input, out] = [placed(x), engine.tensor(x.dims)];
      expect(layer.forward(input, { causal: true, out })).toBe(out);
      expectSameBits(out.data, expected(), "out");
      expect(layer.forward(input, { causal: true, out: input })).toBe(input);
      expectSameBits(input.data, expected(), "out written over x");
      for (const each of [layer, input, out]) each.dispose();
      expect(engine.info.memory.inUse).toBe(0);
    });

    test("added to the contents of out, as in matmul", () => {
      const residual = normal(x.dims, 12);
      const host = { data: residual.data.slice(), dims: x.dims };
      using layer = engine.createMultiHeadAttention(GROUPED, {
        ...parameters,
        out: { ...parameters.out, data: new Float32Array(600) },
      });
      layer.forward(x, { out: host, accumulate: true });
      const bias = parameters.outBias!.data;
      expectSameBits(
        host.data,
        residual.data.map((each, index) => each + bias[index % 20]!),
        "the bias alone is added",
      );
      using real = engine.createMultiHeadAttention(GROUPED, parameters);
      host.data.set(residual.data);
      real.forward(x, { out: host, accumulate: true, causal: true });
      const placed = engine.tensor(x.dims);
      placed.data.set(residual.data);
      real.forward(x, { out: placed, accumulate: true, causal: true });
      expectSameBits(placed.data, host.data, "in the engine's memory");
      const errors = expected().map((each, index) => Math.abs(each + residual.data[index]! - host.data[index]!));
      expect(Math.max(...errors)).toBeLessThan(1e-5);
      placed.dispose();
    });

    test("on one thread", () => {
      using alone = openBuild(build);
      expectSameBits(forward(alone, GROUPED, parameters, x, { causal: true }), expected(), "threads");
    });

    test("for each sequence alone, as rank 2 and as rank 3, and for each row", () => {
      const whole = expected();
      for (const index of [0, 1]) {
        const alone = sequenceOf(x, index);
        const own = whole.subarray(index * 13 * 20, (index + 1) * 13 * 20);
        expectSameBits(forward(engine, GROUPED, parameters, alone, { causal: true }), own, "rank 3");
        expectSameBits(forward(engine, GROUPED, parameters, { ...alone, dims: [13, 20] }, { causal: true }), own, "rank 2");
        const row = { data: alone.data.subarray(12 * 20), dims: [1, 20] };
        expectSameBits(
          forward(engine, GROUPED, parameters, row, { key: { ...alone, dims: [13, 20] } }),
          own.subarray(12 * 20),
          "last row",
        );
      }
    });

    test("with x as key, and also as value", () => {
      const given = forward(engine, GROUPED, parameters, x, {
        key: x,
        value: { data: x.data.slice(), dims: x.dims },
        causal: true,
      });
      expectSameBits(given, expected(), "key");
    });
  });

  describe("gates and pruning", () => {
    test.each<[string, LayerConfig, number[]]>([
      ["one head", SQUARE, [2]],
      ["all but one", SQUARE, [0, 1, 3]],
      ["none", SQUARE, []],
      ["named twice", SQUARE, [1, 1]],
      ["a whole group", GROUPED, [2, 3]],
      ["one of each group", GROUPED, [1, 2, 4]],
      ["groups of different sizes", GROUPED, [0]],
    ])("a layer without heads gives the bits of gates of 0: %s", (_name, config, heads) => {
      const { numHeads, embedDim } = sizesOf(config);
      const gates = Array.from({ length: numHeads }, (_, head) => (head % 2 ? 1 : -0.7));
      const parameters = randomParameters({ ...config, weightLayout: "outIn" }, 7, { biases: true, biasKv: true });
      const x = normal([2, 5, embedDim], 8);
      using layer = engine.createMultiHeadAttention({ ...config, headGates: gates }, parameters);
      using smaller = layer.pruneHeads(heads);
      const headGates = gates.map((gate, head) => (heads.includes(head) ? 0 : gate));
      const expected = layer.forward(x, { headGates, causal: true });
      layer.dispose();
      expectSameBits(smaller.forward(x, { causal: true }).data, expected.data, "out");
    });

    test("a layer without heads whose depth is more than one chain: gates of 0 within 1e-6", () => {
      const config = { embedDim: 600, numHeads: 5 };
      const parameters = randomParameters({ ...config, weightLayout: "outIn" }, 7, { biases: true });
      const x = normal([2, 5, 600], 8);
      using layer = engine.createMultiHeadAttention(config, parameters);
      using smaller = layer.pruneHeads([1, 4]);
      const expected = layer.forward(x, { headGates: [1, 0, 1, 1, 0] });
      expect(largestError(smaller.forward(x).data, expected.data)).toBeLessThan(1e-6);
    });

    test("a gate of 0 removes a head completely, even if it is NaN", () => {
      const parameters = randomParameters(SQUARE, 7);
      parameters.v!.data.fill(NaN, 0, 6 * 24); // of head 0
      const out = forward(engine, SQUARE, parameters, normal([3, 24], 8), { headGates: [0, 1, 1, 1] });
      expect(out.every(Number.isFinite)).toBe(true);
    });
  });

  describe("layers that are equal except for rounding: twice the error of naive float32, plus 4 ulp", () => {
    const truth = (config: LayerConfig, parameters: LayerParameters, x: TestTensor) => {
      const { numHeads } = sizesOf(config);
      const [batch, seqLen] = x.dims as [number, number];
      const dims = [batch, numHeads, seqLen, seqLen];
      const weights = { data: new Float64Array(batch * numHeads * seqLen * seqLen), dims };
      const out = reference(config, parameters, x, { weights });
      return { out: out.data, naive: naiveLayer(config, parameters, x, {}, weights).out };
    };

    test("heads in another order, with the blocks of W^O", () => {
      const parameters = randomParameters(SQUARE, 4);
      const order = [2, 0, 3, 1];
      const blocks = (matrix: TestTensor): TestTensor => ({
        ...matrix,
        data: Float32Array.from(order.flatMap((head) => [...matrix.data.subarray(head * 6 * 24, (head + 1) * 6 * 24)])),
      });
      const { q, k, v, out } = parameters;
      const x = normal([2, 9, 24], 5);
      const shuffled = { q: blocks(q!), k: blocks(k!), v: blocks(v!), out: transposed(blocks(transposed(out))) };
      const expected = truth(SQUARE, parameters, x);
      expectParity("out", forward(engine, SQUARE, shuffled, x), expected.out, expected.naive);
    });

    test("the engine's operations one after the other, to the bit", () => {
      const config = { ...GROUPED, qkNorm: true, rotary: { base: 500, rotaryDim: 4 } };
      const parameters = randomParameters(config, 4, { biases: true, norms: true });
      const { q, k, v, qBias, kBias, vBias, qNorm, kNorm, out, outBias } = parameters;
      const x = normal([2, 9, 20], 5);
      const project = (rows: Float32Tensor, matrix?: TestTensor, bias?: TestTensor) =>
        engine.matmul(rows, matrix!, { transposeB: true, bias });
      const heads = (rows: Float32Tensor, count: number) => ({ ...rows, dims: [2, 9, count, rows.dims[2]! / count] });
      const turned = (rows: Float32Tensor, weight?: TestTensor) => engine.rotary(engine.rmsNorm(rows, { weight }), config.rotary);
      const attended = engine.scaledDotProductAttention(
        turned(heads(project(x, q, qBias), 6), qNorm),
        turned(heads(project(x, k, kBias), 3), kNorm),
        heads(project(x, v, vBias), 3),
        { causal: true },
      );
      const expected = project({ ...attended, dims: [2, 9, 30] }, out, outBias);
      expectSameBits(forward(engine, config, parameters, x, { causal: true }), expected.data, "out");
    });

    test("one head is attention between projections, to the bit", () => {
      const config = { embedDim: 9, numHeads: 1, headDim: 6 };
      const { q, k, v, out } = randomParameters(config, 4);
      const x = normal([7, 9], 5);
      const project = (matrix: TestTensor | undefined, rows: Float32Tensor) => engine.matmul(rows, matrix!, { transposeB: true });
      const head = engine.scaledDotProductAttention(project(q, x), project(k, x), project(v, x), { causal: true });
      const expected = project(out, head);
      expectSameBits(forward(engine, config, { q, k, v, out }, x, { causal: true }), expected.data, "out");
    });

    /** QK and OV circuits, with [out, in] parameters and no biases: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits". */
    test("Σ_h A_h x W_Vᵀ W_Oᵀ with A_h = softmax(x W_Qᵀ W_K xᵀ / √headDim)", () => {
      const [rows, embedDim, numHeads, headDim] = [6, 8, 2, 4];
      const config = { embedDim, numHeads };
      const parameters = randomParameters(config, 9);
      const x = normal([1, rows, embedDim], 10);
      const [q, k, v, o] = [parameters.q!, parameters.k!, parameters.v!, parameters.out].map(({ data }) => data) as [
        ...[Float32Array, Float32Array, Float32Array, Float32Array],
      ];
      const out = new Float64Array(rows * embedDim);
      for (let h = 0; h < numHeads; h++) {
        const circuit = (pair: (from: number, to: number, c: number) => number): Float64Array => {
          const matrix = new Float64Array(embedDim * embedDim);
          for (let index = 0; index < matrix.length; index++)
            for (let c = h * headDim; c < (h + 1) * headDim; c++)
              matrix[index]! += pair(Math.floor(index / embedDim), index % embedDim, c);
          return matrix;
        };
        const queryKey = circuit((from, to, c) => q[c * embedDim + from]! * k[c * embedDim + to]!); // W_Qᵀ W_K of the head
        const outputValue = circuit((from, to, c) => v[c * embedDim + from]! * o[to * embedDim + c]!); // W_Vᵀ W_Oᵀ of the head
        for (let i = 0; i < rows; i++) {
          const scores = Array.from({ length: rows }, (_, j) => {
            let sum = 0;
            for (let a = 0; a < embedDim; a++)
              for (let b = 0; b < embedDim; b++)
                sum += x.data[i * embedDim + a]! * queryKey[a * embedDim + b]! * x.data[j * embedDim + b]!;
            return Math.exp(sum / Math.sqrt(headDim));
          });
          const total = scores.reduce((a, b) => a + b, 0);
          for (let j = 0; j < rows; j++)
            for (let a = 0; a < embedDim; a++)
              for (let b = 0; b < embedDim; b++)
                out[i * embedDim + b]! += (scores[j]! / total) * x.data[j * embedDim + a]! * outputValue[a * embedDim + b]!;
        }
      }
      expectParity("out", forward(engine, config, parameters, x), out, truth(config, parameters, x).naive);
    });
  });

  describe("extra keys", () => {
    const config = { embedDim: 12, numHeads: 3, addZeroAttention: true };
    const parameters = randomParameters(config, 3, { biasKv: true });

    test("every row sees them, even the first of a causal call and one whose mask hides all others", () => {
      using layer = engine.createMultiHeadAttention(config, parameters);
      const weights = { data: new Float32Array(3 * 4 * 6), dims: [3, 4, 6] };
      layer.forward(normal([4, 12], 6), { causal: true, mask: { data: Uint8Array.of(1, 1, 0, 1), dims: [4, 1] }, weights });
      for (let row = 0; row < 12; row++) {
        const seen = Array.from(weights.data.subarray(row * 6, row * 6 + 6), (weight) => weight > 0);
        const others = Array.from({ length: 4 }, (_, key) => key <= row % 4 && row % 4 !== 2);
        expect(seen, `row ${row}`).toEqual([...others, true, true]);
      }
    });

    test("what lies between them and the keys of a sequence has no influence, and padding on the left changes no bit", () => {
      using layer = engine.createMultiHeadAttention(config, parameters);
      const [x, key] = [normal([1, 4, 12], 6), normal([1, 9, 12], 7)];
      const bias = normal([4, 9], 8);
      const nothing = { data: new Float32Array(5 * 12).fill(NaN), dims: [1, 5, 12] };
      const joined = (...parts: TestTensor[]): TestTensor => ({
        data: Float32Array.from(parts.flatMap(({ data }) => [...data])),
        dims: [1, 14, 12],
      });
      const expected = layer.forward(x, { key, bias, causal: true }).data;
      const shifted = { data: new Float32Array(4 * 14).fill(NaN), dims: [4, 14] };
      for (let row = 0; row < 4; row++) shifted.data.set(bias.data.subarray(9 * row, 9 * row + 9), 14 * row + 5);
      const behind = { key: joined(nothing, key), keyStarts: [5], bias: shifted, causal: true };
      expectSameBits(layer.forward(x, behind).data, expected, "padded on the left");
      const weights = { data: new Float32Array(3 * 4 * 16), dims: [1, 3, 4, 16] };
      const before = { key: joined(key, nothing), keyLengths: [9], bias, shortMask: "hide", causal: true, weights } as const;
      expect(largestError(layer.forward(x, before).data, expected)).toBeLessThan(1e-6);
      expect(weights.data.filter((_, index) => index % 16 >= 9 && index % 16 < 14).every((weight) => weight === 0)).toBe(true);
    });

    test("scores of packed sequences are those of their own keys and the extra ones: 1e-5", () => {
      using layer = engine.createMultiHeadAttention(config, parameters);
      const x = normal([1, 20, 12], 6);
      const options = { cuSeqlensQ: [0, 3, 3, 20], causal: true, scoresStage: "scaled" } as const;
      const scores = { data: new Float32Array(3 * 20 * 22), dims: [1, 3, 20, 22] };
      const truthScores = { data: new Float64Array(scores.data.length), dims: scores.dims };
      layer.forward(x, { ...options, scores });
      reference(config, parameters, x, { ...options, scores: truthScores });
      const finite = (numbers: ArrayLike<number>): number[] => Array.from(numbers, (score) => (score === -Infinity ? 1e9 : score));
      expect(largestError(finite(scores.data), finite(truthScores.data))).toBeLessThan(1e-5);
    });

    test("in memory of several blocks", () => {
      using layer = engine.createMultiHeadAttention(config, parameters);
      const [x, key] = [normal([2, 1, 12], 6), normal([2, 1100, 12], 7)];
      using memory = layer.projectKeys(key);
      for (const options of [{}, { causal: true, queryOffset: 40 }, { window: [3, 2], queryOffset: 600 }] as const) {
        expectSameBits(layer.forward(x, { memory, ...options }).data, layer.forward(x, { key, ...options }).data, "memory");
      }
    });

    test("the key of zeros has score 0 and no value", () => {
      const zeros = { embedDim: 2, numHeads: 1, addZeroAttention: true };
      const one = { data: Float32Array.of(1, 0, 0, 1), dims: [2, 2] };
      using layer = engine.createMultiHeadAttention(zeros, { q: one, k: one, v: one, out: one });
      const out = layer.forward({ data: Float32Array.of(0, 6), dims: [1, 2] }, { scale: 0 });
      expect([...out.data]).toEqual([0, 3]); // halves of 6 and of nothing
    });
  });

  test("no rows and no keys", () => {
    const parameters = randomParameters(SQUARE, 3, { biases: true });
    using layer = engine.createMultiHeadAttention(SQUARE, parameters);
    const empty = (...dims: number[]): TestTensor => ({ data: new Float32Array(0), dims });
    expect(layer.forward(empty(2, 0, 24)).dims).toEqual([2, 0, 24]);
    expect(layer.forward(empty(0, 5, 24)).dims).toEqual([0, 5, 24]);
    const out = layer.forward(normal([2, 24], 1), { key: empty(0, 24) });
    expectSameBits(out.data, [...parameters.outBias!.data, ...parameters.outBias!.data], "the bias alone");
    using memory = layer.projectKeys(empty(0, 24));
    expectSameBits(layer.forward(normal([2, 24], 1), { memory }).data, out.data, "memory without keys");
    using cache = layer.createCache({ capacity: 5 });
    expect(layer.forward(empty(0, 24), { cache }).dims).toEqual([0, 24]);
    expect(cache.length).toBe(0);
  });

  test("with more than a megabyte of scratch the memory may grow in the middle of a call", () => {
    using fresh = openBuild(build);
    const config = { embedDim: 64, numHeads: 2 };
    const parameters = randomParameters(config, 3);
    const x = normal([900, 64], 4);
    expectSameBits(forward(fresh, config, parameters, x), forward(engine, config, parameters, x), "out");
  });
});
