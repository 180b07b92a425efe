/** What is refused of looks, what else calls say of them, and looks in a worker. */
import { afterAll, describe, expect, test } from "vitest";
import { type AttentionOptions, createEngine, createWorkerEngine } from "headwise";
import { createEngine as createAttentionEngine } from "headwise/attention";
import { host } from "#host";
import { parseShape, randomInputs } from "./support/attention.js";
import { lookPlaces, weightPlaces } from "./support/looks.js";
import { normal } from "./support/random.js";

const engine = await createEngine({ build: "simd" });
afterAll(() => {
  engine.dispose();
});
const shape = parseShape("B2-S5-KV7-H4/2-D8");
const { q, k, v } = randomInputs(shape, 1);
const zeros = (...dims: number[]) => ({ data: new Float32Array(dims.reduce((a, b) => a * b, 1)), dims });
const attend = (options: object) => engine.scaledDotProductAttention(q, k, v, options);

describe("errors", () => {
  const rows = [2, 4, 5] as const;
  const wrong: [string, object, Error][] = [
    [
      "entropy of another size",
      { entropy: zeros(2, 4, 6) },
      new RangeError('"entropy" has dims [2, 4, 6], expected [2, 4, 5] (batch, numHeads, seqLen)'),
    ],
    [
      "largestWeight of another rank",
      { largestWeight: zeros(40) },
      new RangeError('"largestWeight" has dims [40], expected [2, 4, 5] (batch, numHeads, seqLen)'),
    ],
    [
      "keyWeights for rows",
      { keyWeights: zeros(...rows) },
      new RangeError('"keyWeights" has dims [2, 4, 5], expected [2, 4, 7] (batch, numHeads, kvLen)'),
    ],
    [
      "indices of another rank",
      { topKeys: { indices: zeros(3), weights: zeros(...rows, 3) } },
      new RangeError('"topKeys.indices" has dims [3], expected [2, 4, 5, 3] (batch, numHeads, seqLen, n)'),
    ],
    [
      "indices of no keys",
      { topKeys: { indices: zeros(...rows, 0), weights: zeros(...rows, 0) } },
      new RangeError('"topKeys.indices" has dims [2, 4, 5, 0], expected [2, 4, 5, 1] (batch, numHeads, seqLen, n)'),
    ],
    [
      "weights of other keys",
      { topKeys: { indices: zeros(...rows, 3), weights: zeros(...rows, 2) } },
      new RangeError('"topKeys.weights" has dims [2, 4, 5, 2], expected [2, 4, 5, 3] (batch, numHeads, seqLen, n)'),
    ],
    [
      "no weights",
      { topKeys: { indices: zeros(...rows, 3) } },
      new TypeError('"topKeys.weights" is missing; "topKeys" has places for indices and weights'),
    ],
    ["topKeys as a number", { topKeys: 3 }, new TypeError('"topKeys" must be an object, got 3')],
    [
      "a property that topKeys lacks",
      { topKeys: { indices: zeros(...rows, 3), weights: zeros(...rows, 3), values: 1 } },
      new TypeError('unknown option "topKeys.values"; the options are indices, weights'),
    ],
    ["weightsRange alone", { weightsRange: { heads: [0, 1] } }, new RangeError('"weightsRange" needs "weights"')],
    [
      "weights of all rows",
      { weights: zeros(2, 4, 5, 7), weightsRange: { heads: [1, 3], rows: [0, 2] } },
      new RangeError(
        '"weights" has dims [2, 4, 5, 7], expected [2, 2, 2, 7] (batch, numHeads, seqLen, kvLen, as far as in weightsRange)',
      ),
    ],
    [
      "more heads than there are",
      { weights: zeros(2, 4, 5, 7), weightsRange: { heads: [1, 5] } },
      new RangeError('"weightsRange.heads" must be [from, to] with 0 ≤ from ≤ to ≤ numHeads = 4, got [1, 5]'),
    ],
    [
      "rows from the end",
      { weights: zeros(2, 4, 5, 7), weightsRange: { rows: [-2, 5] } },
      new RangeError('"weightsRange.rows" must be [from, to] with 0 ≤ from ≤ to ≤ seqLen = 5, got [-2, 5]'),
    ],
    [
      "rows backwards",
      { weights: zeros(2, 4, 5, 7), weightsRange: { rows: [3, 2] } },
      new RangeError('"weightsRange.rows" must be [from, to] with 0 ≤ from ≤ to ≤ seqLen = 5, got [3, 2]'),
    ],
    [
      "a row",
      { weights: zeros(2, 4, 5, 7), weightsRange: { rows: 3 } },
      new TypeError('"weightsRange.rows" must be [from, to] with 0 ≤ from ≤ to ≤ seqLen = 5, got 3'),
    ],
  ];
  test.each(wrong)("%s", (_, options, error) => {
    const Kind = error.constructor as ErrorConstructor;
    expect(() => attend(options)).toThrow(new Kind(`scaledDotProductAttention: ${error.message}`));
  });

  test("two looks in one place, and a look that overlaps an input", () => {
    const entropy = zeros(2, 4, 5);
    expect(() => attend({ entropy, largestWeight: entropy })).toThrow(
      new RangeError('scaledDotProductAttention: "entropy" and "largestWeight" overlap, expected separate places'),
    );
  });

  test("float16 for more keys than it counts", () => {
    const far = { data: new Float32Array(2050), dims: [2050, 1] };
    const indices = { data: new Uint16Array(1), dims: [1, 1], type: "float16" } as const;
    const of = (rows: number) => {
      const keys = { data: far.data.subarray(0, rows), dims: [rows, 1] };
      const query = { data: Float32Array.of(1), dims: [1, 1] };
      return engine.scaledDotProductAttention(query, keys, keys, { topKeys: { indices, weights: zeros(1, 1) } });
    };
    expect(() => of(2049)).not.toThrow();
    expect(() => of(2050)).toThrow(
      new RangeError(
        'scaledDotProductAttention: "topKeys.indices" holds float16, which is exact up to 2048, but the last of 2050 keys is 2049',
      ),
    );
  });

  test("picks in float16 of more keys than it counts", () => {
    const of = (rows: number) => {
      const keys = { data: new Float32Array(rows).fill(1, -1), dims: [rows, 1] };
      const picks = { data: new Uint16Array(1), dims: [1], type: "float16" } as const;
      engine.hardAttention({ data: Float32Array.of(1), dims: [1, 1] }, keys, keys, { picks });
      return picks.data[0];
    };
    expect(of(2049)).toBe(0x6800); // 2048
    expect(() => of(2050)).toThrow(
      new RangeError('hardAttention: "picks" holds float16, which is exact up to 2048, but the last of 2050 keys is 2049'),
    );
  });

  test("no heads where weights have no axis of them", () => {
    const x = zeros(3, 4);
    const attendOn = (heads: [number, number]) =>
      engine.scaledDotProductAttention(x, x, x, { weights: zeros(3, 3), weightsRange: { heads } });
    expect(() => attendOn([0, 1])).not.toThrow();
    expect(() => attendOn([0, 0])).toThrow(
      new RangeError(
        'scaledDotProductAttention: "weightsRange.heads" must be [0, 1] where q has rank 2, as weights have no axis of heads, got [0, 0]',
      ),
    );
  });

  test("a part of the weights, of which a layer needs all", () => {
    const layer = engine.createMultiHeadAttention({ embedDim: 8, numHeads: 2 }, layerParameters);
    const options = { weights: zeros(1, 5, 5), weightsRange: { heads: [0, 1] }, averageWeights: zeros(5, 5) } as const;
    expect(() => layer.forward(normal([5, 8], 2), options)).toThrow(
      new RangeError(
        'MultiHeadAttention.forward: "weightsRange" cannot be combined with "averageWeights", which needs the weights of all heads',
      ),
    );
    layer.dispose();
  });

  test("an engine for attention alone refuses each", async () => {
    const small = await createAttentionEngine({ build: "simd" });
    const options = { ...lookPlaces(shape, 2), weightsRange: {} };
    for (const [name, value] of Object.entries(options)) {
      expect(() => small.scaledDotProductAttention(q, k, v, { [name]: value })).toThrow(
        new RangeError(`scaledDotProductAttention: "${name}" needs an engine of "headwise"`),
      );
    }
    small.dispose();
  });
});

const layerParameters = {
  ...{ q: normal([8, 8], 3), k: normal([8, 8], 4), v: normal([8, 8], 5), out: normal([8, 8], 6) },
};

test("planAttention counts what looks take", () => {
  const plain = engine.planAttention(q, k, v).scratchBytes;
  const planned = (options: AttentionOptions): number => engine.planAttention(q, k, v, options).scratchBytes - plain;
  const lines = (bytes: number): number => 64 * Math.ceil(bytes / 64);
  const { entropy, topKeys } = lookPlaces(shape, 3);
  expect(planned({ entropy })).toBe(lines(4 * 40));
  // the scores of 8 strips of up to 6 rows are kept
  expect(planned({ topKeys })).toBe(2 * lines(4 * 120) + 8 * 6 * 2048);
});

test.runIf(host.threads > 1)("planAttention: threads share heads where keys receive weights, else strips", async () => {
  const threaded = await createEngine({ build: "simd", threads: 2 });
  const long = randomInputs(parseShape("B1-S2048-KV2048-H1/1-D64"), 2);
  const planned = (options: AttentionOptions): number => threaded.planAttention(long.q, long.k, long.v, options).threads;
  expect(planned({})).toBe(2);
  expect(planned({ entropy: zeros(1, 1, 2048) })).toBe(2);
  expect(planned({ keyWeights: zeros(1, 1, 2048) })).toBe(1);
  threaded.dispose();
});

test("an engine in a worker: the same looks, to the bit", async () => {
  const worker = await createWorkerEngine({ build: "simd" });
  const [here, there] = [lookPlaces(shape, 3), lookPlaces(shape, 3)];
  const [partHere, partThere] = [zeros(2, 4, 2, 7), zeros(2, 4, 2, 7)];
  const weightsRange = { rows: [1, 3] } as const;
  attend({ ...here, weights: partHere, weightsRange });
  await worker.scaledDotProductAttention(q, k, v, { ...there, weights: partThere, weightsRange });
  expect(there).toEqual(here);
  expect(partThere).toEqual(partHere);
  await expect(worker.scaledDotProductAttention(q, k, v, { topKeys: { indices: zeros(3) } as never })).rejects.toThrow(
    '"topKeys.weights" is missing',
  );
  const same = zeros(2, 4, 5, 3);
  await expect(worker.scaledDotProductAttention(q, k, v, { topKeys: { indices: same, weights: same } })).rejects.toThrow(
    '"topKeys.indices" and "topKeys.weights" overlap, expected separate places',
  );
  await worker.dispose();
});

test("weights of a cache in a range, and looks of one head without axes", () => {
  const flat = { data: Float32Array.of(1, 2), dims: [2, 1] };
  const looks = { entropy: zeros(2), keyWeights: zeros(2), topKeys: { indices: zeros(2, 1), weights: zeros(2, 1) } };
  engine.scaledDotProductAttention(flat, flat, flat, { ...looks, weights: zeros(1, 2), weightsRange: { rows: [1, 2] } });
  expect([...looks.topKeys.indices.data]).toEqual([1, 1]);
  const cache = engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim: 8, capacity: 7 });
  cache.append(k, v);
  const { weights } = weightPlaces(shape);
  const part = zeros(2, 4, 1, 7);
  cache.attend(q, { weights });
  cache.attend(q, { weights: part, weightsRange: { rows: [4, 5] } });
  expect([...part.data]).toEqual([...weights.data].filter((_, index) => Math.floor(index / 7) % 5 === 4));
  cache.dispose();
});
