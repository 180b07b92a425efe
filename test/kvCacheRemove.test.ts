/** Removing keys from a cache: what is left is a cache that never had them. */
import { describe, expect, test } from "vitest";
import { createEngine, type KVCache, type KVCacheOptions } from "headwise";
import { expectSameBits, poison } from "./support/attention.js";
import { cutRows, sequenceOf, without } from "./support/cacheRows.js";
import { onEveryEngine } from "./support/engines.js";
import { roundToInt8 } from "./support/int8.js";
import { normal, type TestTensor } from "./support/random.js";

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
  describe.each(["float32", "int8"] as const)("%s", (dtype) => {
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
