/** Positions: what they are equal to, what they leave alone, and the bits that depend on nothing but the row. */
import { describe, expect, test, vi } from "vitest";
import { alibiSlopes, type AttentionOptions, type Layout, t5RelativeBias } from "headwise";
import { Arena } from "../src/runtime/arena.js";
import { expectSameBits, largestError, parseShape, randomInputs } from "./support/attention.js";
import { cutRows } from "./support/cacheRows.js";
import { onEveryEngine } from "./support/engines.js";
import { countOf, normal, randomMask, type TestTensor } from "./support/random.js";

const SHAPE = parseShape("B2-S9-KV40-H4/2-D8");
const [BATCH, ROWS, KEYS, HEADS, DIM] = [2, 9, 40, 4, 8];
const inputs = randomInputs(SHAPE, 3);

/** A bias with an element for each pair: `of(h, key − position)`, where row i stands at i + KEYS − ROWS. */
function biasOf(of: (h: number, distance: number) => number): TestTensor {
  const dims = [HEADS, ROWS, KEYS];
  const element = (index: number): number =>
    of(Math.floor(index / ROWS / KEYS), (index % KEYS) - ((Math.floor(index / KEYS) % ROWS) + KEYS - ROWS));
  return { data: Float32Array.from({ length: countOf(dims) }, (_, index) => element(index)), dims };
}

const inTable = ({ data, dims: [, distances] }: TestTensor, zero: number, h: number, distance: number): number =>
  data[h * distances! + Math.min(Math.max(distance + zero, 0), distances! - 1)]!;

/** Every option of positions at once. */
const ALL = (seed: number) => ({
  alibiSlopes: normal([HEADS], seed, 0.1),
  relativeBias: normal([HEADS, 31], seed + 1),
  relativeKeys: normal([51, HEADS, DIM], seed + 2),
  relativeZero: 26,
  contentBias: normal([HEADS, DIM], seed + 3),
  positionBias: normal([HEADS, DIM], seed + 4),
});

onEveryEngine((build, engine) => {
  const attend = (options: AttentionOptions, { q, k, v } = inputs) => engine.scaledDotProductAttention(q, k, v, options).data;

  describe("are equal to", () => {
    test("ALiBi: an explicit bias, 4e-6", () => {
      const slopes = alibiSlopes(HEADS);
      const bias = biasOf((h, distance) => -slopes.data[h]! * Math.abs(distance));
      for (const more of [{}, { causal: true }, { softcap: 2, window: 5 }]) {
        expect(largestError(attend({ alibiSlopes: slopes, ...more }), attend({ bias, ...more }))).toBeLessThanOrEqual(4e-6);
      }
    });

    test("a table: an explicit bias, to the bit", () => {
      const table = normal([HEADS, 20], 4);
      table.data[3] = -Infinity;
      for (const relativeZero of [0, 11, 19]) {
        const bias = biasOf((h, distance) => inTable(table, relativeZero, h, distance));
        for (const more of [{}, { causal: true }, { softcap: 2, window: 5 }]) {
          expectSameBits(attend({ relativeBias: table, relativeZero, ...more }), attend({ bias, ...more }), `${relativeZero}`);
        }
      }
    });

    test("T5: the embedding of each pair's bucket, to the bit", () => {
      const embedding = normal([16, HEADS], 5);
      for (const bidirectional of [true, false]) {
        const table = t5RelativeBias(embedding, { length: KEYS, bidirectional, maxDistance: 20 });
        const bias = biasOf((h, distance) => inTable(table, KEYS - 1, h, distance));
        const options = { scale: 1, causal: !bidirectional };
        expectSameBits(attend({ relativeBias: table, ...options }), attend({ bias, ...options }), `${bidirectional}`);
      }
    });

    test("Shaw et al.: a bias of scale · q·r, 5e-6", () => {
      const keys = normal([17, 1, DIM], 6);
      const dims = [BATCH, HEADS, ROWS, KEYS];
      const bias = { data: new Float32Array(countOf(dims)), dims };
      for (const index of bias.data.keys()) {
        const [j, i] = [index % KEYS, Math.floor(index / KEYS) % ROWS];
        const [h, b] = [Math.floor(index / KEYS / ROWS) % HEADS, Math.floor(index / KEYS / ROWS / HEADS)];
        const r = Math.min(Math.max(j - (i + KEYS - ROWS) + 8, 0), 16) * DIM;
        let sum = 0;
        for (let d = 0; d < DIM; d++) sum += inputs.q.data[((b * ROWS + i) * HEADS + h) * DIM + d]! * keys.data[r + d]!;
        bias.data[index] = 0.3 * sum;
      }
      expect(largestError(attend({ relativeKeys: keys, scale: 0.3 }), attend({ bias, scale: 0.3 }))).toBeLessThanOrEqual(5e-6);
    });

    test("zeros: no positions, to the bit", () => {
      const zeros = (...dims: number[]) => ({ data: new Float32Array(countOf(dims)), dims });
      const options = { relativeBias: zeros(1, 3), relativeKeys: zeros(5, HEADS, DIM), alibiSlopes: zeros(BATCH, HEADS) };
      expectSameBits(attend(options), attend({}), build);
    });

    test("layouts, and rows that hold their heads side by side: the same bits", () => {
      const expected = attend(ALL(7));
      const axes = { bshd: [0, 1, 2], bhsd: [0, 2, 1], sbhd: [1, 0, 2] };
      for (const [layout, order] of Object.entries(axes)) {
        const permuted = ({ data, dims }: TestTensor): TestTensor => {
          const sizes = order.map((axis) => dims[axis]!);
          const moved = Float32Array.from(data, (_, index) => {
            const at = [0, 0, 0];
            let rest = Math.floor(index / dims[3]!);
            for (const axis of [2, 1, 0]) [at[order[axis]!], rest] = [rest % sizes[axis]!, Math.floor(rest / sizes[axis]!)];
            return data[((at[0]! * dims[1]! + at[1]!) * dims[2]! + at[2]!) * dims[3]! + (index % dims[3]!)]!;
          });
          return { data: moved, dims: [...sizes, dims[3]!] };
        };
        const [q, k, v] = [permuted(inputs.q), permuted(inputs.k), permuted(inputs.v)];
        const found = attend({ ...ALL(7), layout: layout as Layout }, { q, k, v });
        expectSameBits(found, permuted({ data: expected, dims: inputs.q.dims }).data, layout);
      }
      const flat = ({ data, dims: [batch, rows, heads, channels] }: TestTensor): TestTensor => ({
        data,
        dims: [batch!, rows!, heads! * channels!],
      });
      const rank3 = { q: flat(inputs.q), k: flat(inputs.k), v: flat(inputs.v) };
      expectSameBits(attend({ ...ALL(7), numHeads: HEADS, numKvHeads: 2 }, rank3), expected, "rank 3");
    });

    test("rank 2: one head", () => {
      const [q, k] = [normal([5, DIM], 8), normal([12, DIM], 9)];
      const options = {
        ...{
          alibiSlopes: normal([1], 10),
          relativeBias: normal([1, 7], 11),
          relativeKeys: normal([9, 1, DIM], 12),
          relativeZero: 6,
        },
        positionBias: normal([1, DIM], 13),
      };
      const [four, keys] = [
        { ...q, dims: [1, 5, 1, DIM] },
        { ...k, dims: [1, 12, 1, DIM] },
      ];
      expectSameBits(attend(options, { q, k, v: k }), attend(options, { q: four, k: keys, v: keys }), build);
    });
  });

  describe("on a cache", () => {
    const DTYPES = ["float32", "int8"] as const;
    const LENGTH = 1100;
    const q = normal([1, LENGTH, HEADS, DIM], 14);
    const [k, v] = [normal([1, LENGTH, 1, DIM], 15), normal([1, LENGTH, 1, DIM], 16)];
    const options = { ...ALL(17), window: 700 };

    test.each(DTYPES)("%s: rows one by one, in segments and at once have the same bits", (dtype) => {
      using cache = engine.createKVCache({ numKvHeads: 1, headDim: DIM, capacity: LENGTH, dtype });
      cache.append(k, v);
      const last = cutRows(q, LENGTH - 40, LENGTH);
      const expected = cache.attend(last, options).data;
      if (dtype === "float32") {
        const whole = engine.scaledDotProductAttention(last, k, v, { causal: true, ...options }).data;
        expectSameBits(expected, whole, "tensors");
      }
      using grown = engine.createKVCache({ numKvHeads: 1, headDim: DIM, capacity: LENGTH, dtype });
      const width = HEADS * DIM;
      let done = 0;
      for (const end of [LENGTH - 40, LENGTH - 39, LENGTH - 38, LENGTH - 20, LENGTH]) {
        grown.append(cutRows(k, done, end), cutRows(v, done, end));
        if (done > 0) {
          const first = done - (LENGTH - 40);
          const found = grown.attend(cutRows(q, done, end), options).data;
          expectSameBits(found, expected.subarray(first * width, (first + end - done) * width), `rows ${done} to ${end}`);
        }
        done = end;
      }
    });

    test("a rolling cache: the bits of a call with its window", () => {
      using cache = engine.createKVCache({
        ...{ numKvHeads: 1, headDim: DIM, policy: "rolling", window: 90, sinkTokens: 3, capacity: 90 + 300 },
      });
      for (let from = 0; from < LENGTH; from += 275) cache.append(cutRows(k, from, from + 275), cutRows(v, from, from + 275));
      const last = cutRows(q, LENGTH - 5, LENGTH);
      const truth = engine.scaledDotProductAttention(last, k, v, { ...ALL(17), causal: true, window: 90, sinkTokens: 3 });
      expectSameBits(cache.attend(last, ALL(17)).data, truth.data, build);
    });
  });

  describe("leave alone", () => {
    test("keys that either of bias and table hides, whatever the other, the slope and the key hold", () => {
      const table = normal([1, 31], 18);
      table.data[2] = -Infinity;
      const hiding = biasOf((_, distance) => (distance === -13 || distance === 4 ? -Infinity : 0));
      const expected = attend({ relativeBias: table, bias: hiding });
      for (const poison of [NaN, Infinity, 3e38]) {
        const spoilt = { ...table, data: table.data.slice() };
        spoilt.data[19] = poison; // distance 4, which the bias hides
        const bias = biasOf((_, distance) => (distance === -13 ? poison : distance === 4 ? -Infinity : 0));
        expectSameBits(attend({ relativeBias: spoilt, bias }), expected, `${poison}`);
      }
    });

    test("other heads and rows, where a slope, a bias or a key of a distance is NaN", () => {
      const clean = ALL(19);
      const expected = attend(clean);
      const spoilt = (name: "alibiSlopes" | "relativeBias" | "relativeKeys", index: number): Float32Array => {
        const { data, dims } = clean[name];
        return attend({ ...clean, [name]: { data: data.map((value, at) => (at === index ? NaN : value)), dims } });
      };
      const rowIsNaN = (out: Float32Array, b: number, i: number, h: number): boolean => {
        const start = ((b * ROWS + i) * HEADS + h) * DIM;
        const isNaNRow = out.subarray(start, start + DIM).every(Number.isNaN);
        if (!isNaNRow) expectSameBits(out.subarray(start, start + DIM), expected.subarray(start, start + DIM), `${b} ${i} ${h}`);
        return isNaNRow;
      };
      for (const [found, isHit] of [
        [spoilt("alibiSlopes", 2), (_: number, h: number) => h === 2],
        // distance 4 exists up to position 35: the first 5 rows
        [spoilt("relativeBias", 1 * 31 + 30), (i: number, h: number) => h === 1 && i + 31 + 4 < KEYS],
        [spoilt("relativeKeys", ((26 + 6) * HEADS + 3) * DIM + 1), (i: number, h: number) => h === 3 && i + 31 + 6 < KEYS],
      ] as const) {
        for (let b = 0; b < BATCH; b++)
          for (let i = 0; i < ROWS; i++)
            for (let h = 0; h < HEADS; h++) expect(rowIsNaN(found, b, i, h), `${b} ${i} ${h}`).toBe(isHit(i, h));
      }
    });

    test("distance 0, where a slope is so large that others overflow: a row is the value at its position", () => {
      const out = attend({ alibiSlopes: { data: new Float32Array(HEADS).fill(3e38), dims: [HEADS] } });
      const group = HEADS / SHAPE.numKvHeads;
      for (let i = 0; i < ROWS; i++) {
        const [row, key] = [i * HEADS * DIM, (i + KEYS - ROWS) * SHAPE.numKvHeads * DIM];
        for (let h = 0; h < HEADS; h++) {
          const value = inputs.v.data.slice(key + Math.floor(h / group) * DIM, key + (Math.floor(h / group) + 1) * DIM);
          expect(out.slice(row + h * DIM, row + (h + 1) * DIM)).toEqual(value);
        }
      }
    });
  });

  test("a plan counts what they take", () => {
    const options = { ...ALL(20), mask: randomMask([ROWS, KEYS], 21, 0.8) };
    const scratch = vi.spyOn(Arena.prototype, "openScratch");
    const workspaces = vi.spyOn(Arena.prototype, "extendScratch");
    try {
      const plan = engine.planAttention(inputs.q, inputs.k, inputs.v, options);
      expect(scratch).not.toHaveBeenCalled();
      attend(options);
      expect(plan.scratchBytes).toBe(scratch.mock.calls[0]![1] + workspaces.mock.calls[0]![1]);
    } finally {
      scratch.mockRestore();
      workspaces.mockRestore();
    }
  });

  describe("in a layer", () => {
    const config = { embedDim: 12, numHeads: 2, headDim: 6 };
    const matrix = (seed: number) => normal([12, 12], seed, 0.3);
    const parameters = { q: matrix(22), k: matrix(23), v: matrix(24), out: matrix(25) };
    const x = normal([2, 7, 12], 26);
    const own = {
      ...{ alibiSlopes: normal([2, 2], 27, 0.3), relativeBias: normal([2, 9], 28), relativeKeys: normal([5, 2, 6], 29) },
      ...{ relativeZero: 3, contentBias: normal([2, 6], 30), positionBias: normal([2, 6], 31) },
    };
    const projected = (weights: TestTensor) => engine.matmul(x, weights, { transposeB: true }).data;
    const heads = (weights: TestTensor): TestTensor => ({ data: projected(weights), dims: [2, 7, 2, 6] });

    test("forward has the bits of attention on the projected rows, and of its decoding", () => {
      using layer = engine.createMultiHeadAttention(config, parameters);
      const [q, k, v] = [heads(parameters.q), heads(parameters.k), heads(parameters.v)];
      const attended = engine.scaledDotProductAttention(q, k, v, { ...own, causal: true }).data;
      const truth = engine.matmul({ data: attended, dims: [2, 7, 12] }, parameters.out, { transposeB: true });
      const found = layer.forward(x, { ...own, causal: true }).data;
      expectSameBits(found, truth.data, "forward");
      using cache = layer.createCache({ batchSize: 2, capacity: 7 });
      for (const [from, to] of [[0, 4] as const, [4, 5] as const, [5, 7] as const]) {
        const rows = layer.forward(cutRows(x, from, to), { ...own, cache });
        expectSameBits(rows.data, cutRows({ data: found, dims: [2, 7, 12] }, from, to).data, `rows ${from} to ${to}`);
      }
    });

    test("extra keys have no position: neither biases nor keys of distances change their scores", () => {
      const extra = { biasK: normal([12], 32), biasV: normal([12], 33) };
      using layer = engine.createMultiHeadAttention({ ...config, addZeroAttention: true }, { ...parameters, ...extra });
      const { contentBias, ...positions } = own;
      for (const scoresStage of ["scaled", "biased"] as const) {
        const scoresWith = (options: AttentionOptions): Float32Array => {
          const scores = normal([2, 2, 7, 9], 34);
          layer.forward(x, { ...options, scores, scoresStage, causal: true });
          return scores.data;
        };
        const plain = scoresWith({ relativeKeys: { data: new Float32Array(6), dims: [1, 1, 6] }, contentBias });
        const found = scoresWith({ ...positions, contentBias });
        const isExtra = (_: number, index: number): boolean => index % 9 >= 7;
        expectSameBits(found.filter(isExtra), plain.filter(isExtra), scoresStage);
        const own = ([index, score]: [number, number]): boolean => index % 9 < 7 && score !== -Infinity;
        const changed = [...found.entries()].filter(own);
        expect(changed.length).toBeGreaterThan(50);
        for (const [index, score] of changed) expect(score).not.toBe(plain[index]);
      }
    });
  });
});
