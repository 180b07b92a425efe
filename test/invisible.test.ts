/** Invisible means absent: a key that a row may not see changes no bit of the row, whatever the key holds. */
import { describe, expect, test } from "vitest";
import type { AttentionOptions } from "headwise";
import { scaledDotProductAttention as reference, type ReferenceOptions } from "headwise/reference";
import { expectSameBits, type Inputs, parseShape, randomInputs, type Shape } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, randomMask } from "./support/random.js";

const POISONS = [NaN, Infinity, -Infinity, 3e38];

interface Case {
  shape: Shape;
  options: AttentionOptions;
  /** Keys that no row of any head sees. */
  hidden: (j: number) => boolean;
}

const maskHiding = (kvLen: number, hidden: (j: number) => boolean) => ({
  data: Uint8Array.from({ length: kvLen }, (_, j) => (hidden(j) ? 0 : 1)),
  dims: [kvLen],
});

const CASES: Record<string, Case> = {
  keyLengths: { shape: parseShape("B1-S9-KV40-H2/1-D12"), options: { keyLengths: [29] }, hidden: (j) => j >= 29 },
  "causal, upper-left": { shape: parseShape("B1-S9-KV40-H2/1-D12"), options: { causal: "upper-left" }, hidden: (j) => j > 8 },
  "window to the left": { shape: parseShape("B1-S5-KV1100-H2/1-D12"), options: { window: [20, 0] }, hidden: (j) => j < 1075 },
  "window and sink tokens": {
    shape: parseShape("B1-S5-KV1100-H2/1-D12"),
    options: { window: [20, 0], sinkTokens: 3 },
    hidden: (j) => j >= 3 && j < 1075,
  },
  "mask with holes": {
    shape: parseShape("B1-S9-KV70-H2/2-D12:20"),
    options: { mask: maskHiding(70, (j) => j % 3 === 1) },
    hidden: (j) => j % 3 === 1,
  },
  "mask with holes in two blocks": {
    shape: parseShape("B1-S9-KV1030-H2/2-D12"),
    options: { mask: maskHiding(1030, (j) => j % 97 === 5), causal: true },
    hidden: (j) => j % 97 === 5,
  },
  "bias of −∞": {
    shape: parseShape("B1-S9-KV70-H2/2-D12"),
    options: { bias: { data: Float32Array.from({ length: 70 }, (_, j) => (j % 5 === 2 ? -Infinity : 0.1 * j)), dims: [70] } },
    hidden: (j) => j % 5 === 2,
  },
  "a table's −∞": {
    shape: parseShape("B1-S9-KV700-H2/1-D12"),
    options: {
      relativeBias: {
        data: Float32Array.from({ length: 60 }, (_, index) => (index < 20 ? -Infinity : 0.1 * index)),
        dims: [1, 60],
      },
      relativeZero: 50,
      alibiSlopes: normal([2], 4),
    },
    hidden: (j) => j <= 691 - 31, // row 0 stands at 691
  },
  "a mask beside keys of distances": {
    shape: parseShape("B1-S9-KV70-H2/1-D12"),
    options: {
      mask: maskHiding(70, (j) => j % 3 === 1),
      relativeKeys: normal([33, 2, 12], 5),
      contentBias: normal([2, 12], 6),
      positionBias: normal([2, 12], 7),
    },
    hidden: (j) => j % 3 === 1,
  },
  "a mask shorter than the keys": {
    shape: parseShape("B1-S9-KV70-H2/2-D12"),
    options: { mask: maskHiding(33, () => false), shortMask: "hide" },
    hidden: (j) => j >= 33,
  },
};

/** The same inputs with `poison` in k and v of the hidden keys. */
function poisoned({ q, k, v }: Inputs, { kvLen, numKvHeads }: Shape, hidden: (j: number) => boolean, poison: number): Inputs {
  const spoil = ({ data, dims }: Inputs["k"]) => {
    const channels = dims.at(-1)!;
    return {
      data: data.map((value, index) => (hidden(Math.floor(index / (channels * numKvHeads)) % kvLen) ? poison : value)),
      dims,
    };
  };
  return { q, k: spoil(k), v: spoil(v) };
}

onEveryEngine((_, engine) => {
  for (const [name, { shape, options, hidden }] of Object.entries(CASES)) {
    test(`${name}: NaN, ±Infinity and 3e38 in hidden keys change no bit`, () => {
      const inputs = randomInputs(shape, 21);
      const { q, k, v } = inputs;
      const expected = engine.scaledDotProductAttention(q, k, v, options);
      expect(expected.data.every(Number.isFinite)).toBe(true);
      for (const value of POISONS) {
        const spoilt = poisoned(inputs, shape, hidden, value);
        expectSameBits(
          engine.scaledDotProductAttention(spoilt.q, spoilt.k, spoilt.v, options).data,
          expected.data,
          `with ${value}`,
        );
      }
    });
  }

  test("later keys that are NaN change no bit of the rows before them, and make the rows NaN that see them", () => {
    const shape = parseShape("B1-S40-KV40-H2/2-D12");
    const inputs = randomInputs(shape, 22);
    const clean = engine.scaledDotProductAttention(inputs.q, inputs.k, inputs.v, { causal: true });
    const { q, k, v } = poisoned(inputs, shape, (j) => j === 30, NaN);
    const out = engine.scaledDotProductAttention(q, k, v, { causal: true });
    const row = 2 * 12;
    expectSameBits(out.data.subarray(0, 30 * row), clean.data.subarray(0, 30 * row), "rows 0 to 29");
    expect(out.data.subarray(30 * row).every(Number.isNaN)).toBe(true);
  });

  test("under a random mask each row is NaN exactly where the reference is", () => {
    const shape = parseShape("B1-S30-KV600-H2/2-D8");
    const inputs = randomInputs(shape, 23);
    const mask = randomMask([30, 600], 24, 0.5);
    const { q, k, v } = poisoned(inputs, shape, (j) => j === 100 || j === 577, NaN);
    const expected = reference(q, k, v, { mask });
    const out = engine.scaledDotProductAttention(q, k, v, { mask });
    expect(Array.from(out.data, Number.isNaN)).toEqual(Array.from(expected.data, Number.isNaN));
    expect(out.data.some(Number.isNaN)).toBe(true);
    expect(out.data.some(Number.isFinite)).toBe(true);
  });

  describe("a visible score", () => {
    const shape = parseShape("B1-S13-KV20-H1/1-D4");
    const withScore = (value: number) => {
      const inputs = randomInputs(shape, 25);
      inputs.q.data.fill(0, 5 * 4, 6 * 4);
      inputs.q.data[5 * 4] = 1; // row 5 takes channel 0 of a key as its score
      inputs.k.data[7 * 4] = value;
      for (const row of Array(13).keys()) if (row !== 5) inputs.q.data[row * 4] = 0;
      return inputs;
    };

    test.each([NaN, Infinity])("of %f makes its row NaN", (value) => {
      const { q, k, v } = withScore(value);
      const logSumExp = { data: new Float32Array(13), dims: [1, 1, 13] };
      const weights = { data: new Float32Array(13 * 20), dims: [1, 1, 13, 20] };
      const out = engine.scaledDotProductAttention(q, k, v, { logSumExp, weights, causal: "upper-left", queryOffset: 3 });
      expect(out.data.subarray(5 * 4, 6 * 4).every(Number.isNaN)).toBe(true);
      expect(logSumExp.data[5]).toBeNaN();
      const row = weights.data.subarray(5 * 20, 6 * 20);
      expect(row.subarray(0, 9).every(Number.isNaN)).toBe(true);
      expect(row.subarray(9).every((weight) => weight === 0)).toBe(true); // invisible keys have weight 0 even there
    });

    test("of +∞ makes no other row NaN", () => {
      const inputs = randomInputs(shape, 26);
      const bias = { data: new Float32Array(13 * 20), dims: [13, 20] };
      const { q, k, v } = inputs;
      const clean = engine.scaledDotProductAttention(q, k, v, { bias });
      bias.data[5 * 20 + 7] = Infinity;
      const out = engine.scaledDotProductAttention(q, k, v, { bias });
      const expected = clean.data.map((value, index) => (index >= 20 && index < 24 ? NaN : value));
      expectSameBits(out.data, expected, "all rows but the fifth");
    });

    test("of −∞ has weight 0, even where v is NaN, and a row with only such scores sees no key", () => {
      const one = (value: number, count: number, dims: number[]) => ({ data: new Float32Array(count).fill(value), dims });
      const logSumExp = { data: new Float32Array(2), dims: [2] };
      const q = { data: Float32Array.of(1, 0.5), dims: [2, 1] };
      const k = { data: Float32Array.of(-Infinity, 2, -Infinity), dims: [3, 1] };
      const v = { data: Float32Array.of(NaN, 4, NaN), dims: [3, 1] };
      expect([...engine.scaledDotProductAttention(q, k, v, { scale: 1, logSumExp }).data]).toEqual([4, 4]);
      expect([...logSumExp.data]).toEqual([2, 1]);
      const none = engine.scaledDotProductAttention(q, one(-Infinity, 3, [3, 1]), v, { scale: 1, logSumExp });
      expect([...none.data]).toEqual([0, 0]);
      expect([...logSumExp.data]).toEqual([-Infinity, -Infinity]);
    });

    test("that underflows still counts: its NaN reaches the row", () => {
      const q = { data: Float32Array.of(1), dims: [1, 1] };
      const k = { data: Float32Array.of(0, -1000), dims: [2, 1] };
      const v = { data: Float32Array.of(1, NaN), dims: [2, 1] };
      const options = { scale: 1 } satisfies ReferenceOptions;
      expect(reference(q, k, v, options).data[0]).toBeNaN();
      expect(engine.scaledDotProductAttention(q, k, v, options).data[0]).toBeNaN();
    });
  });

  test("a sink of NaN or +∞ makes every row of its head NaN, and no other", () => {
    const { q, k, v } = randomInputs(parseShape("B1-S5-KV9-H3/3-D4"), 27);
    const sinks = { data: Float32Array.of(NaN, 0.5, Infinity), dims: [3] };
    const out = engine.scaledDotProductAttention(q, k, v, { sinks });
    expect(Array.from(out.data, Number.isNaN)).toEqual(Array.from(out.data, (_, index) => Math.floor(index / 4) % 3 !== 1));
  });

  test.each([NaN, Infinity, -Infinity, 2.5])(
    "a row without keys is 0 and has the sink as its logSumExp, even a sink of %f",
    (sink) => {
      const { q, k, v } = randomInputs(parseShape("B1-S5-KV9-H1/1-D4"), 29);
      const logSumExp = { data: new Float32Array(5), dims: [1, 1, 5] };
      const weights = { data: new Float32Array(45), dims: [1, 1, 5, 9] };
      const sinks = { data: Float32Array.of(sink), dims: [1] };
      const options = { sinks, queryLengths: [3], logSumExp, weights };
      const out = engine.scaledDotProductAttention(q, k, v, options);
      expect([...out.data.subarray(12)]).toEqual(new Array(8).fill(0));
      expect([...logSumExp.data.subarray(3)]).toEqual([sink, sink]);
      expect([...weights.data.subarray(27)]).toEqual(new Array(18).fill(0));
      const expected = { data: new Float64Array(5), dims: [1, 1, 5] };
      expect([...reference(q, k, v, { sinks, queryLengths: [3], logSumExp: expected }).data.subarray(12)]).toEqual(
        new Array(8).fill(0),
      );
      expect([...expected.data.subarray(3)]).toEqual([sink, sink]);
    },
  );

  test("queries beyond queryLengths give 0, whatever they contain", () => {
    const shape = parseShape("B2-S9-KV9-H1/1-D4");
    const { q, k, v } = randomInputs(shape, 28);
    q.data.fill(NaN, 5 * 4, 9 * 4);
    const { data } = engine.scaledDotProductAttention(q, k, v, { queryLengths: [5, 9], sinks: normal([1], 1) });
    expect(data.subarray(0, 20).every((value) => Number.isFinite(value) && value !== 0)).toBe(true);
    expect(data.subarray(20, 36).every((value) => value === 0)).toBe(true);
  });
});
