/** Cosines and bilinear forms: what their definitions say, and numbers near the ends of float32. */
import { describe, expect, test } from "vitest";
import type { ScoreOptions } from "headwise";
import { cosineAttention as reference } from "headwise/reference";
import { expectSameBits, largestError, parseShape } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, type TestTensor } from "./support/random.js";
import { inputsFor, randomBilinear } from "./support/scores.js";

const times = ({ data, dims }: TestTensor, factor: number): TestTensor => ({ data: data.map((x) => x * factor), dims });

/** Each row times a factor of its own. */
const rowsTimes = ({ data, dims }: TestTensor, factors: readonly number[]): TestTensor => ({
  data: data.map((x, index) => x * factors[Math.floor(index / dims.at(-1)!) % factors.length]!),
  dims,
});

onEveryEngine((_, engine) => {
  describe("cosines", () => {
    const [q, k, v] = [normal([6, 20], 1), normal([33, 20], 2), normal([33, 3], 3)];

    function scoresOf(query: TestTensor, key: TestTensor, options: ScoreOptions = {}) {
      const dims = [query.dims[0]!, key.dims[0]!];
      const found = { data: new Float32Array(dims[0]! * dims[1]!), dims };
      const truth = { data: new Float64Array(found.data.length), dims };
      const values = { data: new Float32Array(dims[1]!), dims: [dims[1]!, 1] };
      engine.cosineAttention(query, key, values, { ...options, scores: found });
      reference(query, key, values, { ...(options as object), scores: truth });
      return { found: found.data, truth: truth.data };
    }

    test("powers of two as factors on rows and keys change no bit", () => {
      const truth = engine.cosineAttention(q, k, v, { scale: 5 }).data;
      const powers = [2 ** -60, 2 ** -3, 1, 2 ** 10, 2 ** 62, 2 ** 66, 2 ** 100, 2 ** 120];
      expectSameBits(engine.cosineAttention(q, rowsTimes(k, powers), v, { scale: 5 }).data, truth, "keys");
      for (const power of [...powers, 2 ** -66, 2 ** -100]) {
        expect(largestError(engine.cosineAttention(times(q, power), k, v, { scale: 5 }).data, truth), `${power}`).toBeLessThan(
          2e-6,
        );
      }
    });

    test.each([
      [3e38, 3e38],
      [3e38, 1e-30],
      [1e-30, 3e38],
      [1e-30, 1e-30],
      [1e-38, 1],
      [1e-42, 1],
      [1, 1e-34],
    ])("rows near %s and keys near %s", (ofRows, ofKeys) => {
      const most = 5; // of normal numbers
      const [rows, keys] = [times(q, ofRows / most), times(k, ofKeys / most)];
      const { found, truth } = scoresOf(rows, keys);
      expect(truth.every(Number.isFinite)).toBe(true);
      expect(largestError(found, truth)).toBeLessThan(4 * 2 ** -23);
    });

    test("as many channels as there may be, all of the largest float32", () => {
      const largest = 3.4028234663852886e38;
      const row = { data: new Float32Array(4096).fill(largest), dims: [1, 4096] };
      const { found } = scoresOf(row, { data: row.data.map((x, c) => (c % 4 ? x : -x)), dims: row.dims });
      expect(Math.abs(found[0]! - 0.5)).toBeLessThan(4 * 2 ** -23);
    });

    test("the scale multiplies cosines, for all heads and for each", () => {
      for (const scale of [0, -3, 1e-30, 2e37]) {
        const { found, truth } = scoresOf(q, k, { scale });
        expect(largestError(found, truth)).toBeLessThanOrEqual(4 * 2 ** -23 * Math.abs(scale));
      }
    });

    test("a zero vector has the cosine 0, among rows and among keys", () => {
      const [rows, keys] = [times(q, 1), times(k, 1)];
      rows.data.fill(0, 40, 60);
      keys.data.fill(0, 0, 20);
      const { found, truth } = scoresOf(rows, keys, { scale: 7 });
      expect([...found.subarray(66, 99)]).toEqual(new Array(33).fill(0));
      expect(largestError(found, truth)).toBeLessThan(7 * 4 * 2 ** -23);
    });

    test("an infinite element leaves no direction: NaN", () => {
      const rows = times(q, 1);
      rows.data[0] = Infinity;
      const { found } = scoresOf(rows, k);
      expect(found.subarray(0, 33).every(Number.isNaN)).toBe(true);
      expect(found.subarray(33).some(Number.isNaN)).toBe(false);
    });

    test("int8: the cosines of rounded keys", () => {
      const [rows, keys, values] = [normal([1, 5, 2, 16], 4), normal([1, 530, 1, 16], 5), normal([1, 530, 1, 3], 6)];
      using cache = engine.createKVCache({ numKvHeads: 1, headDim: 16, valueDim: 3, capacity: 530, dtype: "int8" });
      cache.append(rowsTimes(keys, [1, 1e20, 1e-20]), values);
      const stored = cache.read();
      const truth = reference(rows, stored.k, stored.v, { causal: true, scale: 3 });
      expect(largestError(engine.cosineAttention(rows, cache, null, { scale: 3 }).data, truth.data)).toBeLessThan(2e-3);
    });
  });

  describe("bilinear forms", () => {
    const shape = parseShape("B2-S5-KV530-H4/2-D8:3");

    test("U = 1: the product, to the bit", () => {
      const { q, k, v } = inputsFor(shape, { ...randomBilinear(shape), kDim: 8 }, 1);
      const weight = {
        data: Float32Array.from({ length: 64 }, (_, index) => Number(index % 9 === 0)),
        dims: [8, 8],
      };
      for (const options of [{}, { scale: 0.3, causal: true }] as const) {
        const truth = engine.scaledDotProductAttention(q, k, v, { scale: 1, ...options });
        expectSameBits(engine.bilinearAttention(q, k, v, { weight }, options).data, truth.data, "one for all heads");
        const each = { data: Float32Array.from({ length: 256 }, (_, index) => weight.data[index % 64]!), dims: [4, 8, 8] };
        expectSameBits(engine.bilinearAttention(q, k, v, { weight: each }, options).data, truth.data, "one for each");
      }
    });

    test("q U in place of q, to the bit", () => {
      const weight = normal([8, 11], 2);
      const { q, k, v } = inputsFor(shape, randomBilinear(shape, 11), 3);
      const product = engine.matmul(q, weight);
      const truth = engine.scaledDotProductAttention(product, k, v, { scale: 1, causal: true });
      expectSameBits(engine.bilinearAttention(q, k, v, { weight }, { causal: true }).data, truth.data, "matmul");
    });
  });
});
