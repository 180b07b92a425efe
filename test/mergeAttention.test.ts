/** Merging attention on parts of the keys: the result of one call on all of them. */
import { describe, expect, test } from "vitest";
import type { AttentionOptions, AttentionPart, Engine, Layout } from "headwise";
import { mergeAttention as reference } from "headwise/reference";
import { dimsOf, expectSameBits, largestError, parseShape, poison, randomInputs, type Shape } from "./support/attention.js";
import { onEveryBuild, openBuild } from "./support/builds.js";
import { countOf, normal, randomMask, type TestTensor } from "./support/random.js";

/** The rounding of a part's logSumExp to float32, in proportion to its magnitude, and a few operations. */
const boundOf = (logSumExp: ArrayLike<number>, magnitude: number): number =>
  (8 + Array.from(logSumExp).reduce((most, lse) => (Number.isFinite(lse) ? Math.max(most, Math.abs(lse)) : most), 0)) *
  2 ** -23 *
  magnitude;

const magnitudeOf = ({ data }: TestTensor): number => data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

/** Keys `from` to `to` − 1. */
function keysOf({ data, dims }: TestTensor, layout: Layout, from: number, to: number): TestTensor {
  const [batch, a, b, channels] = dims as [number, number, number, number];
  const [rows, heads] = layout === "bshd" ? [a, b] : [b, a];
  const [outer, width] = layout === "bshd" ? [batch, heads * channels] : [batch * heads, channels];
  const parts = Array.from({ length: outer }, (_, n) => [...data.subarray((n * rows + from) * width, (n * rows + to) * width)]);
  return { data: Float32Array.from(parts.flat()), dims: dimsOf(layout, batch, to - from, heads, channels) };
}

function attend(engine: Engine, shape: Shape, q: TestTensor, k: TestTensor, v: TestTensor, options: AttentionOptions) {
  const dims = [shape.batchSize, shape.numHeads, shape.seqLen];
  const logSumExp = { data: new Float32Array(countOf(dims)), dims };
  return { out: engine.scaledDotProductAttention(q, k, v, { ...options, logSumExp }), logSumExp };
}

onEveryBuild((_, engine) => {
  describe.each(["B1-S3-KV40-H2/2-D8", "B2-S5-KV1100-H4/2-D9:13", "B3-S1-KV700-H6/1-D64"])("%s › seed 3", (name) => {
    const shape = parseShape(name);
    const { kvLen } = shape;
    test.each<[Layout, number[]]>([
      ["bshd", [0, 17, kvLen]],
      ["bhsd", [0, 1, 1, 30, 31, kvLen]],
      ["bshd", [0, 0, 13, kvLen, kvLen]],
    ])("%s in parts %j", (layout, ends) => {
      const { q, k, v } = randomInputs(shape, 3, layout);
      const mask = randomMask([kvLen], 4, 0.8);
      const whole = attend(engine, shape, q, k, v, { layout, mask });
      const parts = ends.slice(1).map((end, index) => {
        const from = ends[index]!;
        const [keys, values] = [keysOf(k, layout, from, end), keysOf(v, layout, from, end)];
        const part = { data: mask.data.slice(from, end), dims: [end - from] };
        return attend(engine, shape, q, keys, values, { layout, ...(end > from && { mask: part }) });
      });
      poison(engine);
      const logSumExp = normal(whole.logSumExp.dims, 1);
      const merged = engine.mergeAttention(parts, { layout, logSumExp });
      const bound = boundOf(whole.logSumExp.data, magnitudeOf(v));
      expect(merged.dims).toEqual(whole.out.dims);
      expect(largestError(merged.data, whole.out.data)).toBeLessThanOrEqual(bound);
      expect(largestError(logSumExp.data, whole.logSumExp.data)).toBeLessThanOrEqual(bound);
      const truth = reference(parts, layout);
      expect(largestError(merged.data, truth.out.data)).toBeLessThanOrEqual(8 * 2 ** -23 * magnitudeOf(v));
      expect(largestError(logSumExp.data, truth.logSumExp.data)).toBeLessThanOrEqual(boundOf(truth.logSumExp.data, 1));
    });
  });

  const column = (...data: number[]): TestTensor => ({ data: Float32Array.from(data), dims: [data.length, 1] });
  const row = (...data: number[]): TestTensor => ({ data: Float32Array.from(data), dims: [data.length] });

  test("one part is the result, to the bit", () => {
    const part = { out: normal([2, 3, 4, 5], 1), logSumExp: normal([2, 4, 3], 2, 30) };
    const logSumExp = normal([2, 4, 3], 3);
    expectSameBits(engine.mergeAttention([part], { logSumExp }).data, part.out.data, "out");
    expectSameBits(logSumExp.data, part.logSumExp.data, "logSumExp");
  });

  test("parts without keys are ignored, whatever they hold; if all are, the result is 0 and −∞", () => {
    const logSumExp = row(7, 7);
    const merged = engine.mergeAttention(
      [
        { out: column(NaN, NaN), logSumExp: row(-Infinity, -Infinity) },
        { out: column(5, Infinity), logSumExp: row(1000, -Infinity) },
      ],
      { logSumExp },
    );
    expect([...merged.data]).toEqual([5, 0]);
    expect([...logSumExp.data]).toEqual([1000, -Infinity]);
  });

  test("a part that saw keys counts, however small its weight", () => {
    const parts = [
      { out: column(1), logSumExp: row(0) },
      { out: column(NaN), logSumExp: row(-2000) },
    ];
    expect(engine.mergeAttention(parts).data[0]).toBeNaN();
    expect(reference(parts).out.data[0]).toBeNaN();
  });

  test("NaN and +∞ stay in their rows", () => {
    const merged = engine.mergeAttention([
      { out: column(1, 2, 3, NaN), logSumExp: row(0, NaN, Infinity, 0) },
      { out: column(3, 2, 3, 3), logSumExp: row(0, 0, 0, 0) },
    ]);
    expect([...merged.data]).toEqual([2, NaN, NaN, NaN]);
  });

  test("results may be written over those of the first part", () => {
    const place = (tensor: TestTensor) => {
      const placed = engine.tensor(tensor.dims);
      placed.data.set(tensor.data);
      return placed;
    };
    const parts = [
      { out: normal([1, 6, 2, 7], 1), logSumExp: normal([1, 2, 6], 2) },
      { out: normal([1, 6, 2, 7], 3), logSumExp: normal([1, 2, 6], 4) },
    ] as const;
    const logSumExp = normal([1, 2, 6], 5);
    const expected = engine.mergeAttention(parts, { logSumExp });
    const placed = parts.map(({ out, logSumExp: lse }) => ({ out: place(out), logSumExp: place(lse) }));
    const returned = engine.mergeAttention(placed, placed[0]);
    expect(returned).toBe(placed[0]!.out);
    expectSameBits(returned.data, expected.data, "out");
    expectSameBits(placed[0]!.logSumExp.data, logSumExp.data, "logSumExp");
    expect(() => engine.mergeAttention(placed, { out: placed[1]!.out })).toThrow(
      'mergeAttention: "out" overlaps "parts[1].out" in the engine\'s memory; only the tensor "parts[0].out" itself may be overwritten',
    );
    for (const { out, logSumExp: lse } of placed) for (const tensor of [out, lse]) tensor.dispose();
    expect(engine.info.memory.inUse).toBe(0);
  });

  test("no rows give no rows", () => {
    const empty = {
      out: { data: new Float32Array(0), dims: [1, 0, 2, 4] },
      logSumExp: { data: new Float32Array(0), dims: [1, 2, 0] },
    };
    expect(engine.mergeAttention([empty, empty]).dims).toEqual([1, 0, 2, 4]);
  });
});

describe("mismatches are named", () => {
  const part = { out: normal([2, 3, 4, 5], 1), logSumExp: normal([2, 4, 3], 2) };
  test.each<[unknown, object, string]>([
    [part, {}, '"parts" must be an array of { out, logSumExp }, got an object'],
    [[], {}, '"parts" is empty, expected at least 1'],
    [[part, 3], {}, '"parts[1]" must be { out, logSumExp }, got 3'],
    [[{ out: part.out }], {}, '"parts[0].logSumExp" must be a tensor { data, dims } or { shape, dataSync() }, got undefined'],
    [
      [{ ...part, logSumExp: normal([2, 3, 4], 1) }],
      {},
      '"parts[0].logSumExp" has dims [2, 3, 4], expected [2, 4, 3] (batch, numHeads, seqLen of parts[0].out)',
    ],
    [
      [part, { out: normal([2, 3, 4, 6], 1), logSumExp: part.logSumExp }],
      {},
      '"parts[1].out" has dims [2, 3, 4, 6], expected [2, 3, 4, 5] (as parts[0].out)',
    ],
    [[part], { out: normal([2, 3, 4, 6], 1) }, '"out" has dims [2, 3, 4, 6], expected [2, 3, 4, 5] (as in the parts)'],
    [
      [{ out: { data: new Float32Array(0), dims: [1, 0] }, logSumExp: { data: new Float32Array(1), dims: [1] } }],
      {},
      '"parts[0].out" has 1 head of 0 elements, expected at least 1 of each',
    ],
    [[part], { outs: 1 }, 'unknown option "outs"; did you mean "out"?'],
    [[part], { layout: "shbd" }, '"layout" must be one of "bshd", "bhsd", "sbhd", got "shbd"'],
  ])("%#: %j", (parts, options, message) => {
    using engine = openBuild("simd");
    expect(() => engine.mergeAttention(parts as AttentionPart[], options)).toThrow(`mergeAttention: ${message}`);
    expect(engine.info.memory.inUse).toBe(0);
  });
});
