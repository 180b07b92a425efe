/** Caches of dtype "int8": what they store, how accurate attention on them is, and which inputs they refuse. */
import { describe, expect, test } from "vitest";
import { createEngine, type KVCache, type KVCacheOptions } from "headwise";
import { cutRows, expectSameBits } from "./support/attention.js";
import { openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { expectWithin, int8Truth, roundToInt8 } from "./support/int8.js";
import { normal, randomMask, type TestTensor } from "./support/random.js";

const HEADER_WORDS = 11;

const SHAPES = [
  { name: "B1-S600-H2/2-D8", batchSize: 1, length: 600, numHeads: 2, numKvHeads: 2, headDim: 8, valueDim: 8 },
  { name: "B2-S531-H6/2-D5:11", batchSize: 2, length: 531, numHeads: 6, numKvHeads: 2, headDim: 5, valueDim: 11 },
  { name: "B1-S1100-H8/1-D21:36", batchSize: 1, length: 1100, numHeads: 8, numKvHeads: 1, headDim: 21, valueDim: 36 },
  { name: "B1-S33-H4/1-D1:1", batchSize: 1, length: 33, numHeads: 4, numKvHeads: 1, headDim: 1, valueDim: 1 },
  { name: "B1-S20-H1/1-D1030:9", batchSize: 1, length: 20, numHeads: 1, numKvHeads: 1, headDim: 1030, valueDim: 9 },
] as const;

onEveryEngine((build, engine) => {
  describe.each(SHAPES)("$name › seed 7", ({ batchSize, length, numHeads, numKvHeads, headDim, valueDim }) => {
    const q = normal([batchSize, length, numHeads, headDim], 7);
    const k = normal([batchSize, length, numKvHeads, headDim], 8);
    const v = normal([batchSize, length, numKvHeads, valueDim], 9);
    const create = (options: Partial<KVCacheOptions> = {}): KVCache =>
      engine.createKVCache({ batchSize, numKvHeads, headDim, valueDim, capacity: length, dtype: "int8", ...options });
    const filled = (): KVCache => {
      const cache = create();
      cache.append(k, v);
      return cache;
    };

    test("the largest element of a key, and of a value, becomes 127 steps; serialize writes the bytes and their scales", () => {
      using cache = filled();
      const { buffer } = cache.serialize();
      const keys = batchSize * length * numKvHeads;
      const scalesStart = 4 * (HEADER_WORDS + 2 * batchSize);
      const scales = new Float32Array(buffer, scalesStart, 2 * keys);
      const integers = new Int8Array(buffer, scalesStart + 8 * keys, keys * (headDim + valueDim));
      const [key, value] = [roundToInt8(k), roundToInt8(v)];
      for (let b = 0; b < batchSize; b++) {
        const each = keys / batchSize;
        const at = (rounded: typeof key, width: number) => [
          rounded.scales.subarray(b * each, (b + 1) * each),
          rounded.integers.subarray(b * each * width, (b + 1) * each * width),
        ];
        const [keyScales, keyIntegers] = at(key, headDim) as [Float32Array, Int8Array];
        const [valueScales, valueIntegers] = at(value, valueDim) as [Float32Array, Int8Array];
        expectSameBits(
          scales.subarray(2 * b * each),
          [...keyScales, ...valueScales, ...scales.subarray(2 * (b + 1) * each)],
          "scales",
        );
        const start = b * each * (headDim + valueDim);
        const expected = [...keyIntegers, ...valueIntegers];
        expectSameBits(integers.subarray(start, start + expected.length), expected, "integers");
      }
    });

    test("attention on the rounded rows, except for the rounding of queries and weights", () => {
      using cache = filled();
      const last = cutRows(q, length - 12, length);
      const out = cache.attend(last);
      expectWithin(out.data, int8Truth(last, roundToInt8(k), roundToInt8(v), { causal: true }));
    });

    test("every option has its effect", () => {
      using cache = filled();
      const last = cutRows(q, length - 5, length);
      const options = {
        scale: 0.4,
        softcap: 3,
        window: [15, 0] as const,
        sinkTokens: 2,
        bias: normal([numHeads, 1, length], 9),
        mask: randomMask([5, length], 10, 0.7),
        sinks: normal([numHeads], 11),
      };
      const out = cache.attend(last, options);
      expectWithin(out.data, int8Truth(last, roundToInt8(k), roundToInt8(v), { ...options, causal: true }));
      const matrix = [batchSize, numHeads, 5, length];
      const asked = { weights: normal(matrix, 1), scores: normal(matrix, 1), logSumExp: normal(matrix.slice(0, 3), 1) };
      expectSameBits(cache.attend(last, { ...options, ...asked }).data, out.data, "out when all is asked for");
      expect(asked.weights.data.every((weight) => weight >= 0 && weight <= 1)).toBe(true);
    });

    test.each([
      ["tokens", [1]],
      ["odd pieces", [7, 1, 130, 3]],
      ["about a block", [511, 2, 1]],
    ])("prefill and decode have the bits of one call on the whole: %s", (_, sizes) => {
      using whole = filled();
      const expected = whole.attend(q).data;
      using cache = create();
      using rolling = create({ policy: "rolling", window: 40, sinkTokens: 3, capacity: 40 + Math.max(...sizes) });
      const windowed = whole.attend(q, { window: 40, sinkTokens: 3 }).data;
      const width = numHeads * valueDim;
      for (let from = 0, index = 0; from < length; index++) {
        const to = Math.min(length, from + sizes[index % sizes.length]!);
        for (const [one, truth] of [[cache, expected] as const, [rolling, windowed] as const]) {
          one.append(cutRows(k, from, to), cutRows(v, from, to));
          const out = one.attend(cutRows(q, from, to)).data;
          for (let b = 0; b < batchSize; b++) {
            const start = b * length * width;
            expectSameBits(
              out.subarray(b * (to - from) * width, (b + 1) * (to - from) * width),
              truth.subarray(start + from * width, start + to * width),
              `rows ${from} to ${to}`,
            );
          }
        }
        from = to;
      }
      expectSameBits(cache.serialize(), whole.serialize(), "image");
    });

    test("a restored cache has the same bits", () => {
      using cache = filled();
      using again = engine.restoreKVCache(cache.serialize());
      const last = cutRows(q, length - 5, length);
      expectSameBits(again.attend(last).data, cache.attend(last).data, build);
    });
  });

  test("queries that are not finite make their own rows NaN, and no others", () => {
    using cache = engine.createKVCache({ numKvHeads: 1, headDim: 4, capacity: 40, dtype: "int8" });
    const x = normal([1, 40, 1, 4], 1);
    cache.append(x, x);
    const q = normal([1, 6, 1, 4], 2);
    const expected = cache.attend(q).data;
    q.data[1 * 4] = NaN;
    q.data[4 * 4 + 3] = -Infinity;
    const out = cache.attend(q).data;
    for (let i = 0; i < 6; i++) {
      const row = out.subarray(4 * i, 4 * i + 4);
      if (i === 1 || i === 4) expect([...row]).toEqual([NaN, NaN, NaN, NaN]);
      else expectSameBits(row, expected.subarray(4 * i, 4 * i + 4), `row ${i}`);
    }
  });

  test("sums of the longest head and of a whole block fit", () => {
    using cache = engine.createKVCache({ numKvHeads: 1, headDim: 4096, valueDim: 1, capacity: 512, dtype: "int8" });
    const ones = (count: number, channels: number) => ({
      data: new Float32Array(count * channels).fill(1),
      dims: [1, count, 1, channels],
    });
    cache.append(ones(512, 4096), ones(512, 1));
    const scores = { data: new Float32Array(512), dims: [1, 1, 1, 512] };
    const out = cache.attend(ones(1, 4096), { scores });
    expect(out.data[0]).toBeCloseTo(1, 6);
    for (const score of scores.data) expect(score).toBeCloseTo(64, 4); // 4096 / √4096
  });

  test.each([
    [1, 1, 1e-33],
    [1e-35, 1e35, 1],
    [1e30, 1e-30, 1e30],
    [1e33, 1e-33, 1e-33],
  ])("the magnitude of numbers does not matter: q · %d, k · %d, v · %d", (qSize, kSize, vSize) => {
    const sized = ({ data, dims }: TestTensor, size: number): TestTensor => ({ data: data.map((x) => x * size), dims });
    const [q, k, v] = [normal([1, 5, 4, 9], 1), normal([1, 40, 2, 9], 2), normal([1, 40, 2, 6], 3)];
    using cache = engine.createKVCache({ numKvHeads: 2, headDim: 9, valueDim: 6, capacity: 40, dtype: "int8" });
    const [sizedQ, sizedK, sizedV] = [sized(q, qSize), sized(k, kSize), sized(v, vSize)];
    cache.append(sizedK, sizedV);
    expectWithin(cache.attend(sizedQ).data, int8Truth(sizedQ, roundToInt8(sizedK), roundToInt8(sizedV), { causal: true }));
  });

  test("a score of 0 between large numbers is 0", () => {
    using cache = engine.createKVCache({ numKvHeads: 1, headDim: 2, capacity: 2, dtype: "int8" });
    cache.append(
      { data: Float32Array.of(0, 1e20, 0, 1e20), dims: [1, 2, 1, 2] },
      { data: Float32Array.of(1, 2, 3, 4), dims: [1, 2, 1, 2] },
    );
    const out = cache.attend({ data: Float32Array.of(1e30, 0), dims: [1, 1, 1, 2] });
    expect(out.data[0]).toBeCloseTo(2, 1);
    expect(out.data[1]).toBeCloseTo(3, 1);
  });

  test("subnormal rows keep their signs, in whole vectors and after them", () => {
    using cache = engine.createKVCache({ numKvHeads: 1, headDim: 5, valueDim: 1, capacity: 1, dtype: "int8" });
    const tiny = 180 * 2 ** -149;
    cache.append(
      { data: new Float32Array(5).fill(tiny), dims: [1, 1, 1, 5] },
      { data: Float32Array.of(-tiny), dims: [1, 1, 1, 1] },
    );
    const { buffer } = cache.serialize();
    const integers = new Int8Array(buffer, 4 * (HEADER_WORDS + 2) + 8, 6);
    expect([...integers]).toEqual([127, 127, 127, 127, 127, -127]);
  });

  test("rows of zeros, and magnitudes from 1e-38 to 3e38, are represented", () => {
    using cache = engine.createKVCache({ numKvHeads: 1, headDim: 3, capacity: 40, dtype: "int8" });
    const k = { data: Float32Array.of(0, 0, 0, 1e30, -1e30, 0, 1e-30, 0, 1e-30, 1, 2, 3), dims: [1, 4, 1, 3] };
    const v = { data: Float32Array.of(0, 0, 0, 3e38, 1, -3e38, 1e-38, 0, 1e-38, 1, 2, 3), dims: [1, 4, 1, 3] };
    cache.append(k, v);
    const q = { data: Float32Array.of(0, 0, 0, 1e-30, 1e-30, 0), dims: [1, 2, 1, 3] };
    const out = cache.attend(q, { causal: false, mask: { data: Uint8Array.of(1, 0, 0, 1), dims: [4] } });
    const half = Float32Array.of(0.5, 1, 1.5);
    for (const row of [0, 1]) {
      for (const c of [0, 1, 2]) expect(out.data[3 * row + c]).toBeCloseTo(half[c]!, 1);
    }
    expect(cache.attend(q, { causal: false }).data.every(Number.isFinite)).toBe(true);
  });
});

describe("a cache of int8", () => {
  const shape = { numKvHeads: 2, headDim: 128, capacity: 2048, dtype: "int8" } as const;

  test("takes a quarter of the memory, plus the scales", () => {
    using engine = openBuild("simd");
    const x = normal([1, 2048, 2, 128], 1);
    const inUse = (dtype: "float32" | "int8"): number => {
      using cache = engine.createKVCache({ ...shape, dtype });
      cache.append(x, x);
      return engine.info.memory.inUse;
    };
    const [float32, int8] = [inUse("float32"), inUse("int8")];
    const scales = 2048 * 2 * 2 * 4;
    expect(int8 - scales).toBeLessThan(float32 / 4 + 16 * 1024); // cache lines between panels
  });

  test.each([
    ["k", NaN],
    ["v", Infinity],
    ["v", NaN],
    ["k", -Infinity],
  ] as const)("%s that holds %d is refused, and the cache is as it was", (name, number) => {
    using engine = openBuild("simd");
    using cache = engine.createKVCache(shape);
    const x = normal([1, 600, 2, 128], 1);
    cache.append(x, x);
    using twin = cache.fork();
    const before = [cache.serialize(), engine.info.memory.inUse] as const;
    const bad = normal([1, 600, 2, 128], 1);
    bad.data[599 * 256 + 3] = number;
    const append = (): void => cache.append(name === "k" ? bad : x, name === "v" ? bad : x);
    expect(append).toThrow(
      new RangeError(`KVCache.append: "${name}" holds NaN or infinity, which a cache of dtype "int8" cannot store`),
    );
    expectSameBits(cache.serialize(), before[0], "image");
    expect(engine.info.memory.inUse).toBe(before[1]);
    cache.append(bad, bad, { keyLengths: [599] }); // the row beyond the length may hold anything
    expect(cache.length).toBe(1199);
    expect(twin.length).toBe(600);
  });

  test("refuses to restore scales that serialize did not write", () => {
    using engine = openBuild("simd");
    using cache = engine.createKVCache({ ...shape, headDim: 1, numKvHeads: 1 });
    cache.append(normal([1, 3, 1, 1], 1), normal([1, 3, 1, 1], 2));
    const image = cache.serialize();
    for (const scale of [NaN, Infinity, -1]) {
      const damaged = image.slice();
      new Float32Array(damaged.buffer)[HEADER_WORDS + 2] = scale;
      expect(() => engine.restoreKVCache(damaged)).toThrow('restoreKVCache: "bytes" is damaged');
    }
    const wrongByte = image.slice();
    wrongByte[wrongByte.length - 3] = 0x80; // the second value, before two bytes that fill the last word
    expect(() => engine.restoreKVCache(wrongByte)).toThrow('restoreKVCache: "bytes" is damaged');
    const wrongType = image.slice();
    new Uint32Array(wrongType.buffer)[HEADER_WORDS - 1] = 2;
    expect(() => engine.restoreKVCache(wrongType)).toThrow('restoreKVCache: "bytes" is damaged');
  });

  test("names wrong options", async () => {
    using engine = await createEngine({ threads: 1 });
    const create = (options: object) => () => engine.createKVCache({ ...shape, ...options });
    expect(create({ dtype: "int4" })).toThrow('createKVCache: "dtype" must be "float32" or "int8", got "int4"');
    expect(create({ headDim: 4097 })).toThrow('createKVCache: "headDim" must be an integer from 1 to 4096, got 4097');
  });
});
