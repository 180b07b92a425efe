/** Attention to the keys of the largest scores. */
import { describe, expect, test } from "vitest";
import { topKAttention as reference, type ReferenceOptions } from "headwise/reference";
import {
  cutRows,
  expectParity,
  expectSameBits,
  largestError,
  naiveFloat32,
  parseShape,
  places,
  randomInputs,
} from "./support/attention.js";
import { cacheOf, CASES, expectParityOfKept, places64, rowByRow } from "./support/choices.js";
import { onEveryEngine } from "./support/engines.js";
import { normal } from "./support/random.js";

const column = (...data: number[]) => ({ data: Float32Array.from(data), dims: [data.length, 1] });
const COUNTS = [1, 3, 20];

onEveryEngine((build, engine) => {
  describe("agrees with the reference", () => {
    for (const [index, [name, optionsOf]] of CASES.entries()) {
      for (const count of COUNTS) {
        const seed = 100 * index + count;
        test(`${build} › ${name} › count ${count} › seed ${seed}`, () => {
          const shape = parseShape(name);
          const options = optionsOf(shape, seed);
          const inputs = randomInputs(shape, seed, options.layout ?? "bshd");
          const { q, k, v } = inputs;
          const [found, truth] = [places(shape), places64(shape)];
          const truthOut = reference(q, k, v, { count }, { ...(options as ReferenceOptions), ...truth });
          const out = engine.topKAttention(q, k, v, { count }, options);
          expectSameBits(engine.topKAttention(q, k, v, { count }, { ...options, ...found }).data, out.data, "out with results");
          expect(out.dims).toEqual(truthOut.dims);
          const data = ({ logSumExp, weights }: typeof truth | typeof found) => ({
            logSumExp: logSumExp.data,
            weights: weights.data,
          });
          expectParityOfKept({ out: out.data, ...data(found) }, { out: truthOut.data, ...data(truth) }, inputs, shape, options);
          const naive = naiveFloat32(inputs, shape, options as ReferenceOptions);
          expectParity("scores, those of all keys", found.scores.data, truth.scores.data, naive.scores.data);
        });
      }
    }
  });

  test("sinks take a part of the weights", () => {
    const shape = parseShape("B1-S9-KV30-H2/1-D8");
    const inputs = randomInputs(shape, 7);
    const sinks = normal([2], 8);
    const [found, truth] = [places(shape), places64(shape)];
    const { q, k, v } = inputs;
    const truthOut = reference(q, k, v, { count: 4 }, { sinks, ...truth });
    const out = engine.topKAttention(q, k, v, { count: 4 }, { sinks, ...found });
    const results = { out: out.data, logSumExp: found.logSumExp.data, weights: found.weights.data };
    expectParityOfKept(
      results,
      { out: truthOut.data, logSumExp: truth.logSumExp.data, weights: truth.weights.data },
      inputs,
      shape,
      {
        sinks,
      },
    );
  });

  for (const [name, optionsOf] of CASES) {
    test(`${build} › ${name} › as many as there are keys ≡ the plain call, to the bit`, () => {
      const shape = parseShape(name);
      const options = optionsOf(shape, 5);
      const { q, k, v } = randomInputs(shape, 5, options.layout ?? "bshd");
      const [found, expected] = [places(shape), places(shape)];
      const out = engine.topKAttention(q, k, v, { count: shape.kvLen }, { ...options, ...found });
      expectSameBits(out.data, engine.scaledDotProductAttention(q, k, v, { ...options, ...expected }).data, "out");
      for (const name of ["logSumExp", "weights", "scores"] as const) expectSameBits(found[name].data, expected[name].data, name);
    });
  }

  test("of equal scores, those of lower keys are kept, also beyond a block and where 0 meets −0", () => {
    const length = 1100;
    const k = { data: Float32Array.from({ length }, (_, j) => (j % 3 === 2 ? 1 : j % 2 === 0 ? 0 : -0)), dims: [length, 1] };
    const weights = { data: new Float32Array(length), dims: [1, length] };
    const keptBy = (count: number): number[] => {
      engine.topKAttention(column(1), k, k, { count }, { weights });
      return [...weights.data.keys()].filter((j) => weights.data[j] !== 0);
    };
    expect(keptBy(4)).toEqual([2, 5, 8, 11]);
    const ones = [...k.data.keys()].filter((j) => k.data[j] === 1);
    expect(keptBy(ones.length)).toEqual(ones);
    expect(keptBy(ones.length + 3)).toEqual([...ones, 0, 1, 3].sort((a, b) => a - b));
  });

  test("scores in ascending and in descending order", () => {
    const length = 700;
    const rising = { data: Float32Array.from({ length }, (_, j) => j / 100), dims: [length, 1] };
    const weights = { data: new Float32Array(2 * length), dims: [2, length] };
    engine.topKAttention(column(1, -1), rising, rising, { count: 300 }, { weights });
    const kept = [...weights.data].map((weight) => weight !== 0);
    expect(kept.slice(0, length)).toEqual(Array.from({ length }, (_, j) => j >= 400));
    expect(kept.slice(length)).toEqual(Array.from({ length }, (_, j) => j < 300));
  });

  test("NaN is above all numbers, and makes its row NaN and no other", () => {
    const weights = { data: new Float32Array(8), dims: [2, 4] };
    const mask = { data: Uint8Array.of(1, 1, 1, 1, 1, 1, 0, 1), dims: [2, 4] };
    const out = engine.topKAttention(column(1, 1), column(3, 1, NaN, 2), column(4, 5, 6, 7), { count: 2 }, { weights, mask });
    expect([...weights.data.slice(0, 4)]).toEqual([NaN, 0, NaN, 0]);
    expect(out.data[0]).toBeNaN();
    expect(out.data[1]).toBeGreaterThan(4);
  });

  test("values of keys that are not kept do not count, even NaN", () => {
    const out = engine.topKAttention(column(1), column(1, 2, 3), column(NaN, 8, 8), { count: 2 });
    expect([...out.data]).toEqual([8]);
  });

  test.each(["float32", "int8"] as const)("rows one by one on a cache of %s ≡ all at once, to the bit", (dtype) => {
    const shape = parseShape("B2-S23-KV23-H4/2-D8");
    const inputs = randomInputs(shape, 31);
    const cache = cacheOf(engine, inputs, dtype);
    const all = engine.topKAttention(inputs.q, cache, null, { count: 4 });
    const rows = rowByRow(engine, inputs, dtype, (each, q) => engine.topKAttention(q, each, undefined, { count: 4 }).data);
    for (const [row, found] of rows.entries()) expectSameBits(found, cutRows(all, row, row + 1).data, `row ${row}`);
    if (dtype === "float32") {
      const { q, k, v } = inputs;
      expectSameBits(all.data, engine.topKAttention(q, k, v, { count: 4 }, { causal: true }).data, "without a cache");
    } else {
      expect(
        largestError(all.data, engine.topKAttention(inputs.q, inputs.k, inputs.v, { count: 4 }, { causal: true }).data),
      ).toBeLessThan(1);
    }
    cache.dispose();
  });

  test("one row on a long cache", () => {
    const shape = parseShape("B1-S1-KV2000-H4/2-D16");
    const inputs = randomInputs(shape, 32);
    const { q, k, v } = inputs;
    const cache = cacheOf(engine, inputs);
    const out = engine.topKAttention(q, cache, null, { count: 7 });
    expectSameBits(out.data, engine.topKAttention(q, k, v, { count: 7 }).data, "out");
    cache.dispose();
  });
});
