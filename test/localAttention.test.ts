/** Attention to windows around centres. */
import { describe, expect, test } from "vitest";
import type { AttentionOptions, LocalParameters } from "headwise";
import { localAttention as reference, type ReferenceLocalParameters, type ReferenceOptions } from "headwise/reference";
import {
  cutRows,
  expectParity,
  expectSameBits,
  largestError,
  naiveFloat32,
  parseShape,
  places,
  randomInputs,
  type Shape,
} from "./support/attention.js";
import { cacheOf, CASES, expectParityOfKept, places64, rowByRow } from "./support/choices.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, uniform } from "./support/random.js";

const column = (...data: number[]) => ({ data: Float32Array.from(data), dims: [data.length, 1] });

/** Centres among the keys, and some beyond; their windows end at no key, where rounding would decide. */
function centersOf({ batchSize, numHeads, seqLen, kvLen }: Shape, seed: number) {
  const next = uniform(seed);
  const centre = (): number => Math.floor(next() * (kvLen + 4)) - 2 + [0, 0.25, 0.625][Math.floor(next() * 3)]!;
  const data = Float32Array.from({ length: batchSize * numHeads * seqLen }, centre);
  return { data, dims: [batchSize, numHeads, seqLen] };
}

const predictorOf = ({ numHeads, headDim }: Shape, seed: number, isShared: boolean) => ({
  weight: normal(isShared ? [5, headDim] : [numHeads, 5, headDim], seed),
  score: normal(isShared ? [5] : [numHeads, 5], seed + 1),
});

/** How far results may be from the reference, relative to the largest number: that of a few roundings. */
const BOUND = 4e-6;
/** Predicted centres may be wrong by 4 roundings of the number of keys, and the Gaussian is at most 4 / halfWidth as steep. */
const boundOf = ({ kvLen }: Shape, { halfWidth, predictor }: LocalParameters): number =>
  BOUND + (predictor ? (4 / halfWidth) * 4 * kvLen * 2 ** -24 : 0);

onEveryEngine((build, engine) => {
  describe("agrees with the reference", () => {
    for (const [index, [name, optionsOf]] of CASES.entries()) {
      const shape = parseShape(name);
      const options = optionsOf(shape, index);
      const inputs = randomInputs(shape, index, options.layout ?? "bshd");
      const { q, k, v } = inputs;
      const compare = (parameters: LocalParameters) => {
        const [found, truth] = [places(shape), places64(shape)];
        const of = parameters as ReferenceLocalParameters;
        const truthOut = reference(q, k, v, of, { ...(options as ReferenceOptions), ...truth });
        const out = engine.localAttention(q, k, v, parameters, { ...options, ...found });
        expect(out.dims).toEqual(truthOut.dims);
        expectSameBits(engine.localAttention(q, k, v, parameters, options).data, out.data, "out alone");
        return { found, truth, out: out.data, truthOut: truthOut.data };
      };

      test(`${build} › ${name} › around positions`, () => {
        const { found, truth, out, truthOut } = compare({ halfWidth: 3.5 });
        expectParityOfKept(
          { out, logSumExp: found.logSumExp.data, weights: found.weights.data },
          { out: truthOut, logSumExp: truth.logSumExp.data, weights: truth.weights.data },
          inputs,
          shape,
          options,
        );
        const mask = { data: Uint8Array.from(truth.scores.data, (s) => Number(s !== -Infinity)), dims: truth.scores.dims };
        const naive = naiveFloat32(inputs, shape, { ...(options as ReferenceOptions), mask });
        expectParity("scores", found.scores.data, truth.scores.data, naive.scores.data);
      });

      for (const renormalize of [false, true]) {
        test.each([
          ["centres", { halfWidth: 1, centers: centersOf(shape, index) }],
          ["centres, wide", { halfWidth: 40.5, centers: centersOf(shape, index + 1) }],
          ["a predictor of all heads", { halfWidth: 6, predictor: predictorOf(shape, index, true) }],
          ["predictors of each head", { halfWidth: 9, predictor: predictorOf(shape, index + 9, false) }],
        ] as const)(`${build} › ${name} › renormalize ${renormalize} › %s`, (_, parameters) => {
          const { found, truth, out, truthOut } = compare({ ...parameters, renormalize });
          const bound = boundOf(shape, parameters);
          const scale = (numbers: Float64Array): number =>
            numbers.reduce((max, x) => (Number.isFinite(x) ? Math.max(max, Math.abs(x)) : max), 1);
          expect(largestError(out, truthOut)).toBeLessThanOrEqual(bound * scale(truthOut));
          for (const name of ["logSumExp", "weights", "scores"] as const) {
            expect(largestError(found[name].data, truth[name].data), name).toBeLessThanOrEqual(bound * scale(truth[name].data));
          }
        });
      }
    }
  });

  test.each([{}, { causal: true }, { causal: true, queryOffset: 100 }] as AttentionOptions[])(
    "around positions ≡ window, to the bit: %o",
    (options) => {
      const { q, k, v } = randomInputs(parseShape("B2-S90-KV130-H4/2-D8"), 3);
      const local = engine.localAttention(q, k, v, { halfWidth: 7 }, options);
      expectSameBits(local.data, engine.scaledDotProductAttention(q, k, v, { ...options, window: [7, 7] }).data, "out");
    },
  );

  test("renormalized ≡ the Gaussian as a bias", () => {
    const shape = parseShape("B2-S20-KV30-H2/2-D8");
    const { q, k, v } = randomInputs(shape, 4);
    const centers = centersOf(shape, 5);
    const bias = { data: new Float32Array(2 * 2 * 20 * 30), dims: [2, 2, 20, 30] };
    for (const index of bias.data.keys()) {
      const distance = (index % 30) - centers.data[Math.floor(index / 30)]!;
      bias.data[index] = Math.abs(distance) <= 5 ? -(distance ** 2) / (2 * 2.5 ** 2) : -Infinity;
    }
    const out = engine.localAttention(q, k, v, { halfWidth: 5, centers, renormalize: true });
    expect(largestError(out.data, engine.scaledDotProductAttention(q, k, v, { bias }).data)).toBeLessThan(BOUND);
  });

  test("not renormalized, weights are those of the window times the Gaussian", () => {
    const [weights, plain] = [column(0, 0, 0, 0, 0), column(0, 0, 0, 0, 0)].map(({ data }) => ({ data, dims: [1, 5] }));
    const [q, k] = [column(1), column(0, 1, 2, 3, 4)];
    const centers = { data: Float32Array.of(2), dims: [1] };
    engine.localAttention(q, k, k, { halfWidth: 1, centers }, { weights: weights! });
    engine.scaledDotProductAttention(q, k, k, { mask: { data: Uint8Array.of(0, 1, 1, 1, 0), dims: [5] }, weights: plain! });
    const expected = plain!.data.map((weight, j) => weight * Math.exp(-2 * (j - 2) ** 2));
    expect(largestError(weights!.data, expected)).toBeLessThan(BOUND);
    expect(weights!.data.reduce((sum, weight) => sum + weight, 0)).toBeLessThan(0.9);
  });

  test("windows include both ends; centres beyond the keys, NaN and infinite ones see what lies in reach", () => {
    const k = column(0, 0, 0, 0, 0);
    const seenFrom = (...centers: number[]): number[][] => {
      const weights = { data: new Float32Array(5 * centers.length), dims: [centers.length, 5] };
      const q = { data: new Float32Array(centers.length), dims: [centers.length, 1] };
      const given = { data: Float32Array.from(centers), dims: [centers.length] };
      const out = engine.localAttention(q, k, k, { halfWidth: 1, centers: given }, { weights });
      expect([...out.data]).toEqual(centers.map(() => 0));
      return centers.map((_, row) => [0, 1, 2, 3, 4].filter((j) => weights.data[5 * row + j] !== 0));
    };
    expect(seenFrom(2, 2.5, 0, -1, -1.5, 5, 5.5)).toEqual([[1, 2, 3], [2, 3], [0, 1], [0], [], [4], []]);
    expect(seenFrom(NaN, Infinity, -Infinity, 1e30, -0, 4)).toEqual([[], [], [], [], [0, 1], [3, 4]]);
  });

  test("windows cut sink tokens and the window of the options, wherever their ends lie", () => {
    const [seqLen, kvLen, position] = [40, 40, 30];
    const k = { data: new Float32Array(kvLen), dims: [kvLen, 1] };
    const q = { data: new Float32Array(seqLen), dims: [seqLen, 1] };
    for (const halfWidth of [1, 3, 12, 30]) {
      const centers = { data: Float32Array.from({ length: seqLen }, (_, i) => i), dims: [seqLen] };
      const weights = { data: new Float32Array(seqLen * kvLen), dims: [seqLen, kvLen] };
      engine.localAttention(
        q,
        k,
        k,
        { halfWidth, centers },
        { window: [4, 2], sinkTokens: 10, queryOffset: position - 20, weights },
      );
      for (let i = 0; i < seqLen; i++) {
        const at = i + position - 20;
        const expected = [...k.data.keys()].filter((j) => Math.abs(j - i) <= halfWidth && (j < 10 || (j >= at - 4 && j <= at + 2)));
        const found = [...k.data.keys()].filter((j) => weights.data[i * kvLen + j] !== 0);
        expect(found, `row ${i}, half width ${halfWidth}`).toEqual(expected);
      }
    }
  });

  test("keys beyond the window do not count, even NaN", () => {
    const k = column(NaN, 1, 2, 3, NaN);
    const centers = { data: Float32Array.of(2), dims: [1] };
    for (const renormalize of [false, true]) {
      const out = engine.localAttention(column(0), k, k, { halfWidth: 1, centers, renormalize });
      const beside = Math.exp(-2);
      const expected = renormalize ? 2 : (2 + 4 * beside) / 3;
      expect(Math.abs(out.data[0]! - expected)).toBeLessThan(BOUND);
    }
  });

  for (const dtype of ["float32", "int8"] as const) {
    test(`rows one by one on a cache of ${dtype} ≡ all at once, to the bit`, () => {
      const shape = parseShape("B2-S23-KV23-H4/2-D8");
      const inputs = randomInputs(shape, 31);
      const centers = centersOf(shape, 32);
      const cache = cacheOf(engine, inputs, dtype);
      const all = engine.localAttention(inputs.q, cache, null, { halfWidth: 4, centers });
      const around = engine.localAttention(inputs.q, cache, null, { halfWidth: 4 });
      const ofRow = (row: number) => ({ data: centers.data.filter((_, index) => index % 23 === row), dims: [2, 4, 1] });
      const rows = rowByRow(engine, inputs, dtype, (each, q, row) => {
        const own = engine.localAttention(q, each, undefined, { halfWidth: 4 }).data;
        expectSameBits(own, cutRows(around, row, row + 1).data, `row ${row} around its position`);
        return engine.localAttention(q, each, undefined, { halfWidth: 4, centers: ofRow(row) }).data;
      });
      for (const [row, found] of rows.entries()) expectSameBits(found, cutRows(all, row, row + 1).data, `row ${row}`);
      if (dtype === "float32") {
        const { q, k, v } = inputs;
        expectSameBits(all.data, engine.localAttention(q, k, v, { halfWidth: 4, centers }, { causal: true }).data, "no cache");
      }
      cache.dispose();
    });
  }

  test.each(["float32", "int8"] as const)("one row on a long cache of %s, whose keys threads share", (dtype) => {
    const shape = parseShape("B1-S1-KV2000-H4/2-D16");
    const inputs = randomInputs(shape, 32);
    const cache = cacheOf(engine, inputs, dtype);
    const centers = { data: Float32Array.of(3, 1999, 600.5, 1023), dims: [1, 4, 1] };
    const out = engine.localAttention(inputs.q, cache, null, { halfWidth: 300, centers });
    const truth = reference(inputs.q, inputs.k, inputs.v, { halfWidth: 300, centers });
    expect(largestError(out.data, truth.data)).toBeLessThan(dtype === "int8" ? 0.01 : BOUND);
    cache.dispose();
  });
});
