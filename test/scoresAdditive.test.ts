/** Additive scores: their forms by the size of projected rows, large and small score vectors, and what the definition says of them. */
import { describe, expect, test } from "vitest";
import type { AdditiveParameters, ScoreOptions } from "headwise";
import { additiveAttention as reference } from "headwise/reference";
import { largestError, parseShape } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, type TestTensor, uniform } from "./support/random.js";
import { additive, checkScore, inputsFor } from "./support/scores.js";

const identity = (size: number): TestTensor => ({
  data: Float32Array.from({ length: size * size }, (_, index) => Number(index % (size + 1) === 0)),
  dims: [size, size],
});
const constant = (dims: number[], value: number): TestTensor => ({
  data: new Float32Array(dims.reduce((x, y) => x * y, 1)).fill(value),
  dims,
});

/** Rows with elements up to `largest` in magnitude, of which each has one. */
function rowsUpTo(count: number, channels: number, largest: number | readonly number[], seed: number): TestTensor {
  const next = uniform(seed);
  const data = Float32Array.from({ length: count * channels }, (_, index) => {
    const row = Math.floor(index / channels);
    const most = typeof largest === "number" ? largest : largest[row % largest.length]!;
    const isLargest = index % channels === row % channels;
    return most * (isLargest ? (next() < 0.5 ? -1 : 1) : 2 * next() - 1);
  });
  return { data, dims: [count, channels] };
}

/** Where forms change, just below and above, and beyond. */
const SIZES = [1e-30, 1e-3, 0.1999, 0.2001, 1, 10.69, 10.71, 33.99, 34.01, 60, 1e30];

onEveryEngine((_, engine) => {
  /** The scores of rows and keys that are projected already, [rows, keys]. */
  function scoresOf(
    q: TestTensor,
    k: TestTensor,
    u: Float32Array,
    options: ScoreOptions = {},
    others: Partial<AdditiveParameters> = {},
  ) {
    const [rows, hidden] = q.dims as [number, number];
    const keys = k.dims[0]!;
    const parameters = { query: identity(hidden), score: { data: u, dims: [hidden] }, ...others };
    const v = constant([keys, 1], 1);
    const found = constant([rows, keys], 0);
    const truth = { data: new Float64Array(rows * keys), dims: [rows, keys] };
    engine.additiveAttention(q, k, v, parameters, { ...options, scores: found });
    reference(q, k, v, parameters as never, { ...(options as object), scores: truth });
    return { found: found.data, truth: truth.data };
  }

  /** The largest error, as a share of Σ_c │u_c│ min(1, │a_c│ + │b_c│) of the pair. */
  function relativeError(q: TestTensor, k: TestTensor, u: Float32Array, options: ScoreOptions = {}, summed = 1): number {
    const { found, truth } = scoresOf(q, k, u, options);
    const hidden = u.length;
    let worst = 0;
    for (const [index, score] of truth.entries()) {
      const [row, key] = [Math.floor(index / k.dims[0]!), index % k.dims[0]!];
      const sum = u.reduce((all, x, c) => {
        const size = Math.abs(q.data[row * hidden + c]!) + Math.abs(k.data[key * hidden + c]!);
        return all + Math.abs(x) * Math.min(summed, size);
      }, 0);
      const error = Math.abs(found[index]! - score) / (Math.abs((options.scale as number | undefined) ?? 1) * sum);
      if (!(error <= worst)) worst = error;
    }
    return worst;
  }

  /** Of Σ_c │u_c│ min(1, │a_c│ + │b_c│): a fast form is allowed 16 of the errors below, each 3 ulp at most. */
  const BOUND = 16 * 3 * 2 ** -24;

  describe("errors, as a share of Σ │u│ min(1, │a│ + │b│)", () => {
    const seeds = uniform(5);
    const u = normal([9], 4).data;
    test.each(SIZES)("rows up to %s, keys of every size in one panel", (size) => {
      const q = rowsUpTo(5, 9, size, 1000 * seeds());
      for (const keySize of SIZES) {
        expect(relativeError(q, rowsUpTo(19, 9, keySize, 2), u), `keys up to ${keySize}`).toBeLessThan(BOUND);
      }
      expect(relativeError(q, rowsUpTo(44, 9, SIZES, 3), u), "keys of every size").toBeLessThan(BOUND);
    });

    test.each([1e-45, 1e-38, 1e-3, 1, 1e4, 1e18, 2e19, 1e30, 3e37])("score vectors of %s", (size) => {
      const large = u.map((x) => (x * size) / 3);
      if (size > 1e-30) {
        for (const rows of [0.01, 5, 20, 50]) {
          const [q, k] = [rowsUpTo(6, 9, rows, 6), rowsUpTo(30, 9, SIZES, 7)];
          expect(relativeError(q, k, large), `rows up to ${rows}`).toBeLessThan(BOUND);
          expect(relativeError(q, k, large, { scale: 1e-30 }), `rows up to ${rows}, and scaled down`).toBeLessThan(BOUND);
        }
        return;
      }
      const { found, truth } = scoresOf(rowsUpTo(6, 9, 5, 6), rowsUpTo(30, 9, SIZES, 7), large);
      expect(largestError(found, truth), "a subnormal step for each channel").toBeLessThan(20 * 2 ** -149);
    });

    test("small rows and keys: 3 ulp, whatever the sizes in a row", () => {
      for (const size of [1e-30, 1e-3, 0.05, 0.1999]) {
        const [q, k] = [rowsUpTo(6, 9, size, 23), rowsUpTo(30, 9, size, 24)];
        expect(relativeError(q, k, u), `up to ${size}`).toBeLessThan(3 * 2 ** -24);
      }
    });

    test("a large element of u on a small channel, beside large channels", () => {
      const heavy = Float32Array.from({ length: 8 }, (_, c) => (c === 3 ? 1e6 : 1));
      for (const small of [1e-6, 1e-4, 1e-2]) {
        for (const large of [0.5, 5, 20]) {
          const [q, k] = [rowsUpTo(5, 8, large, 8), rowsUpTo(30, 8, large, 9)];
          for (let row = 0; row < 5; row++) q.data[8 * row + 3] = small * (row + 1);
          for (let key = 0; key < 30; key++) k.data[8 * key + 3] = small * (key % 7);
          expect(relativeError(q, k, heavy), `${small} beside ${large}`).toBeLessThan(BOUND);
        }
      }
    });

    test("a large and a very small element of u", () => {
      const mixed = Float32Array.of(3e38, 1e-5);
      const [q, k] = [rowsUpTo(3, 2, 3, 10), rowsUpTo(20, 2, 3, 11)];
      for (let row = 0; row < 3; row++) q.data[2 * row] = 0;
      for (let key = 0; key < 20; key++) k.data[2 * key] = 0;
      expect(relativeError(q, k, mixed)).toBeLessThan(BOUND);
    });

    test("a scale whose product with the score vector overflows", () => {
      const [q, k] = [rowsUpTo(3, 1, 1e-10, 12), rowsUpTo(20, 1, 1e-10, 13)];
      expect(relativeError(q, k, Float32Array.of(3e38), { scale: 1e9 })).toBeLessThan(BOUND);
      expect(
        relativeError(rowsUpTo(3, 1, 0.3, 14), rowsUpTo(20, 1, 0.3, 15), Float32Array.of(3e38), { scale: -1e-38 }),
      ).toBeLessThan(BOUND);
    });

    test.each(["relu", "gelu"] as const)("%s of large and small rows", (activation) => {
      for (const size of SIZES.slice(0, -1)) {
        const [q, k] = [rowsUpTo(4, 5, size, 16), rowsUpTo(20, 5, size, 17)];
        const { found, truth } = scoresOf(q, k, u.subarray(0, 5), {}, { activation });
        const summed = u.subarray(0, 5).reduce((sum, x) => sum + 2 * size * Math.abs(x), 0);
        expect(largestError(found, truth), `up to ${size}`).toBeLessThan(8 * 2 ** -24 * summed);
      }
    });
  });

  test("±∞ in rows is the limit of tanh, in u the limit of a product; −∞ against ∞ is NaN, for that pair alone", () => {
    const column = (...data: number[]): TestTensor => ({ data: Float32Array.from(data), dims: [data.length, 1] });
    const rows = column(Infinity, -Infinity, 0.1, 5, 30, 3e38);
    const keys = column(0.05, 1, 20, 50, -Infinity, Infinity, -3e38, -0.1, 0.01);
    for (const u of [2, -1e30, Infinity, -Infinity, NaN]) {
      const { found, truth } = scoresOf(rows, keys, Float32Array.of(u));
      for (const [index, score] of truth.entries()) {
        if (Number.isFinite(score)) expect(Math.abs(found[index]! - score)).toBeLessThan(1e-6 * Math.abs(u));
        else expect(found[index], `u ${u}, pair ${index}`).toBe(score);
      }
    }
    const { found } = scoresOf(rows, keys, Float32Array.of(2));
    expect([...found.keys()].filter((index) => Number.isNaN(found[index]))).toEqual([4, 9 + 5]);
  });

  test("the bits of a pair depend on nothing but the pair: classes of all kinds as neighbours", () => {
    const [q, k] = [rowsUpTo(7, 6, SIZES, 20), rowsUpTo(40, 6, SIZES, 21)];
    const u = normal([6], 22, 100).data;
    u[2] = 1e5;
    const { found } = scoresOf(q, k, u);
    for (let row = 0; row < 7; row++) {
      for (const key of [0, 5, 8, 17, 39]) {
        const alone = scoresOf(
          { data: q.data.subarray(6 * row, 6 * row + 6), dims: [1, 6] },
          { data: k.data.subarray(6 * key, 6 * key + 6), dims: [1, 6] },
          u,
        );
        expect(alone.found[0]).toBe(found[40 * row + key]);
      }
    }
  });

  test("A = B = 0: the mean of v", () => {
    const [q, k, v] = [normal([3, 4], 1), normal([10, 5], 2), normal([10, 2], 3)];
    const zero = { query: constant([6, 4], 0), key: constant([6, 5], 0), score: normal([6], 4), bias: normal([6], 5) };
    const { data } = engine.additiveAttention(q, k, v, zero);
    for (const [index, mean] of data.entries()) {
      const sum = Array.from({ length: 10 }, (_, j) => v.data[2 * j + (index % 2)]!).reduce((a, b) => a + b);
      expect(Math.abs(mean - sum / 10)).toBeLessThan(1e-6);
    }
  });

  test("W = [B, A] on [q; k] is the score of a layer on both", () => {
    const [rows, keys, hidden, qDim, kDim] = [4, 7, 5, 3, 2];
    const [q, k, v] = [normal([rows, qDim], 1), normal([keys, kDim], 2), normal([keys, 2], 3)];
    const [w, u, bias] = [normal([hidden, qDim + kDim], 4), normal([hidden], 5), normal([hidden], 6)];
    const columns = (from: number, count: number): TestTensor => ({
      data: Float32Array.from(
        { length: hidden * count },
        (_, index) => w.data[Math.floor(index / count) * (qDim + kDim) + from + (index % count)]!,
      ),
      dims: [hidden, count],
    });
    const scores = constant([rows, keys], 0);
    engine.additiveAttention(q, k, v, { query: columns(0, qDim), key: columns(qDim, kDim), score: u, bias }, { scores });
    for (const [index, score] of scores.data.entries()) {
      const [i, j] = [Math.floor(index / keys), index % keys];
      const both = [...q.data.subarray(i * qDim, (i + 1) * qDim), ...k.data.subarray(j * kDim, (j + 1) * kDim)];
      const layer = Array.from({ length: hidden }, (_, c) =>
        both.reduce((sum, x, d) => sum + x * w.data[c * (qDim + kDim) + d]!, bias.data[c]!),
      );
      const expected = layer.reduce((sum, x, c) => sum + u.data[c]! * Math.tanh(x), 0);
      expect(Math.abs(score - expected)).toBeLessThan(4e-6);
    }
  });

  test.each([1, 2, 63, 64, 65, 131])("hidden %i", (hidden) => {
    const shape = parseShape("B1-S5-KV18-H2/1-D6:3");
    const score = additive("additive", 4, {
      query: normal([hidden, 6], 1),
      key: normal([1, hidden, 4], 2),
      score: normal([2, hidden], 3),
      bias: normal([hidden], 4),
    });
    checkScore(engine, shape, score, inputsFor(shape, score, 5));
  });
});
