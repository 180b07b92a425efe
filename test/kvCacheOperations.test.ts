/** What a cache of keys and values does in addition to attention: its operations, their memory, and what they refuse. */
import { describe, expect, test } from "vitest";
import { createEngine, type Engine, type KVCache } from "headwise";
import { cutRows, expectSameBits } from "./support/attention.js";
import { openBuild } from "./support/builds.js";
import { normal, type TestTensor } from "./support/random.js";

describe("operations", () => {
  const shape = { numKvHeads: 1, headDim: 4, capacity: 2000 };
  const piece = (count: number, seed: number) => normal([1, count, 1, 4], seed);
  const open = async (): Promise<Engine> => Promise.resolve(openBuild("simd"));

  test("a full cache refuses, and stays unchanged", async () => {
    using engine = await open();
    using cache = engine.createKVCache({ ...shape, capacity: 10 });
    cache.append(piece(8, 1), piece(8, 2));
    const before = cache.serialize();
    expect(() => cache.append(piece(3, 3), piece(3, 3))).toThrow(
      new RangeError("KVCache.append: sequence 0 would have 8 + 3 = 11 keys in all, but capacity is 10"),
    );
    expect(cache.serialize()).toEqual(before);
    cache.append(piece(2, 3), piece(2, 3));
    expect(cache.length).toBe(10);
  });

  test("without memory: a RangeError, and the cache stays unchanged", async () => {
    using engine = await createEngine({ build: "simd", maximumMemory: 3 * 2 ** 20 });
    using cache = engine.createKVCache({ numKvHeads: 8, headDim: 32, capacity: 1e6 });
    const rowsOf = (count: number) => normal([1, count, 8, 32], 1);
    cache.append(rowsOf(100), rowsOf(100));
    const before = [cache.serialize(), engine.info.memory.inUse];
    expect(() => cache.append(rowsOf(1200), rowsOf(1200))).toThrow(RangeError); // of two more blocks one fits
    expect([cache.serialize(), engine.info.memory.inUse]).toEqual(before);
  });

  test("truncate removes later rows", async () => {
    using engine = await open();
    using cache = engine.createKVCache(shape);
    const [k, v, q] = [piece(700, 1), piece(700, 2), piece(1, 3)];
    cache.append(k, v);
    cache.truncate(530);
    cache.truncate([530]);
    cache.append(piece(5, 7), piece(5, 8));
    cache.truncate(530);
    cache.append(cutRows(k, 530, 600), cutRows(v, 530, 600));
    const truth = engine.scaledDotProductAttention(q, cutRows(k, 0, 600), cutRows(v, 0, 600));
    expectSameBits(cache.attend(q).data, truth.data, "truncated");
    expect(() => cache.truncate(601)).toThrow(
      new RangeError("KVCache.truncate: sequence 0 has 600 keys and cannot be truncated to 601"),
    );
    cache.truncate(0);
    expect(engine.info.memory.inUse).toBe(0);
    expect([...cache.attend(q.dims[1] === 1 ? { data: new Float32Array(0), dims: [1, 0, 1, 4] } : q).data]).toEqual([]);
  });

  test("a rolling cache evicts blocks, and refuses to go back to them", async () => {
    using engine = await open();
    using cache = engine.createKVCache({ ...shape, policy: "rolling", window: 10, sinkTokens: 2, capacity: 200 });
    let most = 0;
    for (let turn = 0; turn < 50; turn++) {
      cache.append(piece(190, turn), piece(190, turn));
      most = Math.max(most, engine.info.memory.inUse);
    }
    expect(cache.length).toBe(9500);
    expect(most).toBeLessThanOrEqual(4 * (512 * 4 * 4 + 512 * 32 + 64 + 64));
    expect(() => cache.truncate(9000)).toThrow(
      "KVCache.truncate: the window of row 9000 starts before key 9216, and earlier keys of sequence 0 have been evicted",
    );
    expect(() => cache.append(piece(191, 1), piece(191, 1))).toThrow(
      "KVCache.append: sequence 0 would have 10 + 191 = 201 keys in and after its window, but capacity is 200",
    );
    expect(() => cache.attend(piece(300, 1))).toThrow(
      "KVCache.attend: the window of row 0 of sequence 0 starts at key 9190, but keys before 9216 have been evicted",
    );
    cache.truncate(9300);
    expect(cache.length).toBe(9300);
    const image = cache.serialize();
    using again = engine.restoreKVCache(image);
    expect(again.serialize()).toEqual(image);
    expectSameBits(again.attend(piece(3, 5)).data, cache.attend(piece(3, 5)).data, "restored");
  });

  test("a window that reaches into evicted keys is refused, even from a later row", async () => {
    using engine = await open();
    using cache = engine.createKVCache({ ...shape, policy: "rolling", window: 600 });
    cache.append(piece(1112, 1), piece(1112, 2));
    cache.append(piece(8, 3), piece(8, 4)); // row 1112 sees keys from 512 on
    expect(cache.attend(piece(8, 5)).dims).toEqual([1, 8, 1, 4]);
    expect(() => cache.attend(piece(9, 5))).toThrow(
      "KVCache.attend: the window of row 0 of sequence 0 starts at key 511, but keys before 512 have been evicted",
    );
    expect(() => cache.truncate(1111)).toThrow(
      "KVCache.truncate: the window of row 1111 starts before key 512, and earlier keys of sequence 0 have been evicted",
    );
    cache.truncate(1112);
  });

  test("forks share blocks, and neither affects the other", async () => {
    using engine = await open();
    using cache = engine.createKVCache(shape);
    cache.append(piece(600, 1), piece(600, 2));
    const before = cache.serialize();
    const shared = engine.info.memory.inUse;
    const twin = cache.fork();
    expect(engine.info.memory.inUse).toBe(shared);
    twin.append(piece(3, 9), piece(3, 9));
    expect(engine.info.memory.inUse).toBe(shared * 1.5); // the last of two blocks is a copy
    expect(cache.serialize()).toEqual(before);
    cache.append(piece(1, 4), piece(1, 4));
    twin.truncate(600);
    expect(twin.serialize()).toEqual(before);
    twin.dispose();
    expect(engine.info.memory.inUse).toBe(shared);
  });

  test("reorder picks beams, even one twice", async () => {
    using engine = await open();
    using cache = engine.createKVCache({ ...shape, batchSize: 3 });
    const [k, v] = [normal([3, 600, 1, 4], 1), normal([3, 600, 1, 4], 2)];
    cache.append(k, v, { keyLengths: [600, 20, 3] });
    cache.reorder([1, 0, 1]);
    expect(cache.lengths).toEqual([20, 600, 20]);
    const [nextK, nextV, q] = [normal([3, 1, 1, 4], 3), normal([3, 1, 1, 4], 4), normal([3, 1, 1, 4], 5)];
    cache.append(nextK, nextV);
    const out = cache.attend(q);
    for (const [b, source] of [1, 0, 1].entries()) {
      const length = [20, 600, 20][b]!;
      const join = (old: TestTensor, next: TestTensor): TestTensor => ({
        data: Float32Array.of(
          ...old.data.subarray(source * 2400, source * 2400 + length * 4),
          ...next.data.subarray(b * 4, b * 4 + 4),
        ),
        dims: [1, length + 1, 1, 4],
      });
      const row = { data: q.data.subarray(b * 4, b * 4 + 4), dims: [1, 1, 1, 4] };
      const truth = engine.scaledDotProductAttention(row, join(k, nextK), join(v, nextV));
      expectSameBits(out.data.subarray(b * 4, b * 4 + 4), truth.data, `beam ${b}`);
    }
  });

  test("restore refuses what serialize did not write", async () => {
    using engine = await open();
    using cache = engine.createKVCache(shape);
    cache.append(piece(5, 1), piece(5, 2));
    const image = cache.serialize();
    using again = engine.restoreKVCache(image);
    expect(again.serialize()).toEqual(image);
    const inUse = engine.info.memory.inUse;
    const changed = (word: number, value: number): Uint8Array => {
      const copy = image.slice();
      new DataView(copy.buffer).setUint32(4 * word, value, true);
      return copy;
    };
    expect(() => engine.restoreKVCache([1] as unknown as Uint8Array)).toThrow(
      new TypeError('restoreKVCache: "bytes" must be a Uint8Array, got an array of 1'),
    );
    expect(() => engine.restoreKVCache(image.subarray(0, 12))).toThrow(
      '"bytes" has 12 bytes, too few or cut off for a serialized cache',
    );
    expect(() => engine.restoreKVCache(changed(0, 7))).toThrow('"bytes" does not begin like a serialized cache');
    expect(() => engine.restoreKVCache(changed(1, 9))).toThrow('"bytes" has version 9, expected 1');
    for (const [word, value] of [
      [2, 2],
      [2, 2 ** 31],
      [4, 5],
      [6, 3],
      [7, 2],
      [10, 1],
      [11, 6],
      [12, 512],
    ] as const) {
      expect(() => engine.restoreKVCache(changed(word, value)), `word ${word}`).toThrow(/is damaged/);
    }
    expect(engine.info.memory.inUse).toBe(inUse);
  });

  test("scores of every pair are −∞ where the cache has no key", async () => {
    using engine = await open();
    const scoresOf = (batch: number, length: number) => ({
      data: new Float32Array(batch * length).fill(7),
      dims: [batch, 1, 1, length],
    });
    using ragged = engine.createKVCache({ ...shape, batchSize: 2 });
    const [k, q] = [normal([2, 600, 1, 4], 1), normal([2, 1, 1, 4], 2)];
    ragged.append(k, k, { keyLengths: [600, 20] });
    const [scores, truth] = [scoresOf(2, 600), scoresOf(2, 600)];
    ragged.attend(q, { scores, scoresStage: "scaled" });
    engine.scaledDotProductAttention(q, k, k, { scores: truth, scoresStage: "scaled" });
    truth.data.fill(-Infinity, 620);
    expectSameBits(scores.data, truth.data, "ragged");
  });

  test("scores of every pair are written even if a mask is shorter", async () => {
    using engine = await open();
    using cache = engine.createKVCache(shape);
    cache.append(piece(12, 1), piece(12, 2));
    const scores = () => ({ data: new Float32Array(24), dims: [1, 1, 2, 12] });
    const mask = { data: new Uint8Array(8).fill(1), dims: [8] };
    const [found, truth] = [scores(), scores()];
    const options = { mask, shortMask: "hide", scoresStage: "scaled" } as const;
    cache.attend(piece(2, 3), { ...options, scores: found });
    engine.scaledDotProductAttention(piece(2, 3), piece(12, 1), piece(12, 2), { ...options, scores: truth });
    expectSameBits(found.data, truth.data, "scaled");
  });

  test("an undefined option has the cache's value", async () => {
    using engine = await open();
    using cache = engine.createKVCache({ ...shape, window: 5, sinkTokens: 2 });
    cache.append(piece(30, 1), piece(30, 2));
    const truth = cache.attend(piece(4, 3));
    expectSameBits(cache.attend(piece(4, 3), { window: undefined, sinkTokens: undefined }).data, truth.data, "undefined");
    const inherited = Object.create({ window: -1, sinkTokens: 0 }) as { window: number };
    const open4 = engine.scaledDotProductAttention(piece(4, 3), piece(30, 1), piece(30, 2), { causal: true });
    expectSameBits(cache.attend(piece(4, 3), inherited).data, open4.data, "inherited");
  });

  test("an append without memory for scratch restores shared blocks; one of no rows copies none", async () => {
    using engine = await createEngine({ build: "simd", maximumMemory: 4 * 2 ** 20 });
    const rowsOf = (count: number) => normal([1, count, 8, 32], 1);
    using cache = engine.createKVCache({ numKvHeads: 8, headDim: 32, capacity: 1e6 });
    cache.append(rowsOf(100), rowsOf(100));
    using twin = cache.fork();
    const before = engine.info.memory.inUse;
    expect(() => twin.append(rowsOf(900), rowsOf(900))).toThrow(RangeError);
    expect(engine.info.memory.inUse).toBe(before);
    twin.append(rowsOf(5), rowsOf(5), { keyLengths: [0] });
    expect(engine.info.memory.inUse).toBe(before);
    expectSameBits(twin.serialize(), cache.serialize(), "images");
    twin.append(rowsOf(1), rowsOf(1));
    expect(engine.info.memory.inUse).toBeGreaterThan(before);
  });

  test("two sequences that share a block need one copy, not two", async () => {
    using engine = await open();
    using cache = engine.createKVCache({ batchSize: 2, numKvHeads: 8, headDim: 32, capacity: 600 });
    const x = normal([2, 10, 8, 32], 1);
    cache.append(x, x);
    const { inUse, reserved } = engine.info.memory;
    cache.reorder([0, 0]);
    expect(engine.info.memory.inUse).toBe(inUse / 2);
    cache.append(x, x);
    expect(engine.info.memory).toMatchObject({ inUse, reserved });
  });

  test("restore takes a view of a larger buffer and subclasses such as Node's Buffer, and refuses impossible sizes", async () => {
    using engine = await open();
    using cache = engine.createKVCache(shape);
    cache.append(piece(3, 1), piece(3, 2));
    const image = cache.serialize();
    class Bytes extends Uint8Array {}
    const part = Bytes.of(1, 2, 3, ...image).subarray(3);
    using again = engine.restoreKVCache(part);
    expect(again.serialize()).toEqual(image);

    const damaged = (change: (words: Uint32Array) => void): Uint8Array => {
      const words = new Uint32Array(image.slice().buffer);
      change(words);
      return new Uint8Array(words.buffer);
    };
    const long = damaged((words) => words.set([0xffffffff, 0], 10));
    expect(() => engine.restoreKVCache(long)).toThrow(new RangeError('restoreKVCache: "bytes" is damaged'));
    const wide = damaged((words) => (words[6] = 0xffffffff));
    expect(() => engine.restoreKVCache(wide)).toThrow(
      'restoreKVCache: "capacity" must be an integer from 1 to 536870912, got 4294967295',
    );
    const past = damaged((words) => {
      words.set([1, 4, 0], 7); // rolling, window 3
      words.set([0xfffffe03, 0xfffffe00], 10);
    });
    expect(() => engine.restoreKVCache(past)).toThrow("is damaged");
  });

  test("wrong arguments are named", async () => {
    using engine = await open();
    const create = (options: object) => () => engine.createKVCache({ ...shape, ...options });
    expect(create({ headDim: 0 })).toThrow('createKVCache: "headDim" must be an integer from 1 to 1048576, got 0');
    expect(create({ policy: "ring" })).toThrow('createKVCache: "policy" must be "append" or "rolling", got "ring"');
    expect(create({ policy: "rolling" })).toThrow('createKVCache: "window" is missing; policy "rolling" needs it');
    expect(create({ policy: "rolling", window: 2000 })).toThrow(
      'createKVCache: "capacity" is 2000, expected at least window + 1 = 2001',
    );
    expect(create({ size: 1 })).toThrow('createKVCache: unknown option "size"');
    const cache = engine.createKVCache(shape);
    expect(() => cache.append(normal([1, 2, 1, 5], 1), piece(2, 1))).toThrow(
      'KVCache.append: "k" has headDim 5, expected 4 (as in the cache; k has dims [1, 2, 1, 5])',
    );
    expect(() => cache.append(piece(2, 1), piece(3, 1))).toThrow(
      'KVCache.append: "v" has seqLen 3, expected 2 (as in k; v has dims [1, 3, 1, 4])',
    );
    expect(() => cache.append(piece(2, 1), piece(2, 1), { keyLengths: [3] })).toThrow(
      'KVCache.append: "keyLengths[0]" must be an integer from 0 to 2, got 3',
    );
    expect(() => cache.append(piece(2, 1), piece(2, 1), { keyLengths: 0 } as object)).toThrow(
      new TypeError('KVCache.append: "keyLengths" must be an array of 1 integer, got 0'),
    );
    cache.append(piece(2, 1), piece(2, 1));
    expect(() => cache.attend(piece(3, 1))).toThrow(
      'KVCache.attend: "q" has 3 rows of sequence 0, which has 2 keys; append their keys first',
    );
    expect(() => cache.attend(normal([1, 1, 1, 5], 1))).toThrow(
      'KVCache.attend: "q" has headDim 5, expected 4 (as in the cache; q has dims [1, 1, 1, 5])',
    );
    expect(() => cache.attend(piece(1, 1), { keyLengths: [1] } as object)).toThrow('KVCache.attend: unknown option "keyLengths"');
    expect(() => cache.reorder([1])).toThrow('KVCache.reorder: "indices[0]" must be an integer from 0 to 0, got 1');
    cache.dispose();
    cache.dispose();
    for (const use of [
      () => cache.append(piece(1, 1), piece(1, 1)),
      () => cache.attend(piece(1, 1)),
      () => cache.truncate(0),
      () => cache.fork(),
      () => cache.reorder([0]),
      () => cache.serialize(),
    ]) {
      expect(use).toThrow("this cache has been disposed of");
    }
    expect(engine.info.memory.inUse).toBe(0);
  });

  test("a getter that disposes of the cache is detected", async () => {
    using engine = await open();
    const cache = engine.createKVCache(shape);
    const trap = {
      get data() {
        cache.dispose();
        return new Float32Array(4);
      },
      dims: [1, 1, 1, 4],
    };
    expect(() => cache.append(trap, piece(1, 1))).toThrow("KVCache.append: this cache has been disposed of");
    expect(engine.info.memory.inUse).toBe(0);
    expect(() => cache.length).toThrow("KVCache.length: this cache has been disposed of");
    const dropped = engine.createKVCache(shape);
    const index = {
      length: 1,
      get 0() {
        dropped.dispose();
        return 0;
      },
    };
    expect(() => dropped.reorder(index)).toThrow("KVCache.reorder: this cache has been disposed of");
  });

  test.each<[string, (cache: KVCache) => void]>([
    ["truncate", (cache) => cache.truncate(3)],
    ["append", (cache) => cache.append(piece(1, 1), piece(1, 1))],
    ["reorder", (cache) => cache.reorder([0])],
  ])("a getter that changes the cache is detected: %s", async (_, change) => {
    using engine = await open();
    using cache = engine.createKVCache(shape);
    cache.append(piece(600, 1), piece(600, 1));
    const trap = {
      get data() {
        change(cache);
        return new Float32Array(4);
      },
      dims: [1, 1, 1, 4],
    };
    expect(() => cache.attend(trap)).toThrow("KVCache.attend: this cache was changed while the arguments were read");
  });
});
