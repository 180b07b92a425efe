/** The cache of keys and values: the bits of one call, however tokens come, and its own operations. */
import { describe, expect, test } from "vitest";
import { createEngine, type Engine, KVCache, type KVCacheOptions } from "headwise";
import { expectSameBits } from "./support/attention.js";
import { openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, randomMask } from "./support/random.js";

interface Tensor {
  data: Float32Array;
  dims: number[];
}

/** Rows `from` to `to` − 1 of [batch, rows, heads, channels]. */
function rows({ data, dims }: Tensor, from: number, to: number): Tensor {
  const [batch, length, heads, channels] = dims as [number, number, number, number];
  const width = heads * channels;
  const parts = Array.from({ length: batch }, (_, b) => data.subarray((b * length + from) * width, (b * length + to) * width));
  const cut = new Float32Array(batch * (to - from) * width);
  for (const [b, part] of parts.entries()) cut.set(part, b * (to - from) * width);
  return { data: cut, dims: [batch, to - from, heads, channels] };
}

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
function inPieces(cache: KVCache, { q, k, v }: Record<"q" | "k" | "v", Tensor>, ends: readonly number[], options = {}): Tensor {
  const [batch, length, heads] = q.dims as [number, number, number];
  const valueDim = v.dims[3]!;
  const out = new Float32Array(batch * length * heads * valueDim);
  let from = 0;
  for (const to of ends) {
    cache.append(rows(k, from, to), rows(v, from, to));
    const part = cache.attend(rows(q, from, to), options);
    const width = heads * valueDim;
    for (let b = 0; b < batch; b++) {
      out.set(part.data.subarray(b * (to - from) * width, (b + 1) * (to - from) * width), (b * length + from) * width);
    }
    from = to;
  }
  return { data: out, dims: [batch, length, heads, valueDim] };
}

/** Ends of pieces of the given sizes, repeated until `length`. */
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

    test("every option passes through", () => {
      using cache = create();
      cache.append(inputs.k, inputs.v);
      const q = rows(inputs.q, length - 5, length);
      const matrix = [shape.batchSize, shape.numHeads, 5, length];
      const optionsWith = (seed: number) => ({
        ...{ scale: 0.4, softcap: 3, window: 50, sinkTokens: 2, scoresStage: "capped" as const },
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
      const q = rows(inputs.q, length - 5, length);
      const truth = engine.scaledDotProductAttention(q, inputs.k, inputs.v);
      expectSameBits(cache.attend(q, { causal: false }).data, truth.data, build);
    });
  });

  test("sequences of a batch may have their own lengths", () => {
    const shape = SHAPES[1];
    const { q, k, v } = inputsOf(shape, 5);
    using cache = engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim: 5, valueDim: 11, capacity: 600 });
    cache.append(rows(k, 0, 500), rows(v, 0, 500), { keyLengths: [500, 123] });
    cache.append(rows(k, 500, 530), rows(v, 500, 530), { keyLengths: [30, 0] });
    expect(cache.lengths).toEqual([530, 123]);
    expect(cache.length).toBe(530);
    const out = cache.attend(rows(q, 0, 4), { queryLengths: [4, 2] });
    const truth = engine.scaledDotProductAttention(rows(q, 0, 4), k, v, {
      causal: true,
      keyLengths: [530, 123],
      queryLengths: [4, 2],
    });
    expectSameBits(out.data, truth.data, "ragged");
  });

  test("keys and values that are not finite stay where they are", () => {
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

  test("layout bhsd, float16 and tensors in the engine's memory go in alike", () => {
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

describe("operations", () => {
  const shape = { numKvHeads: 1, headDim: 4, capacity: 2000 };
  const piece = (count: number, seed: number) => normal([1, count, 1, 4], seed);
  const open = async (): Promise<Engine> => Promise.resolve(openBuild("simd"));

  test("a full cache refuses, and is as it was", async () => {
    using engine = await open();
    using cache = engine.createKVCache({ ...shape, capacity: 10 });
    cache.append(piece(8, 1), piece(8, 2));
    const before = cache.serialize();
    expect(() => cache.append(piece(3, 3), piece(3, 3))).toThrow(
      new RangeError("KVCache.append: sequence 0 would need length 8 + 3 rows = 11 keys, but capacity is 10"),
    );
    expect(cache.serialize()).toEqual(before);
    cache.append(piece(2, 3), piece(2, 3));
    expect(cache.length).toBe(10);
  });

  test("no memory: a RangeError, and the cache is as it was", async () => {
    using engine = await createEngine({ build: "simd", maximumMemory: 3 * 2 ** 20 });
    using cache = engine.createKVCache({ numKvHeads: 8, headDim: 32, capacity: 1e6 });
    const rowsOf = (count: number) => normal([1, count, 8, 32], 1);
    cache.append(rowsOf(100), rowsOf(100));
    const before = [cache.serialize(), engine.info.memory.inUse];
    expect(() => cache.append(rowsOf(1200), rowsOf(1200))).toThrow(RangeError); // of two more blocks one fits
    expect([cache.serialize(), engine.info.memory.inUse]).toEqual(before);
  });

  test("truncate takes back what came after", async () => {
    using engine = await open();
    using cache = engine.createKVCache(shape);
    const [k, v, q] = [piece(700, 1), piece(700, 2), piece(1, 3)];
    cache.append(k, v);
    cache.truncate(530);
    cache.truncate([530]);
    cache.append(piece(5, 7), piece(5, 8));
    cache.truncate(530);
    cache.append(rows(k, 530, 600), rows(v, 530, 600));
    const truth = engine.scaledDotProductAttention(q, rows(k, 0, 600), rows(v, 0, 600));
    expectSameBits(cache.attend(q).data, truth.data, "truncated");
    expect(() => cache.truncate(601)).toThrow(new RangeError("KVCache.truncate: sequence 0 has 600 keys, and can't be cut to 601"));
    cache.truncate(0);
    expect(engine.info.memory.inUse).toBe(0);
    expect([...cache.attend(q.dims[1] === 1 ? { data: new Float32Array(0), dims: [1, 0, 1, 4] } : q).data]).toEqual([]);
  });

  test("a rolling cache gives blocks up, and refuses to go back to them", async () => {
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
      "KVCache.truncate: sequence 0 has given up the keys before 9216, which the window of row 9000 begins with",
    );
    expect(() => cache.append(piece(191, 1), piece(191, 1))).toThrow(
      "KVCache.append: sequence 0 would need window 10 + 191 rows = 201 keys, but capacity is 200",
    );
    expect(() => cache.attend(piece(300, 1))).toThrow(
      "KVCache.attend: the window of row 0 of sequence 0 begins with key 9190, but those before 9216 were given up",
    );
    cache.truncate(9300);
    expect(cache.length).toBe(9300);
    const image = cache.serialize();
    using again = KVCache.restore(engine, image);
    expect(again.serialize()).toEqual(image);
    expectSameBits(again.attend(piece(3, 5)).data, cache.attend(piece(3, 5)).data, "restored");
  });

  test("a window that reaches into what was given up is refused, also from a row after it", async () => {
    using engine = await open();
    using cache = engine.createKVCache({ ...shape, policy: "rolling", window: 600 });
    cache.append(piece(1112, 1), piece(1112, 2));
    cache.append(piece(8, 3), piece(8, 4)); // row 1112 sees keys from 512 on
    expect(cache.attend(piece(8, 5)).dims).toEqual([1, 8, 1, 4]);
    expect(() => cache.attend(piece(9, 5))).toThrow(
      "KVCache.attend: the window of row 0 of sequence 0 begins with key 511, but those before 512 were given up",
    );
    expect(() => cache.truncate(1111)).toThrow(
      "KVCache.truncate: sequence 0 has given up the keys before 512, which the window of row 1111 begins with",
    );
    cache.truncate(1112);
  });

  test("forks share blocks, and neither disturbs the other", async () => {
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

  test("reorder picks beams, also twice", async () => {
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
      const join = (old: Tensor, next: Tensor): Tensor => ({
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
    using again = KVCache.restore(engine, image);
    expect(again.serialize()).toEqual(image);
    const inUse = engine.info.memory.inUse;
    const changed = (word: number, value: number): Uint8Array => {
      const copy = image.slice();
      new DataView(copy.buffer).setUint32(4 * word, value, true);
      return copy;
    };
    expect(() => KVCache.restore(engine, [1] as unknown as Uint8Array)).toThrow(
      new TypeError('KVCache.restore: "bytes" must be a Uint8Array, got an array of 1'),
    );
    expect(() => KVCache.restore(engine, image.subarray(0, 12))).toThrow('"bytes" hold 12 bytes, which is no cache');
    expect(() => KVCache.restore(engine, changed(0, 7))).toThrow('"bytes" do not begin as a cache does');
    expect(() => KVCache.restore(engine, changed(1, 9))).toThrow('"bytes" are of version 9, expected 1');
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
      expect(() => KVCache.restore(engine, changed(word, value)), `word ${word}`).toThrow(/are damaged/);
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

  test("scores of every pair are all there where a mask is shorter", async () => {
    using engine = await open();
    using cache = engine.createKVCache(shape);
    cache.append(piece(12, 1), piece(12, 2));
    const scores = () => ({ data: new Float32Array(24), dims: [1, 1, 2, 12] });
    const mask = { data: new Uint8Array(8).fill(1), dims: [8] };
    const [found, truth] = [scores(), scores()];
    cache.attend(piece(2, 3), { mask, scores: found, scoresStage: "scaled" });
    engine.scaledDotProductAttention(piece(2, 3), piece(12, 1), piece(12, 2), { mask, scores: truth, scoresStage: "scaled" });
    expectSameBits(found.data, truth.data, "scaled");
  });

  test("an option that is undefined is the cache's", async () => {
    using engine = await open();
    using cache = engine.createKVCache({ ...shape, window: 5, sinkTokens: 2 });
    cache.append(piece(30, 1), piece(30, 2));
    const truth = cache.attend(piece(4, 3));
    expectSameBits(cache.attend(piece(4, 3), { window: undefined, sinkTokens: undefined }).data, truth.data, "undefined");
    const inherited = Object.create({ window: -1, sinkTokens: 0 }) as { window: number };
    const open4 = engine.scaledDotProductAttention(piece(4, 3), piece(30, 1), piece(30, 2), { causal: true });
    expectSameBits(cache.attend(piece(4, 3), inherited).data, open4.data, "inherited");
  });

  test("an append that finds no scratch puts shared blocks back; one of no rows copies none", async () => {
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
    expect(Buffer.compare(twin.serialize(), cache.serialize())).toBe(0);
    twin.append(rowsOf(1), rowsOf(1));
    expect(engine.info.memory.inUse).toBeGreaterThan(before);
  });

  test("two sequences that shared a block need one copy, not two", async () => {
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

  test("restore takes a Buffer that is a part of another, and refuses sizes that can't be", async () => {
    using engine = await open();
    using cache = engine.createKVCache(shape);
    cache.append(piece(3, 1), piece(3, 2));
    const image = cache.serialize();
    const part = Buffer.concat([Buffer.from([1, 2, 3]), image]).subarray(3);
    using again = KVCache.restore(engine, part);
    expect(again.serialize()).toEqual(image);

    const damaged = (change: (words: Uint32Array) => void): Uint8Array => {
      const words = new Uint32Array(image.slice().buffer);
      change(words);
      return new Uint8Array(words.buffer);
    };
    const long = damaged((words) => words.set([0xffffffff, 0], 10));
    expect(() => KVCache.restore(engine, long)).toThrow(new RangeError('KVCache.restore: "bytes" are damaged'));
    const wide = damaged((words) => (words[6] = 0xffffffff));
    expect(() => KVCache.restore(engine, wide)).toThrow(
      'KVCache.restore: "capacity" must be an integer from 1 to 536870912, got 4294967295',
    );
    const past = damaged((words) => {
      words.set([1, 4, 0], 7); // rolling, window 3
      words.set([0xfffffe03, 0xfffffe00], 10);
    });
    expect(() => KVCache.restore(engine, past)).toThrow("are damaged");
  });

  test("wrong arguments are named", async () => {
    using engine = await open();
    const create = (options: object) => () => engine.createKVCache({ ...shape, ...options });
    expect(create({ headDim: 0 })).toThrow('createKVCache: "headDim" must be an integer from 1 to 1048576, got 0');
    expect(create({ policy: "ring" })).toThrow('createKVCache: "policy" must be "append" or "rolling", got "ring"');
    expect(create({ policy: "rolling" })).toThrow('createKVCache: "window" is missing, which policy "rolling" needs');
    expect(create({ policy: "rolling", window: 2000 })).toThrow(
      'createKVCache: "capacity" is 2000, expected at least window + 1 = 2001',
    );
    expect(create({ size: 1 })).toThrow('createKVCache: unknown option "size"');
    const cache = engine.createKVCache(shape);
    expect(() => cache.append(normal([1, 2, 1, 5], 1), piece(2, 1))).toThrow(
      'KVCache.append: "k" has headDim 5, expected 4, as the cache ("k" has dims [1, 2, 1, 5])',
    );
    expect(() => cache.append(piece(2, 1), piece(3, 1))).toThrow('KVCache.append: "v" has rows 3, expected 2, as k');
    expect(() => cache.append(piece(2, 1), piece(2, 1), { keyLengths: [3] })).toThrow(
      'KVCache.append: "keyLengths[0]" must be an integer from 0 to 2, got 3',
    );
    expect(() => cache.append(piece(2, 1), piece(2, 1), { keyLengths: 0 } as object)).toThrow(
      new TypeError('KVCache.append: "keyLengths" must be an array of 1 integers, got 0'),
    );
    cache.append(piece(2, 1), piece(2, 1));
    expect(() => cache.attend(piece(3, 1))).toThrow(
      'KVCache.attend: "q" has 3 rows of sequence 0, which has 2 keys; append them first',
    );
    expect(() => cache.attend(normal([1, 1, 1, 5], 1))).toThrow(
      'KVCache.attend: "q" has headDim 5, expected the 4 of the cache (q has dims [1, 1, 1, 5])',
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

  test("a getter that disposes of the cache is found out", async () => {
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
  ])("a getter that changes the cache is found out: %s", async (_, change) => {
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
