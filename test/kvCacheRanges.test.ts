/** Ranges of a cache's keys: removing them, with and without rotation, reading them, and rows at other positions. */
import { describe, expect, test } from "vitest";
import { createEngine, type Engine, type KVCache, type KVCacheOptions, type RotaryConfig } from "headwise";
import { expectSameBits, largestError, poison } from "./support/attention.js";
import { onEveryBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { roundToInt8 } from "./support/int8.js";
import { normal, type TestTensor } from "./support/random.js";

const DTYPES = ["float32", "int8"] as const;

/** Rows of [batch, rows, …] of two tensors, one after the other. */
function joined(a: TestTensor, b: TestTensor): TestTensor {
  const [batch, aRows, ...rest] = a.dims as [number, number, ...number[]];
  const bRows = b.dims[1]!;
  const width = rest.reduce((x, y) => x * y, 1);
  const data = new Float32Array(batch * (aRows + bRows) * width);
  for (let each = 0; each < batch; each++) {
    data.set(a.data.subarray(each * aRows * width, (each + 1) * aRows * width), each * (aRows + bRows) * width);
    data.set(b.data.subarray(each * bRows * width, (each + 1) * bRows * width), (each * (aRows + bRows) + aRows) * width);
  }
  return { data, dims: [batch, aRows + bRows, ...rest] };
}

/** Rows `from` to `to` − 1 of [batch, rows, …]. */
function cutRows({ data, dims }: TestTensor, from: number, to: number): TestTensor {
  const width = dims.slice(2).reduce((x, y) => x * y, 1);
  const rows = dims[1]!;
  return {
    data: data.filter((_, index) => Math.floor(index / width) % rows >= from && Math.floor(index / width) % rows < to),
    dims: [dims[0]!, to - from, ...dims.slice(2)],
  };
}

/** What is left of rows when `from` to `to` − 1 are removed. */
const without = (x: TestTensor, from: number, to: number): TestTensor => joined(cutRows(x, 0, from), cutRows(x, to, x.dims[1]!));

const sequenceOf = ({ data, dims }: TestTensor, batch: number): TestTensor => {
  const size = data.length / dims[0]!;
  return { data: data.slice(batch * size, (batch + 1) * size), dims: [1, ...dims.slice(1)] };
};

/** Within and across panels and blocks, by less than a panel and by more than a block, at either end, and nothing. */
const RANGES: [number, number][] = [
  [10, 13],
  [0, 1],
  [3, 4],
  [5, 530],
  [500, 520],
  [511, 513],
  [512, 1024],
  [0, 700],
  [1200, 1300],
  [7, 7],
  [0, 1300],
];

onEveryEngine((_, engine) => {
  describe.each(DTYPES)("%s", (dtype) => {
    const shape = { numKvHeads: 2, headDim: 5, valueDim: 11, capacity: 1400, dtype } as const;
    const [k, v] = [normal([1, 1300, 2, 5], 1), normal([1, 1300, 2, 11], 2)];
    const filled = (keys: TestTensor, values: TestTensor, options: Partial<KVCacheOptions> = {}): KVCache => {
      const cache = engine.createKVCache({ ...shape, ...options });
      cache.append(keys, values);
      return cache;
    };

    test.each(RANGES)("remove(%i, %i): what is left has the bits of a cache that never had those keys", (from, to) => {
      using cache = filled(k, v);
      using expected = filled(without(k, from, to), without(v, from, to));
      poison(engine);
      cache.remove(from, to);
      expect(cache.length).toBe(1300 - (to - from));
      expect(cache.serialize()).toEqual(expected.serialize());
      const [nextK, nextV, q] = [normal([1, 9, 2, 5], 3), normal([1, 9, 2, 11], 4), normal([1, 9, 4, 5], 5)];
      for (const each of [cache, expected]) each.append(nextK, nextV);
      expectSameBits(cache.attend(q).data, expected.attend(q).data, "attention");
    });

    test("memory: blocks that are no longer needed are freed", () => {
      const { inUse } = engine.info.memory;
      using cache = filled(k, v);
      using expected = filled(without(k, 100, 900), without(v, 100, 900));
      const both = engine.info.memory.inUse;
      expected.dispose();
      const ofExpected = both - engine.info.memory.inUse;
      cache.remove(100, 900);
      expect(engine.info.memory.inUse - inUse).toBe(ofExpected);
    });

    test("a range for each sequence, bigints and typed arrays; the others stay", () => {
      const [keys, values] = [normal([3, 600, 2, 5], 6), normal([3, 600, 2, 11], 7)];
      using cache = engine.createKVCache({ ...shape, batchSize: 3 });
      cache.append(keys, values, { keyLengths: [600, 40, 530] });
      cache.remove(Int32Array.of(100, 40, 0), [590n, 40n, 1n]);
      expect(cache.lengths).toEqual([110, 40, 529]);
      const { k: left } = cache.read();
      for (const [b, [from, to, length]] of [
        [100, 590, 600],
        [40, 40, 40],
        [0, 1, 530],
      ].entries()) {
        using alone = filled(cutRows(sequenceOf(keys, b), 0, length!), cutRows(sequenceOf(values, b), 0, length!));
        alone.remove(from!, to);
        const found = sequenceOf({ data: left.data, dims: [...left.dims] }, b).data;
        expectSameBits(found.subarray(0, alone.length * 10), alone.read().k.data, `sequence ${b}`);
        expect(found.subarray(alone.length * 10).every((x) => x === 0)).toBe(true);
      }
      cache.remove(5n);
      expect(cache.lengths).toEqual([5, 5, 5]);
    });

    test("forks and reordered sequences keep theirs", () => {
      using cache = filled(k, v);
      const before = cache.serialize();
      using twin = cache.fork();
      cache.remove(3, 700);
      expect(twin.serialize()).toEqual(before);
      const after = cache.serialize();
      twin.remove(0, 1299);
      expect(cache.serialize()).toEqual(after);

      using beams = engine.createKVCache({ ...shape, batchSize: 3 });
      beams.append(normal([3, 1100, 2, 5], 8), normal([3, 1100, 2, 11], 9));
      beams.reorder([1, 1, 1]);
      const [first] = [beams.read().k];
      beams.remove([0, 513, 1100], [1000, 514, 1100]);
      const left = beams.read();
      const [whole, found] = [first, left.k].map(({ data, dims }) => ({ data, dims: [...dims] })) as [TestTensor, TestTensor];
      for (const [b, range] of [
        [0, 1000],
        [513, 514],
        [1100, 1100],
      ].entries()) {
        const rest = without(sequenceOf(whole, b), range[0]!, range[1]!).data;
        expectSameBits(sequenceOf(found, b).data.subarray(0, rest.length), rest, `beam ${b}`);
      }
    });

    test("read gives rows as append takes them, in both layouts, and 0 beyond the end of a sequence", () => {
      const [keys, values] = [normal([2, 600, 2, 5], 6), normal([2, 600, 2, 11], 7)];
      using cache = engine.createKVCache({ ...shape, batchSize: 2 });
      cache.append(keys, values, { keyLengths: [600, 520] });
      const stored = (x: TestTensor): Float32Array => (dtype === "int8" ? Float32Array.from(roundToInt8(x).data) : x.data);
      poison(engine);
      const all = cache.read();
      expect([all.k.dims, all.v.dims]).toEqual([
        [2, 600, 2, 5],
        [2, 600, 2, 11],
      ]);
      const expected = (x: TestTensor, width: number): Float32Array =>
        stored(x).map((value, index) => (index >= (600 + 520) * width ? 0 : value));
      expectSameBits(all.k.data, expected(keys, 10), "k");
      expectSameBits(all.v.data, expected(values, 22), "v");

      const part = cache.read([510, 0], [515, 2]);
      expect(part.k.dims).toEqual([2, 5, 2, 5]);
      expectSameBits(part.k.data.subarray(0, 50), all.k.data.subarray(510 * 10, 515 * 10), "sequence 0");
      expectSameBits(part.k.data.subarray(50, 70), all.k.data.subarray(6000, 6020), "sequence 1");
      expect(part.k.data.subarray(70).every((x) => x === 0)).toBe(true);

      const turned = cache.read(510, 515, { layout: "bhsd" });
      expect(turned.v.dims).toEqual([2, 2, 5, 11]);
      for (let h = 0; h < 2; h++) {
        for (let i = 0; i < 5; i++) {
          const at = ((510 + i) * 2 + h) * 11;
          expectSameBits(turned.v.data.subarray((h * 5 + i) * 11, (h * 5 + i + 1) * 11), all.v.data.subarray(at, at + 11), "bhsd");
        }
      }
      if (dtype === "float32") {
        using again = engine.createKVCache({ ...shape, batchSize: 2 });
        again.append(all.k, all.v, { keyLengths: cache.lengths });
        expect(again.serialize()).toEqual(cache.serialize());
      }
      expect(cache.read(7, 7).k.dims).toEqual([2, 0, 2, 5]);
      using empty = engine.createKVCache(shape);
      expect(empty.read().v.dims).toEqual([1, 0, 2, 11]);
    });

    test("a rolling cache: behind what it has evicted, and nothing before", () => {
      using cache = engine.createKVCache({ ...shape, policy: "rolling", window: 10, sinkTokens: 2, capacity: 200 });
      for (let turn = 0; turn < 13; turn++)
        cache.append(cutRows(k, turn * 100, turn * 100 + 100), cutRows(v, turn * 100, turn * 100 + 100));
      const before = cache.serialize();
      for (const [call, message] of [
        [
          () => cache.remove(1, 1100),
          'remove: "from" is 1, but keys 0 to 1023 of sequence 0 have been evicted or come before evicted ones',
        ],
        [
          () => cache.remove(1030, 1298),
          "remove: the window of row 1032 starts before key 1024, and earlier keys of sequence 0 have been evicted",
        ],
        [
          () => cache.read(0, 513),
          'read: "from" is 0, but keys 512 to 1023 of sequence 0 have been evicted or come before evicted ones',
        ],
        [
          () => cache.read(1000),
          'read: "from" is 1000, but keys 512 to 1023 of sequence 0 have been evicted or come before evicted ones',
        ],
      ] as const) {
        expect(call).toThrow(new RangeError(`KVCache.${message}`));
      }
      expect(cache.serialize()).toEqual(before);
      cache.remove(1100, 1200);
      expect(cache.length).toBe(1200);
      using other = filled(cutRows(k, 1024, 1100), cutRows(v, 1024, 1100));
      other.append(cutRows(k, 1200, 1300), cutRows(v, 1200, 1300));
      expectSameBits(cache.read(1024).k.data, other.read().k.data, "kept");
      expectSameBits(
        cache.read(0, 512).v.data,
        dtype === "int8" ? Float32Array.from(roundToInt8(cutRows(v, 0, 512)).data) : cutRows(v, 0, 512).data,
        "sinks",
      );
      cache.append(cutRows(k, 0, 1), cutRows(v, 0, 1));
      expect(cache.attend(normal([1, 1, 2, 5], 3)).dims).toEqual([1, 1, 2, 11]);
    });
  });

  test("values that are not finite: gone with their keys, and harmless where they go", () => {
    const [k, v, q] = [normal([1, 1100, 1, 4], 1), normal([1, 1100, 1, 4], 2), normal([1, 3, 1, 4], 3)];
    for (const at of [5, 600, 1000]) {
      const values = { data: v.data.slice(), dims: v.dims };
      values.data[at * 4] = NaN;
      using cache = engine.createKVCache({ numKvHeads: 1, headDim: 4, capacity: 1100 });
      cache.append(k, values);
      for (const [from, to] of [
        [2, 10],
        [520, 650],
      ] as const) {
        using twin = cache.fork();
        twin.remove(from, to);
        using fresh = engine.createKVCache({ numKvHeads: 1, headDim: 4, capacity: 1100 });
        fresh.append(without(k, from, to), without(values, from, to));
        expectSameBits(twin.attend(q).data, fresh.attend(q).data, `${at}, ${from}`);
        const mask = { data: new Uint8Array(twin.length).fill(1), dims: [twin.length] };
        for (let j = 0; j < 1000; j += 2) mask.data[j] = 0;
        expectSameBits(twin.attend(q, { mask }).data, fresh.attend(q, { mask }).data, "masked");
      }
    }
  });
});

/** Rotary embeddings of keys of 12 channels. */
const ROTATIONS: Record<string, (engine: Engine) => RotaryConfig> = {
  "of all channels": () => ({}),
  interleaved: () => ({ interleaved: true, base: 500000 }),
  "of the last channels": () => ({ rotaryStart: 4 }),
  "of some channels, interleaved": () => ({ rotaryStart: 3, rotaryDim: 6, interleaved: true }),
  tables: (engine) => ({ tables: engine.rotaryTables({ length: 2000, rotaryDim: 8, base: 100 }), rotaryStart: 2 }),
  "tables with a factor (YaRN)": (engine) => {
    const { cos, sin } = engine.rotaryTables({ length: 2000, rotaryDim: 12 });
    const scaled = ({ data, dims }: typeof cos) => ({ data: data.map((x) => 1.3 * x), dims });
    return { tables: { cos: scaled(cos), sin: scaled(sin) } };
  },
};

onEveryEngine((_, engine) => {
  describe.each(Object.keys(ROTATIONS))("rotary %s", (name) => {
    const rotary = ROTATIONS[name]!(engine);
    const [k, v, q] = [normal([1, 1300, 2, 12], 1), normal([1, 1300, 2, 7], 2), normal([1, 20, 4, 12], 3)];
    const shape = { numKvHeads: 2, headDim: 12, valueDim: 7, capacity: 1400 } as const;
    const longest = (x: TestTensor): number => {
      let most = 0;
      for (let at = 0; at < x.data.length; at += 12) most = Math.max(most, Math.hypot(...x.data.subarray(at, at + 12)));
      return most;
    };
    const ranges: [number, number][] = [
      [4, 12],
      [100, 700],
      [0, 1000],
    ];

    test.each(ranges)(
      "remove(%i, %i), float32: keys within 6e-7 of |k|, and attention within 1e-6, of computing anew",
      (from, to) => {
        using cache = engine.createKVCache(shape);
        cache.append(engine.rotary(k, rotary), v);
        poison(engine);
        cache.remove(from, to, { rotary });
        const [left, values] = [without(k, from, to), without(v, from, to)];
        const truth = engine.rotary(left, rotary);
        const found = cache.read();
        expectSameBits(found.v.data, values.data, "v");
        expect(largestError(found.k.data, truth.data)).toBeLessThanOrEqual(6e-7 * longest({ data: truth.data, dims: [] }));
        expectSameBits(found.k.data.subarray(0, from * 24), truth.data.subarray(0, from * 24), "keys before");
        using fresh = engine.createKVCache(shape);
        fresh.append(truth, values);
        const turned = engine.rotary(q, { ...rotary, offset: left.dims[1]! - 20 });
        expect(largestError(cache.attend(turned).data, fresh.attend(turned).data)).toBeLessThanOrEqual(1e-6);
      },
    );

    test.each(ranges)(
      "remove(%i, %i), int8: 0.71 steps of the old scale and 0.5 of the new one from the rotated key",
      (from, to) => {
        using cache = engine.createKVCache({ ...shape, dtype: "int8" });
        const rotated = engine.rotary(k, rotary);
        cache.append(rotated, v);
        cache.remove(from, to, { rotary });
        const [found, truth] = [cache.read().k.data, engine.rotary(without(k, from, to), rotary).data];
        const old = roundToInt8(without({ data: rotated.data, dims: [...rotated.dims] }, from, to)).scales;
        for (let row = 0; row < old.length; row++) {
          const of = (data: Float32Array): Float32Array => data.subarray(row * 12, (row + 1) * 12);
          const scale = of(found).reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127;
          const isMoved = row >= 2 * from;
          const bound = (isMoved ? Math.SQRT1_2 * old[row]! + 0.5 * scale : 0.5 * old[row]!) * (1 + 1e-5);
          expect(largestError(of(found), of(truth))).toBeLessThanOrEqual(bound);
        }
        expectSameBits(cache.read().v.data, Float32Array.from(roundToInt8(without(v, from, to)).data), "v");
        const packed = engine.createKVCache({ ...shape, dtype: "int8" });
        packed.dispose();
      },
    );
  });

  test("removing again and again does not drift: 50 times, within 3e-6 of |k|", () => {
    const k = normal([1, 600, 1, 16], 1);
    using cache = engine.createKVCache({ numKvHeads: 1, headDim: 16, capacity: 600 });
    cache.append(engine.rotary(k), k);
    let left = k;
    for (let turn = 0; turn < 50; turn++) {
      cache.remove(4, 15, { rotary: {} });
      left = without(left, 4, 15);
    }
    expect(largestError(cache.read().k.data, engine.rotary(left).data)).toBeLessThanOrEqual(3e-6 * 8);
  });

  test("several sequences turn by what each has lost; rows of threes have the bits of rows alone", () => {
    const k = normal([2, 600, 1, 8], 4);
    for (const dtype of DTYPES) {
      using cache = engine.createKVCache({ batchSize: 2, numKvHeads: 1, headDim: 8, capacity: 600, dtype });
      cache.append(engine.rotary(k), k);
      cache.remove([10, 300], [200, 307], { rotary: {} });
      const { k: both } = cache.read();
      for (const [b, from, to] of [
        [0, 10, 200],
        [1, 300, 307],
      ] as const) {
        using alone = engine.createKVCache({ numKvHeads: 1, headDim: 8, capacity: 600, dtype });
        alone.append(engine.rotary(sequenceOf(k, b)), sequenceOf(k, b));
        alone.remove(from, to, { rotary: {} });
        const { data } = alone.read().k;
        expectSameBits(
          sequenceOf({ data: both.data, dims: [...both.dims] }, b).data.subarray(0, data.length),
          data,
          `${dtype} ${b}`,
        );
      }
    }
  });

  test("extremes: the largest numbers in int8 stay finite, and a failed call changes nothing", () => {
    const k = { data: new Float32Array(600 * 4).fill(3.3e38), dims: [1, 600, 1, 4] };
    using cache = engine.createKVCache({ numKvHeads: 1, headDim: 4, capacity: 600, dtype: "int8" });
    cache.append(k, k);
    cache.remove(0, 3, { rotary: { base: 10 } });
    expect(cache.length).toBe(597);
    expect(cache.serialize().length).toBeGreaterThan(0);
    using again = engine.restoreKVCache(cache.serialize());
    expect(again.serialize()).toEqual(cache.serialize());
  });

  test("a layer's cache: rotary from its config keeps later rows within 2e-6 of rows that never saw those keys", () => {
    const config = { embedDim: 16, numHeads: 2, rotary: { rotaryStart: 2, base: 500 } };
    const matrix = (seed: number): TestTensor => normal([16, 16], seed, 0.25);
    using layer = engine.createMultiHeadAttention(config, { q: matrix(1), k: matrix(2), v: matrix(3), out: matrix(4) });
    const [x, next] = [normal([1, 30, 16], 5), normal([1, 4, 16], 6)];
    using cache = layer.createCache({ capacity: 40 });
    layer.forward(x, { cache });
    cache.remove(3, 21, { rotary: layer.config.rotary });
    using expected = layer.createCache({ capacity: 40 });
    layer.forward(without(x, 3, 21), { cache: expected });
    const [found, truth] = [cache, expected].map((each) => layer.forward(next, { cache: each }).data);
    expect(largestError(found!, truth!)).toBeLessThanOrEqual(2e-6);
  });

  test.each(DTYPES)("attend with queryOffset, %s: rows at any positions", (dtype) => {
    const [k, v, q] = [normal([2, 600, 2, 8], 1), normal([2, 600, 2, 8], 2), normal([2, 9, 4, 8], 3)];
    using cache = engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim: 8, capacity: 600, dtype });
    cache.append(k, v, { keyLengths: [600, 30] });
    const stored = cache.read();
    const last = cache.attend(q);
    expectSameBits(cache.attend(q, { queryOffset: [591, 21] }).data, last.data, "the default, said aloud");
    for (const [queryOffset, options] of [
      [5, {}],
      [[520, 0], { window: 30, sinkTokens: 2 }],
      [[0n, 28n], {}],
      [-4, {}],
      [[700, -3], { causal: false, window: 5 }],
    ] as const) {
      const found = cache.attend(q, { queryOffset, ...options });
      const keyLengths = [600, 30];
      const truth = engine.scaledDotProductAttention(q, stored.k, stored.v, { queryOffset, keyLengths, causal: true, ...options });
      if (dtype === "float32") expectSameBits(found.data, truth.data, JSON.stringify(options));
      else expect(largestError(found.data, truth.data)).toBeLessThanOrEqual(2e-3);
    }
  });

  test.each(DTYPES)("attend without causal, %s: more rows than keys", (dtype) => {
    const [k, v, q] = [normal([1, 3, 1, 8], 1), normal([1, 3, 1, 8], 2), normal([1, 10, 2, 8], 3)];
    using cache = engine.createKVCache({ numKvHeads: 1, headDim: 8, capacity: 9, dtype });
    cache.append(k, v);
    const stored = cache.read();
    for (const options of [{}, { window: 2 }, { queryOffset: 1, window: [1, 0] }] as const) {
      const found = cache.attend(q, { causal: false, ...options });
      const truth = engine.scaledDotProductAttention(q, stored.k, stored.v, options);
      if (dtype === "float32") expectSameBits(found.data, truth.data, JSON.stringify(options));
      else expect(largestError(found.data, truth.data)).toBeLessThanOrEqual(2e-3);
    }
    for (let i = 0; i < 10; i++) {
      const row = cache.attend(cutRows(q, i, i + 1), { causal: false });
      expectSameBits(row.data, cache.attend(q, { causal: false }).data.subarray(i * 16, i * 16 + 16), `row ${i} alone`);
    }
    expect(() => cache.attend(q)).toThrow(
      new RangeError('KVCache.attend: "q" has 10 rows of sequence 0, which has 3 keys; append theirs first'),
    );
    expect(
      cache
        .attend(q, { queryOffset: -7 })
        .data.subarray(0, 7 * 16)
        .every((x) => x === 0),
    ).toBe(true);
  });
});

onEveryBuild((_, engine) => {
  const x = normal([2, 8, 1, 4], 1);
  const open = (): KVCache => {
    const cache = engine.createKVCache({ batchSize: 2, numKvHeads: 1, headDim: 4, capacity: 20 });
    cache.append(x, x, { keyLengths: [8, 5] });
    return cache;
  };
  const tables = { cos: normal([3, 2], 1), sin: normal([3, 2], 2) };

  test.each<[string, (cache: KVCache) => unknown, new (message: string) => Error, string]>([
    [
      "more keys",
      (c) => c.remove(2, 6),
      RangeError,
      'remove: "from" 2 and "to" 6 must be in order and within the 5 keys of sequence 1',
    ],
    [
      "backwards",
      (c) => c.remove(4, 2),
      RangeError,
      'remove: "from" 4 and "to" 2 must be in order and within the 8 keys of sequence 0',
    ],
    [
      "beyond the length",
      (c) => c.remove(6),
      RangeError,
      'remove: "from" 6 and "to" 5 must be in order and within the 5 keys of sequence 1',
    ],
    ["a fraction", (c) => c.remove(0.5, 2), RangeError, 'remove: "from" must be an integer from 0 to 536870912, got 0.5'],
    ["a negative", (c) => c.remove(0, -2), RangeError, 'remove: "to" must be an integer from 0 to 536870912, got -2'],
    ["text", (c) => c.remove("1" as never, 2), TypeError, 'remove: "from" must be an array of 2 integers, got "1"'],
    ["nothing", (c) => (c.remove as () => void)(), TypeError, 'remove: "from" must be an array of 2 integers, got undefined'],
    [
      "three of two",
      (c) => c.remove([0, 1, 2], 3),
      RangeError,
      'remove: "from" holds 3 elements, expected 2, one for each sequence',
    ],
    [
      "an element",
      (c) => c.remove([0, "1" as never], 3),
      TypeError,
      'remove: "from[1]" must be an integer from 0 to 536870912, got "1"',
    ],
    [
      "an option",
      (c) => c.remove(0, 1, { rotate: {} } as never),
      TypeError,
      'remove: unknown option "rotate"; the options are rotary',
    ],
    ["rotary", (c) => c.remove(0, 1, { rotary: true as never }), TypeError, 'remove: "options" must be an object, got true'],
    [
      "an option of rotary",
      (c) => c.remove(0, 1, { rotary: { offset: 3 } as never }),
      TypeError,
      'remove: unknown option "offset"; the options are base, rotaryStart, rotaryDim, interleaved, tables',
    ],
    [
      "too many channels",
      (c) => c.remove(0, 1, { rotary: { rotaryDim: 6 } }),
      RangeError,
      'remove: "rotaryDim" must be an integer from 2 to 4, got 6',
    ],
    [
      "short tables",
      (c) => c.remove(0, 3, { rotary: { tables } }),
      RangeError,
      'remove: "tables" hold 3 positions, expected at least the 3 removed keys + 1 = 4',
    ],
    [
      "tables without angles",
      (c) =>
        c.remove(0, 1, {
          rotary: {
            tables: { cos: { data: new Float32Array(6), dims: [3, 2] }, sin: { data: new Float32Array(6), dims: [3, 2] } },
          },
        }),
      RangeError,
      'remove: "tables" hold no angle at position 1',
    ],
    [
      "more rows to read",
      (c) => c.read(0, [8, 6]),
      RangeError,
      'read: "from" 0 and "to" 6 must be in order and within the 5 keys of sequence 1',
    ],
    [
      "a layout",
      (c) => c.read(0, 1, { layout: "hsbd" as never }),
      RangeError,
      'read: "layout" must be one of "bshd", "bhsd", "sbhd", got "hsbd"',
    ],
    [
      "an option of read",
      (c) => c.read(0, 1, { out: x } as never),
      TypeError,
      'read: unknown option "out"; the options are layout',
    ],
    [
      "an offset",
      (c) => c.attend(x, { queryOffset: [0] }),
      RangeError,
      'attend: "queryOffset" holds 1 elements, expected 2, one for each sequence',
    ],
  ])("refuses %s, and nothing changes", (_name, call, kind, message) => {
    using cache = open();
    const before = [cache.serialize(), engine.info.memory.inUse];
    expect(() => call(cache)).toThrow(new kind(`KVCache.${message}`));
    expect([cache.serialize(), engine.info.memory.inUse]).toEqual(before);
  });

  test("getters that dispose of the cache or change it", () => {
    for (const [act, error] of [
      [(cache: KVCache) => cache.dispose(), new Error("KVCache.remove: this cache has been disposed of")],
      [
        (cache: KVCache) => cache.truncate(2),
        new RangeError('KVCache.remove: "from" 0 and "to" 5 must be in order and within the 2 keys of sequence 0'),
      ],
    ] as const) {
      using cache = open();
      const from = {
        0: 0,
        1: 1,
        get length() {
          act(cache);
          return 2;
        },
      };
      expect(() => cache.remove(from, 5)).toThrow(error);
    }
    using cache = open();
    cache.dispose();
    for (const call of [() => cache.read(), () => cache.remove(0)]) expect(call).toThrow(/this cache has been disposed of$/);
  });

  test("absent is absent", () => {
    using cache = open();
    expectSameBits(cache.read(null as never, null as never).k.data, cache.read(0).k.data, "read");
    cache.remove(4, null as never, { rotary: null as never });
    expect(cache.lengths).toEqual([4, 4]);
  });
});

test("without memory: a RangeError, and the cache stays as it was", async () => {
  const engine = await createEngine({ build: "simd", maximumMemory: 3 * 2 ** 20 });
  const rows = (count: number): TestTensor => normal([1, count, 4, 32], 1);
  using cache = engine.createKVCache({ numKvHeads: 4, headDim: 32, capacity: 2000 });
  for (let turn = 0; turn < 4; turn++) cache.append(rows(256), rows(256));
  using twin = cache.fork(); // its blocks would have to be copied
  const before = [cache.serialize(), twin.serialize(), engine.info.memory.inUse];
  using _filler = engine.tensor([2 ** 17]);
  const { inUse } = engine.info.memory;
  expect(() => cache.remove(1, 3, { rotary: {} })).toThrow(RangeError);
  expect(engine.info.memory.inUse).toBe(inUse);
  _filler.dispose();
  expect([cache.serialize(), twin.serialize(), engine.info.memory.inUse]).toEqual(before);
  engine.dispose();
});
