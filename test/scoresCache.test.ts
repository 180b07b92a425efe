/** Other scores on caches: rows one by one have the bits of one call, split over threads and not. */
import { describe, expect, test } from "vitest";
import type { AdditiveParameters, Engine, Float32Tensor, KVCache, ScoreOptions, TensorLike } from "headwise";
import { expectSameBits, largestError } from "./support/attention.js";
import { cutRows } from "./support/cacheRows.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, type TestTensor } from "./support/random.js";

const [ROWS, HEADS, KV_HEADS, DIM] = [1100, 4, 2, 8];
const [q, k, v] = [normal([1, ROWS, HEADS, DIM], 1), normal([1, ROWS, KV_HEADS, DIM], 2), normal([1, ROWS, KV_HEADS, DIM], 3)];
const additive: AdditiveParameters = {
  query: normal([HEADS, DIM, DIM], 4),
  score: normal([HEADS, DIM], 5),
  bias: normal([DIM], 6),
};
const bilinear = { weight: normal([DIM, DIM], 7) };

type Attend = (
  engine: Engine,
  q: TensorLike,
  k: TensorLike | KVCache,
  v: TensorLike | null,
  options?: ScoreOptions,
) => Float32Tensor;
const SCORES: [name: string, dtype: "float32" | "int8", attend: Attend][] = [
  ["additive", "float32", (engine, ...args) => engine.additiveAttention(args[0], args[1], args[2], additive, args[3])],
  ["bilinear", "float32", (engine, ...args) => engine.bilinearAttention(args[0], args[1], args[2], bilinear, args[3])],
  ["bilinear", "int8", (engine, ...args) => engine.bilinearAttention(args[0], args[1], args[2], bilinear, args[3])],
  ["cosine", "float32", (engine, ...args) => engine.cosineAttention(...args)],
  ["cosine", "int8", (engine, ...args) => engine.cosineAttention(...args)],
];

onEveryEngine((_, engine) => {
  const cacheOf = (dtype: "float32" | "int8", options: object = {}): KVCache =>
    engine.createKVCache({ numKvHeads: KV_HEADS, headDim: DIM, capacity: ROWS, dtype, ...options });

  describe.each(SCORES)("%s, %s", (_name, dtype, attend) => {
    test("rows one by one, and in pieces, have the bits of one call", () => {
      using cache = cacheOf(dtype);
      cache.append(k, v);
      const all = attend(engine, q, cache, null).data;
      if (dtype === "float32") expectSameBits(attend(engine, q, k, v, { causal: true }).data, all, "keys given");
      using growing = cacheOf(dtype);
      const width = HEADS * DIM;
      for (const [from, to] of [
        [0, 1],
        [1, 2],
        [2, 509],
        [509, 512],
        [512, 513],
        [513, 1040],
        [1040, 1099],
        [1099, 1100],
      ] as const) {
        growing.append(cutRows(k, from, to), cutRows(v, from, to));
        const piece = attend(engine, cutRows(q, from, to), growing, undefined as never).data;
        expectSameBits(piece, all.subarray(from * width, to * width), `rows ${from} to ${to}`);
      }
    });

    test("a rolling cache, at its window and first tokens", () => {
      using cache = cacheOf(dtype, { policy: "rolling", window: 40, sinkTokens: 3, capacity: 700 });
      using whole = cacheOf(dtype);
      whole.append(k, v);
      for (let from = 0; from < ROWS; from += 275) cache.append(cutRows(k, from, from + 275), cutRows(v, from, from + 275));
      const last = cutRows(q, ROWS - 1, ROWS);
      const truth = attend(engine, last, whole, null, { window: 40, sinkTokens: 3 }).data;
      expectSameBits(attend(engine, last, cache, null).data, truth, "evicted keys");
    });

    test("sequences of different lengths", () => {
      using cache = cacheOf(dtype, { batchSize: 2 });
      const twice = (x: TestTensor): TestTensor => ({
        data: Float32Array.of(...x.data, ...x.data.map((y) => -y)),
        dims: [2, ...x.dims.slice(1)],
      });
      const [k2, v2] = [twice(cutRows(k, 0, 600)), twice(cutRows(v, 0, 600))];
      cache.append(k2, v2, { keyLengths: [600, 33] });
      const q2 = twice(cutRows(q, 0, 3));
      const both = attend(engine, q2, cache, null).data;
      using second = cacheOf(dtype);
      const half = (x: TestTensor, rows: number): TestTensor => ({
        data: x.data.slice(x.data.length / 2).subarray(0, (rows * x.data.length) / (2 * x.dims[1]!)),
        dims: [1, rows, ...x.dims.slice(2)],
      });
      second.append(half(k2, 33), half(v2, 33));
      expectSameBits(attend(engine, half(q2, 3), second, null).data, both.subarray(both.length / 2), "the second sequence");
    });
  });

  test("keys projected by matmul, once, have the bits of `key`", () => {
    const key = normal([DIM, 5], 8);
    const raw = normal([1, ROWS, KV_HEADS, 5], 9);
    const truth = engine.additiveAttention(q, raw, v, { ...additive, key }, { causal: true }).data;
    const projected = engine.matmul(raw, key, { transposeB: true });
    expectSameBits(engine.additiveAttention(q, projected, v, additive, { causal: true }).data, truth, "projected");
    using cache = cacheOf("float32");
    cache.append(projected, v);
    expectSameBits(engine.additiveAttention(q, cache, null, additive).data, truth, "in a cache");
  });

  test("int8 keys cannot be added, and projected keys are not projected again", () => {
    using int8 = cacheOf("int8");
    int8.append(k, v);
    expect(() => engine.additiveAttention(q, int8, null, additive)).toThrow(
      new RangeError('additiveAttention: "k" is a cache of int8, whose keys can only be multiplied; expected dtype "float32"'),
    );
    using cache = cacheOf("float32");
    cache.append(k, v);
    expect(() => engine.additiveAttention(q, cache, null, { ...additive, key: normal([DIM, DIM], 8) })).toThrow(
      '"key" cannot be combined with a cache, which holds projected keys; append engine.matmul(k, key, { transposeB: true })',
    );
    expect(() => engine.cosineAttention(q, cache, v)).toThrow('"v" must be absent where "k" is a KVCache');
  });

  test("int8 keys of a bilinear form: those that the cache holds", () => {
    using cache = cacheOf("int8");
    cache.append(k, v);
    const stored = cache.read();
    const truth = engine.bilinearAttention(q, stored.k, stored.v, bilinear, { causal: true, scale: 0.2 }).data;
    expect(largestError(engine.bilinearAttention(q, cache, null, bilinear, { scale: 0.2 }).data, truth)).toBeLessThan(4e-3);
  });
});
