/** The limits of sizes and of float32. */
import { describe, expect, test } from "vitest";
import { scaledDotProductAttention as reference } from "headwise/reference";
import {
  checkAgainstReference,
  expectSameBits,
  naiveFloat32,
  parseShape,
  places,
  poison,
  randomInputs,
} from "./support/attention.js";
import { openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { normal } from "./support/random.js";

const empty = (dims: number[]) => ({ data: new Float32Array(0), dims });

onEveryEngine((build, engine) => {
  describe("sizes of 0", () => {
    test("no keys: zeros, and logSumExp −∞", () => {
      poison(engine);
      const logSumExp = normal([1, 2, 3], 1);
      const out = engine.scaledDotProductAttention(normal([1, 3, 2, 4], 1), empty([1, 0, 2, 4]), empty([1, 0, 2, 5]), {
        logSumExp,
      });
      expect([...out.data]).toEqual(new Array(30).fill(0));
      expect(out.dims).toEqual([1, 3, 2, 5]);
      expect([...logSumExp.data]).toEqual(new Array(6).fill(-Infinity));
    });

    test("no keys but sinks: zeros, and logSumExp is the sink", () => {
      const logSumExp = normal([1, 2, 1], 1);
      const sinks = { data: Float32Array.of(0.25, -3), dims: [2] };
      engine.scaledDotProductAttention(normal([1, 1, 2, 4], 1), empty([1, 0, 2, 4]), empty([1, 0, 2, 5]), { logSumExp, sinks });
      expect([...logSumExp.data]).toEqual([0.25, -3]);
    });

    test("no queries, no sequences: an empty result", () => {
      const kv = normal([1, 3, 2, 4], 1);
      expect(engine.scaledDotProductAttention(empty([1, 0, 2, 4]), kv, kv).data.length).toBe(0);
      expect(engine.scaledDotProductAttention(empty([0, 3, 2, 4]), empty([0, 3, 2, 4]), empty([0, 3, 2, 7])).dims).toEqual([
        0, 3, 2, 7,
      ]);
    });
  });

  test("a row that sees no key is exactly 0 with logSumExp −∞ and weights 0, next to rows that see some", () => {
    poison(engine);
    const shape = parseShape("B1-S9-KV20-H2/1-D6");
    const { q, k, v } = randomInputs(shape, 1);
    const mask = {
      data: Uint8Array.from({ length: 9 * 20 }, (_, index) => (Math.floor(index / 20) % 2 === 0 ? 0 : 255)),
      dims: [9, 20],
    };
    const { logSumExp, weights } = places(shape);
    const out = engine.scaledDotProductAttention(q, k, v, { mask, logSumExp, weights });
    for (let i = 0; i < 9; i++) {
      const row = out.data.subarray(i * 12, i * 12 + 12);
      expect(row.every((value) => (i % 2 === 0 ? Object.is(value, 0) : value !== 0))).toBe(true);
      expect(logSumExp.data[i] === -Infinity).toBe(i % 2 === 0);
      expect(weights.data.subarray(i * 20, i * 20 + 20).every((weight) => weight === 0)).toBe(i % 2 === 0);
    }
  });

  test("every row masked", () => {
    const { q, k, v } = randomInputs(parseShape("B1-S7-KV600-H1/1-D6"), 1);
    const out = engine.scaledDotProductAttention(q, k, v, { mask: { data: Uint8Array.of(0), dims: [1] } });
    expect(out.data.every((value) => Object.is(value, 0))).toBe(true);
  });

  describe("magnitudes", () => {
    const shape = parseShape("B1-S9-KV530-H1/1-D10");

    test.each([1e-30, 1e-20, 1e-3, 30, 1e4])("queries and keys of about %f against the reference", (deviation) => {
      checkAgainstReference(engine, shape, randomInputs(shape, 4, "bshd", deviation), {});
    });

    test("a key counts down to 2^−99.5 of the largest weight, also with a value of 1e20; below, it loses 1.2e-10 at most", () => {
      const found = (distance: number): { out: number; weight: number } => {
        const [q, k] = [
          { data: Float32Array.of(1), dims: [1, 1] },
          { data: Float32Array.of(0, -distance), dims: [2, 1] },
        ];
        const weights = { data: new Float32Array(2), dims: [1, 2] };
        const v = { data: Float32Array.of(0, 1e20), dims: [2, 1] };
        return { out: engine.scaledDotProductAttention(q, k, v, { scale: 1, weights }).data[0]!, weight: weights.data[1]! };
      };
      for (const distance of [20, 46, 60, 68.9]) {
        const weight = Math.exp(-Math.fround(distance));
        expect(found(distance).weight / weight).toBeCloseTo(1, 4);
        expect(found(distance).out / (1e20 * weight)).toBeCloseTo(1, 4);
      }
      for (const distance of [69, 80, 87, 88, 265]) expect(found(distance)).toEqual({ out: 0, weight: 0 });
      expect(1e20 * Math.exp(-68.968)).toBeLessThan(1.2e-10);
    });

    test.each([1e-38, 1e30])("values of about %f", (magnitude) => {
      const inputs = randomInputs(shape, 5);
      const v = { ...inputs.v, data: inputs.v.data.map((value) => value * magnitude) };
      checkAgainstReference(engine, shape, { ...inputs, v }, { causal: true });
    });

    test("scores that overflow float32: naive float32 is the truth", () => {
      const inputs = randomInputs(shape, 6, "bshd", 1e19);
      inputs.q.data.fill(1e19, 0, 10);
      inputs.k.data.fill(1e19, 0, 10); // row 0 · key 0 is 1e39 · scale: +∞ in float32, finite in float64
      inputs.q.data.fill(3e19, 10, 20);
      const { out } = naiveFloat32(inputs, shape, { scale: 1 });
      const found = engine.scaledDotProductAttention(inputs.q, inputs.k, inputs.v, { scale: 1 });
      expect(Array.from(found.data, Number.isNaN)).toEqual(Array.from(out.data, Number.isNaN));
      expect(out.data.some(Number.isNaN)).toBe(true);
    });

    test("biases and sinks at the limits of float32 are finite: naive float32 is the truth", () => {
      const inputs = randomInputs(shape, 8);
      const numKeys = 530;
      const lowest = -3.4028234663852886e38;
      const { scores, logSumExp } = places(shape);
      const cases = [
        { bias: { data: new Float32Array(numKeys).fill(lowest), dims: [numKeys] } },
        { bias: { data: Float32Array.from({ length: numKeys }, (_, j) => (j === 7 ? -2e38 : lowest)), dims: [numKeys] } },
        { bias: { data: Float32Array.from({ length: numKeys }, (_, j) => (j === 7 ? 3e38 : 0)), dims: [numKeys] } },
        { sinks: { data: Float32Array.of(lowest), dims: [1] } },
        { sinks: { data: Float32Array.of(3e38), dims: [1] } },
        { softcap: 3e38 },
      ];
      for (const options of cases) {
        const out = engine.scaledDotProductAttention(inputs.q, inputs.k, inputs.v, {
          ...options,
          scores,
          scoresStage: "biased",
          logSumExp,
        });
        const truth = naiveFloat32(inputs, shape, options);
        for (const [index, value] of out.data.entries()) expect(value).toBeCloseTo(truth.out.data[index]!, 5);
        for (const [index, value] of scores.data.entries()) {
          expect(Math.abs(value - truth.scores.data[index]!)).toBeLessThanOrEqual(4e-6 + 1e-6 * Math.abs(value));
        }
      }
    });

    test("the sum of 70000 equal weights is accurate: the mean of v within 4 ulp", () => {
      const keys = 70_000;
      const k = { data: new Float32Array(keys), dims: [keys, 1] };
      const v = { data: Float32Array.from({ length: keys }, (_, j) => (j % 2 === 0 ? 3 : 5)), dims: [keys, 1] };
      const out = engine.scaledDotProductAttention({ data: Float32Array.of(1), dims: [1, 1] }, k, v);
      expect(Math.abs(out.data[0]! - 4)).toBeLessThanOrEqual(4 * 2 ** -21);
    });

    test("the maximum rises from block to block: every earlier block is rescaled", () => {
      const keys = 2100;
      const k = { data: Float32Array.from({ length: keys }, (_, j) => j / 100), dims: [keys, 1] };
      const v = normal([keys, 3], 8);
      const q = { data: Float32Array.of(1, -1, 0.01), dims: [3, 1] };
      const logSumExp = { data: new Float32Array(3), dims: [3] };
      const expected = { data: new Float64Array(3), dims: [3] };
      const truth = reference(q, k, v, { scale: 1, logSumExp: expected });
      const out = engine.scaledDotProductAttention(q, k, v, { scale: 1, logSumExp });
      for (const [index, value] of truth.data.entries()) expect(Math.abs(out.data[index]! - value)).toBeLessThan(3e-6);
      for (const [row, value] of expected.data.entries()) expect(Math.abs(logSumExp.data[row]! - value)).toBeLessThan(4e-6);
    });
  });

  test("memory growth in the middle of a call changes no bit", () => {
    const fresh = openBuild(build);
    const { q, k, v } = randomInputs(parseShape("B1-S300-KV300-H4/4-D64"), 9);
    const small = randomInputs(parseShape("B1-S9-KV20-H1/1-D10"), 9);
    const before = fresh.scaledDotProductAttention(small.q, small.k, small.v);
    const reserved = fresh.info.memory.reserved;
    const grown = fresh.scaledDotProductAttention(q, k, v);
    expect(fresh.info.memory.reserved).toBeGreaterThan(reserved);
    expectSameBits(fresh.scaledDotProductAttention(q, k, v).data, grown.data, "after growth");
    expectSameBits(fresh.scaledDotProductAttention(small.q, small.k, small.v).data, before.data, "a small call after growth");
  });
});
