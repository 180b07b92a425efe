/** The cache of keys and values: the bits of one call, however the tokens are split. */
import { describe, expect, test } from "vitest";
import type { KVCache, KVCacheOptions } from "headwise";
import { cutRows, expectSameBits } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, randomMask, type TestTensor } from "./support/random.js";

const SHAPES = [
  { name: "B1-S600-H2/2-D8", batchSize: 1, length: 600, numHeads: 2, numKvHeads: 2, headDim: 8, valueDim: 8 },
  { name: "B2-S530-H6/2-D5:11", batchSize: 2, length: 530, numHeads: 6, numKvHeads: 2, headDim: 5, valueDim: 11 },
  { name: "B1-S1100-H8/1-D20:36", batchSize: 1, length: 1100, numHeads: 8, numKvHeads: 1, headDim: 20, valueDim: 36 },
] as const;

function inputsOf({ batchSize, length, numHeads, numKvHeads, headDim, valueDim }: (typeof SHAPES)[number], seed: number) {
  return {
    q: normal([batchSize, length, numHeads, headDim], seed),
    k: normal([batchSize, length, numKvHeads, headDim], seed + 1),
    v: normal([batchSize, length, numKvHeads, valueDim], seed + 2),
  };
}

/** Appends and attends piece by piece; returns the outputs, joined. */
function inPieces(
  cache: KVCache,
  { q, k, v }: Record<"q" | "k" | "v", TestTensor>,
  ends: readonly number[],
  options = {},
): TestTensor {
  const [batch, length, heads] = q.dims as [number, number, number];
  const valueDim = v.dims[3]!;
  const out = new Float32Array(batch * length * heads * valueDim);
  let from = 0;
  for (const to of ends) {
    cache.append(cutRows(k, from, to), cutRows(v, from, to));
    const part = cache.attend(cutRows(q, from, to), options);
    const width = heads * valueDim;
    for (let b = 0; b < batch; b++) {
      out.set(part.data.subarray(b * (to - from) * width, (b + 1) * (to - from) * width), (b * length + from) * width);
    }
    from = to;
  }
  return { data: out, dims: [batch, length, heads, valueDim] };
}

/** Ends of pieces of these sizes, repeated up to `length`. */
function endsOf(length: number, ...sizes: number[]): number[] {
  const ends = [];
  for (let end = 0, index = 0; end < length; index++) ends.push((end = Math.min(length, end + sizes[index % sizes.length]!)));
  return ends;
}

onEveryEngine((build, engine) => {
  describe.each(SHAPES)("$name › seed 3", (shape) => {
    const inputs = inputsOf(shape, 3);
    const { length, ...sizes } = shape;
    const whole = (options = {}) => engine.scaledDotProductAttention(inputs.q, inputs.k, inputs.v, { causal: true, ...options });
    const create = (options: Partial<KVCacheOptions> = {}) =>
      engine.createKVCache({
        batchSize: sizes.batchSize,
        numKvHeads: sizes.numKvHeads,
        headDim: sizes.headDim,
        valueDim: sizes.valueDim,
        capacity: length,
        ...options,
      });
    const splits: [string, number[]][] = [
      ["at once", [length]],
      ["prefill and tokens", [...endsOf(length - 9, length - 9), ...endsOf(9, 1).map((end) => length - 9 + end)]],
      ["odd pieces", endsOf(length, 7, 1, 130, 3)],
      ["about a block", endsOf(length, 511, 2, 1)],
    ];

    test.each(splits)("prefill and decode have the bits of one causal call: %s", (_, ends) => {
      using cache = create();
      expectSameBits(inPieces(cache, inputs, ends).data, whole().data, build);
      expect(cache.length).toBe(length);
    });

    test.each(splits.slice(1))("a rolling cache has the bits of a call with a window: %s", (_, ends) => {
      const widest = Math.max(...ends.map((end, index) => end - (ends[index - 1] ?? 0)));
      using cache = create({ policy: "rolling", window: 40, sinkTokens: 3, capacity: 40 + widest });
      expectSameBits(inPieces(cache, inputs, ends).data, whole({ window: 40, sinkTokens: 3 }).data, build);
    });

    test("every option has its effect", () => {
      using cache = create();
      cache.append(inputs.k, inputs.v);
      const q = cutRows(inputs.q, length - 5, length);
      const matrix = [shape.batchSize, shape.numHeads, 5, length];
      const optionsWith = (seed: number) => ({
        scale: 0.4,
        softcap: 3,
        window: 50,
        sinkTokens: 2,
        scoresStage: "capped" as const,
        bias: normal([shape.numHeads, 1, length], 9),
        mask: randomMask([5, length], 10, 0.7),
        sinks: normal([shape.numHeads], 11),
        logSumExp: normal(matrix.slice(0, 3), seed),
        weights: normal(matrix, seed),
        scores: normal(matrix, seed),
        out: normal([shape.batchSize, 5, shape.numHeads, shape.valueDim], seed),
      });
      const [found, expected] = [optionsWith(1), optionsWith(2)];
      expect(cache.attend(q, found)).toBe(found.out);
      engine.scaledDotProductAttention(q, inputs.k, inputs.v, { ...expected, causal: true });
      for (const name of ["out", "logSumExp", "weights", "scores"] as const)
        expectSameBits(found[name].data, expected[name].data, name);
    });

    test("without causal, rows see all keys", () => {
      using cache = create();
      cache.append(inputs.k, inputs.v);
      const q = cutRows(inputs.q, length - 5, length);
      const truth = engine.scaledDotProductAttention(q, inputs.k, inputs.v);
      expectSameBits(cache.attend(q, { causal: false }).data, truth.data, build);
    });
  });

  test("sequences of a batch may have their own lengths", () => {
    const shape = SHAPES[1];
    const { q, k, v } = inputsOf(shape, 5);
    using cache = engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim: 5, valueDim: 11, capacity: 600 });
    cache.append(cutRows(k, 0, 500), cutRows(v, 0, 500), { keyLengths: [500, 123] });
    cache.append(cutRows(k, 500, 530), cutRows(v, 500, 530), { keyLengths: [30, 0] });
    expect(cache.lengths).toEqual([530, 123]);
    expect(cache.length).toBe(530);
    const out = cache.attend(cutRows(q, 0, 4), { queryLengths: [4, 2] });
    const truth = engine.scaledDotProductAttention(cutRows(q, 0, 4), k, v, {
      causal: true,
      keyLengths: [530, 123],
      queryLengths: [4, 2],
    });
    expectSameBits(out.data, truth.data, "ragged");
  });

  test("with keys and values that are not finite, pieces have the bits of one call", () => {
    const { q, k, v } = inputsOf(SHAPES[0], 6);
    v.data[3 * 16 + 1] = NaN;
    v.data[599 * 16] = Infinity;
    k.data[2 * 16] = NaN;
    using cache = engine.createKVCache({ numKvHeads: 2, headDim: 8, capacity: 600 });
    const options = { window: 100 };
    const out = inPieces(cache, { q, k, v }, endsOf(600, 33), options);
    expectSameBits(out.data, engine.scaledDotProductAttention(q, k, v, { causal: true, ...options }).data, "NaN");
    expect(out.data.some(Number.isNaN)).toBe(true);
    expect(out.data.subarray(300 * 16, 301 * 16).every(Number.isFinite)).toBe(true);
  });

  test("layout bhsd, float16 and tensors in the engine's memory are accepted", () => {
    const [batch, heads, length, dim] = [1, 2, 9, 4];
    const bhsd = normal([batch, heads, length, dim], 4);
    const bshd = new Float32Array(bhsd.data.length);
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < length; i++) {
        bshd.set(bhsd.data.subarray((h * length + i) * dim, (h * length + i + 1) * dim), (i * heads + h) * dim);
      }
    }
    const inside = engine.tensor([batch, length, heads, dim]);
    inside.data.set(bshd);
    using a = engine.createKVCache({ numKvHeads: heads, headDim: dim, capacity: 9 });
    using b = engine.createKVCache({ numKvHeads: heads, headDim: dim, capacity: 9 });
    a.append(bhsd, bhsd, { layout: "bhsd" });
    b.append(inside, inside);
    expect(a.serialize()).toEqual(b.serialize());
    inside.dispose();
  });
});
