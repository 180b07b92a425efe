/** Sequences of different lengths in one call: packed one after another, or padded on the left. */
import { describe, expect, test } from "vitest";
import type { AttentionOptions, Engine } from "headwise";
import { cutRows, expectSameBits } from "./support/attention.js";
import { openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { countOf, normal, type TestTensor } from "./support/random.js";

const [QUERY_ENDS, KEY_ENDS] = [
  [0, 1, 40, 40, 53, 90],
  [0, 9, 48, 60, 60, 703],
];
const [ROWS, KEYS] = [90, 703];
const [Q, K, V] = [normal([1, ROWS, 4, 20], 1), normal([1, KEYS, 2, 20], 2), normal([1, KEYS, 2, 28], 3)];

/** A result array with other contents. */
const place = (...dims: number[]): TestTensor => ({ data: new Float32Array(countOf(dims)).fill(7), dims });

const OPTIONS: Record<string, AttentionOptions> = {
  full: {},
  causal: { causal: true },
  "upper left": { causal: "upper-left" },
  window: { causal: true, window: 30, sinkTokens: 3 },
  "window across block boundaries": { window: [540, 10] },
  sinks: { sinks: normal([4], 7), softcap: 3 },
};

onEveryEngine((_, engine) => {
  test.each(Object.entries(OPTIONS))("packed sequences have the bits of one call each: %s", (_name, options) => {
    const found = { logSumExp: place(1, 4, ROWS), weights: place(1, 4, ROWS, KEYS) };
    const cuSeqlens = { cuSeqlensQ: QUERY_ENDS, cuSeqlensK: KEY_ENDS };
    const out = engine.scaledDotProductAttention(Q, K, V, { ...options, ...found, ...cuSeqlens });
    for (let index = 0; index < 5; index++) {
      const [first, end] = [QUERY_ENDS[index]!, QUERY_ENDS[index + 1]!];
      const [firstKey, endKey] = [KEY_ENDS[index]!, KEY_ENDS[index + 1]!];
      const [rows, keys] = [end - first, endKey - firstKey];
      const truth = { logSumExp: place(1, 4, rows), weights: place(1, 4, rows, keys) };
      const alone = engine.scaledDotProductAttention(
        cutRows(Q, first, end),
        cutRows(K, firstKey, endKey),
        cutRows(V, firstKey, endKey),
        {
          ...options,
          ...truth,
        },
      );
      expectSameBits(out.data.subarray(first * 4 * 28, end * 4 * 28), alone.data, `sequence ${index}`);
      for (let head = 0; head < 4; head++) {
        const lse = found.logSumExp.data.subarray(head * ROWS + first, head * ROWS + end);
        expectSameBits(lse, truth.logSumExp.data.subarray(head * rows, (head + 1) * rows), "logSumExp");
        for (let i = 0; i < rows; i += 7) {
          const all = found.weights.data.subarray((head * ROWS + first + i) * KEYS, (head * ROWS + first + i + 1) * KEYS);
          const own = truth.weights.data.subarray((head * rows + i) * keys, (head * rows + i + 1) * keys);
          expectSameBits(all.subarray(firstKey, endKey), own, "weights");
          expect(all.every((weight, j) => weight === 0 || (j >= firstKey && j < endKey))).toBe(true);
        }
      }
    }
  });

  test.each(Object.entries(OPTIONS).filter(([name]) => name !== "upper left"))(
    "sequences padded on the left have the bits of one call each: %s",
    (_name, options) => {
      const [seqLen, kvLen, starts] = [70, 700, [0, 13, 690, 700]];
      const batch = starts.length;
      const [q, k, v] = [normal([batch, seqLen, 4, 20], 4), normal([batch, kvLen, 2, 20], 5), normal([batch, kvLen, 2, 28], 6)];
      const entry = ({ data, dims: [, ...rest] }: TestTensor, b: number): TestTensor => {
        const size = data.length / batch;
        return { data: data.subarray(b * size, (b + 1) * size), dims: [1, ...rest] };
      };
      const out = engine.scaledDotProductAttention(q, k, v, { ...options, keyStarts: starts });
      for (const [b, start] of starts.entries()) {
        const [keys, values] = [cutRows(entry(k, b), start, kvLen), cutRows(entry(v, b), start, kvLen)];
        const alone = engine.scaledDotProductAttention(entry(q, b), keys, values, options);
        expectSameBits(entry(out as TestTensor, b).data, alone.data, `sequence ${b}`);
      }
    },
  );

  test("many short sequences, some without rows or keys", () => {
    const lengths = Array.from({ length: 300 }, (_element, index) => (index * 7) % 5);
    const ends = lengths.reduce<number[]>((sums, length) => [...sums, sums.at(-1)! + length], [0]);
    const total = ends.at(-1)!;
    const [q, k, v] = [normal([total, 8], 1), normal([total, 8], 2), normal([total, 8], 3)];
    const out = engine.scaledDotProductAttention(q, k, v, { cuSeqlensQ: ends, causal: true });
    for (const [index, length] of lengths.entries()) {
      const part = ({ data }: TestTensor): TestTensor => ({
        data: data.subarray(ends[index]! * 8, ends[index + 1]! * 8),
        dims: [length, 8],
      });
      const alone = engine.scaledDotProductAttention(part(q), part(k), part(v), { causal: true });
      expectSameBits(part({ data: out.data, dims: [...out.dims] }).data, alone.data, `sequence ${index}`);
    }
  });
});

describe("mismatches are named", () => {
  const [q, k] = [normal([10, 4], 1), normal([12, 4], 2)];
  const attend = (engine: Engine, options: object) => () => engine.scaledDotProductAttention(q, k, k, options);
  test.each<[object, string]>([
    [{ cuSeqlensK: [0, 12] }, '"cuSeqlensK" needs "cuSeqlensQ"'],
    [{ cuSeqlensQ: 3 }, '"cuSeqlensQ" must be an array of integers, got 3'],
    [{ cuSeqlensQ: [], cuSeqlensK: [] }, '"cuSeqlensQ" is empty, expected [0, …, 10]'],
    [{ cuSeqlensQ: [1, 10], cuSeqlensK: [0, 12] }, '"cuSeqlensQ" begins with 1, expected 0'],
    [{ cuSeqlensQ: [0, 9], cuSeqlensK: [0, 12] }, '"cuSeqlensQ" ends with 9, expected seqLen = 10'],
    [{ cuSeqlensQ: [0, 10] }, '"cuSeqlensK" is missing: k has 12 rows, but q has 10'],
    [{ cuSeqlensQ: [0, 11] }, '"cuSeqlensQ[1]" must be an integer from 0 to 10, got 11'],
    [{ cuSeqlensQ: [0, 6, 5, 10] }, '"cuSeqlensQ[2]" is 5, expected at least cuSeqlensQ[1] = 6'],
    [{ cuSeqlensQ: [0, 5, 10], cuSeqlensK: [0, 12] }, '"cuSeqlensK" holds 2 elements, expected 3, as in cuSeqlensQ'],
    [{ cuSeqlensQ: [0, 10], keyLengths: [3] }, '"keyLengths" is for padded sequences and cannot be combined with "cuSeqlensQ"'],
    [
      { cuSeqlensQ: [0, 5, 10], cuSeqlensK: [0, 6, 12], queryOffset: [1] },
      '"queryOffset" holds 1 element, expected 2, one for each sequence',
    ],
    [{ keyStarts: [13] }, '"keyStarts[0]" must be an integer from 0 to 12, got 13'],
    [{ keyStarts: [1, 2] }, '"keyStarts" holds 2 elements, expected 1, one for each sequence'],
  ])("%j", (options, message) => {
    using engine = openBuild("simd");
    expect(attend(engine, options)).toThrow(`scaledDotProductAttention: ${message}`);
  });

  test("packed sequences need a batch of 1", () => {
    using engine = openBuild("simd");
    const x = normal([2, 5, 1, 4], 1);
    expect(() => engine.scaledDotProductAttention(x, x, x, { cuSeqlensQ: [0, 5] })).toThrow(
      new RangeError('scaledDotProductAttention: "cuSeqlensQ" packs sequences into a batch of 1, but q has batch 2'),
    );
  });

  test("a cache refuses options of packed sequences", () => {
    using engine = openBuild("simd");
    using cache = engine.createKVCache({ numKvHeads: 1, headDim: 4, capacity: 10 });
    expect(() => cache.attend(q, { cuSeqlensQ: [0, 10] } as object)).toThrow('KVCache.attend: unknown option "cuSeqlensQ"');
  });
});
