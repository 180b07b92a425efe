/** Attention to one key of each row. */
import { describe, expect, test } from "vitest";
import type { AttentionOptions, HardParameters } from "headwise";
import { hardAttention as reference, scaledDotProductAttention, type ReferenceOptions } from "headwise/reference";
import {
  expectParity,
  expectSameBits,
  naiveFloat32,
  parseShape,
  places,
  poison,
  randomInputs,
  type Shape,
} from "./support/attention.js";
import { cacheOf, CASES, places64, rowByRow } from "./support/choices.js";
import { onEveryEngine } from "./support/engines.js";

const column = (...data: number[]) => ({ data: Float32Array.from(data), dims: [data.length, 1] });
const picksOf = ({ batchSize, numHeads, seqLen }: Shape) => ({
  data: new Float32Array(batchSize * numHeads * seqLen).fill(NaN),
  dims: [batchSize, numHeads, seqLen],
});

onEveryEngine((build, engine) => {
  describe("agrees with the reference", () => {
    for (const [index, [name, optionsOf]] of CASES.entries()) {
      test(`${build} › ${name} › argmax › seed ${index}`, () => {
        const shape = parseShape(name);
        const options = optionsOf(shape, index);
        const inputs = randomInputs(shape, index, options.layout ?? "bshd");
        const { q, k, v } = inputs;
        const [found, truth] = [
          { ...places(shape), picks: picksOf(shape) },
          { ...places64(shape), picks: picksOf(shape) },
        ];
        const { picks: truthPicks, ...truthPlaces } = truth;
        const truthOut = reference(q, k, v, { picks: truthPicks }, { ...(options as ReferenceOptions), ...truthPlaces });
        const { picks, ...foundPlaces } = found;
        const out = engine.hardAttention(q, k, v, { picks }, { ...options, ...foundPlaces });
        expect([...picks.data]).toEqual([...truthPicks.data]);
        expectSameBits(out.data, Float32Array.from(truthOut.data), "out, copies of values");
        expectSameBits(found.weights.data, Float32Array.from(truth.weights.data), "weights");
        const naive = naiveFloat32(inputs, shape, options as ReferenceOptions);
        expectParity("logSumExp, the score", found.logSumExp.data, truth.logSumExp.data, naive.logSumExp.data);
        expectParity("scores, those of all keys", found.scores.data, truth.scores.data, naive.scores.data);
        expectSameBits(engine.hardAttention(q, k, v, {}, options).data, out.data, "out alone");
      });

      test(`${build} › ${name} › sample › seed ${index}`, () => {
        const shape = parseShape(name);
        const options = optionsOf(shape, index);
        const { q, k, v } = randomInputs(shape, index, options.layout ?? "bshd");
        const [picks, truthPicks] = [picksOf(shape), picksOf(shape)];
        const [weights, hard] = [places64(shape).weights, places(shape).weights];
        const sample: HardParameters = { choose: "sample", seed: 3_000_000_000 + index };
        scaledDotProductAttention(q, k, v, { ...(options as ReferenceOptions), weights });
        reference(q, k, v, { ...(sample as { seed: number }), choose: "sample", picks: truthPicks }, options as ReferenceOptions);
        engine.hardAttention(q, k, v, { ...sample, picks }, { ...options, weights: hard });
        for (const [row, pick] of picks.data.entries()) {
          // float32 may take a neighbour where U falls between both
          const own = weights.data.subarray(row * shape.kvLen, (row + 1) * shape.kvLen);
          const expected = truthPicks.data[row]!;
          const between = own
            .slice(Math.min(pick, expected) + 1, Math.max(pick, expected))
            .reduce((sum, weight) => sum + weight, 0);
          if (pick !== expected) expect(between, `row ${row}: ${pick}, expected ${expected}`).toBeLessThan(1e-5);
          const found = [...hard.data.subarray(row * shape.kvLen, (row + 1) * shape.kvLen).entries()].filter(([, w]) => w !== 0);
          expect(found).toEqual(pick < 0 ? [] : [[pick, 1]]);
        }
        const differing = picks.data.filter((pick, row) => pick !== truthPicks.data[row]).length;
        expect(differing).toBeLessThanOrEqual(picks.data.length / 1000);
      });
    }
  });

  test("argmax ≡ gather: rows of v at the places of the largest scores", () => {
    const { q, k, v } = randomInputs(parseShape("B1-S50-KV90-H1/1-D8"), 3);
    const scores = { data: new Float32Array(50 * 90), dims: [1, 1, 50, 90] };
    engine.scaledDotProductAttention(q, k, v, { scores });
    const gathered = Array.from({ length: 50 }, (_, i) => {
      const row = scores.data.subarray(i * 90, (i + 1) * 90);
      const largest = row.indexOf(Math.max(...row));
      return [...v.data.subarray(largest * 8, (largest + 1) * 8)];
    });
    expect([...engine.hardAttention(q, k, v).data]).toEqual(gathered.flat());
  });

  test("ties go to the lowest key; a row without keys is 0, and its pick is −1", () => {
    const picks = { data: new Float32Array(2), dims: [2] };
    const mask = { data: Uint8Array.of(1, 1, 1, 0, 0, 0), dims: [2, 3] };
    const out = engine.hardAttention(column(1, 1), column(1, 2, 2), column(4, 8, 9), { picks }, { mask });
    expect([...out.data, ...picks.data]).toEqual([8, 0, 1, -1]);
    const sample = { choose: "sample", seed: 1, picks } as const;
    const sampled = engine.hardAttention(column(1, 1), column(0, 1, 50), column(4, 8, 9), sample, { mask });
    expect([...sampled.data, ...picks.data]).toEqual([9, 0, 2, -1]);
  });

  test("NaN is above all numbers: its key is picked, and the row is NaN", () => {
    const picks = { data: new Float32Array(1), dims: [1] };
    for (const choose of ["argmax", "sample"] as const) {
      const seed = choose === "sample" ? 5 : null;
      const out = engine.hardAttention(column(1), column(9, NaN, 3, NaN), column(4, 8, 9, 10), { choose, seed, picks });
      expect([...out.data, ...picks.data], choose).toEqual([NaN, 1]);
    }
  });

  test("sinks do not count", () => {
    const sinks = { data: Float32Array.of(100), dims: [1] };
    expect([...engine.hardAttention(column(1), column(1, 2), column(4, 8), {}, { sinks }).data]).toEqual([8]);
  });

  test.each([1, 2, 3])("frequencies of samples are the weights, seed %i: χ² below its 99.9 %% quantile of 24.3", (seed) => {
    const rows = 8000;
    const keys = column(0, 1, -1, 0.5, 0.25, 2, -2, 0.1); // 7 degrees of freedom
    const picks = { data: new Float32Array(rows), dims: [rows] };
    const weights = { data: new Float64Array(8), dims: [1, 8] };
    scaledDotProductAttention(column(1), keys, keys, { weights });
    engine.hardAttention({ data: new Float32Array(rows).fill(1), dims: [rows, 1] }, keys, keys, { choose: "sample", seed, picks });
    let chiSquared = 0;
    for (const [j, weight] of weights.data.entries()) {
      const found = picks.data.filter((pick) => pick === j).length;
      chiSquared += (found - rows * weight) ** 2 / (rows * weight);
    }
    expect(chiSquared).toBeLessThan(24.3);
  });

  test("the seed, sequence, head and position of a row all change what is sampled; the same give the same", () => {
    const [batchSize, seqLen, numHeads] = [2, 64, 2];
    const flat = { data: new Float32Array(batchSize * seqLen * numHeads), dims: [batchSize, seqLen, numHeads, 1] };
    const sampled = (seed: number, options: AttentionOptions = {}): string[] => {
      const picks = { data: new Float32Array(flat.data.length), dims: [batchSize, numHeads, seqLen] };
      engine.hardAttention(flat, flat, flat, { choose: "sample", seed, picks }, options);
      return [0, 1, 2, 3].map((head) => picks.data.slice(head * seqLen, (head + 1) * seqLen).join());
    };
    expect(new Set([...sampled(1), ...sampled(2), ...sampled(1, { queryOffset: 1 })]).size).toBe(12);
    expect(new Set(sampled(1)[0]!.split(",")).size).toBeGreaterThan(seqLen / 4);
    expect(sampled(1)).toEqual(sampled(1));
  });

  test("packed sequences ≡ the same in entries of their own", () => {
    const { q, k, v } = randomInputs(parseShape("B2-S9-KV9-H2/2-D4"), 21);
    const sample = { choose: "sample", seed: 77 } as const;
    const packed = (x: { data: Float32Array }) => ({ data: x.data, dims: [1, 18, 2, 4] });
    const out = engine.hardAttention(packed(q), packed(k), packed(v), sample, { cuSeqlensQ: [0, 9, 18] });
    expectSameBits(out.data, engine.hardAttention(q, k, v, sample).data, "out");
  });

  for (const dtype of ["float32", "int8"] as const) {
    test.each([{}, { choose: "sample", seed: 4 }] as const)(
      `rows one by one on a cache of ${dtype} ≡ all at once: %o`,
      (parameters) => {
        const shape = parseShape("B2-S40-KV40-H4/2-D8");
        const inputs = randomInputs(shape, 31);
        const picks = picksOf(shape);
        const cache = cacheOf(engine, inputs, dtype);
        engine.hardAttention(inputs.q, cache, null, { ...parameters, picks });
        const single = picksOf({ ...shape, seqLen: 1 });
        const rows = rowByRow(engine, inputs, dtype, (each, q) => {
          engine.hardAttention(q, each, null, { ...parameters, picks: single });
          return single.data;
        });
        expect(rows).toEqual(rows.map((_, row) => [...picks.data].filter((_, index) => index % 40 === row)));
        cache.dispose();
      },
    );
  }

  test("no bit depends on what memory held before", () => {
    const { q, k, v } = randomInputs(parseShape("B1-S20-KV600-H2/1-D8"), 9);
    const run = () => engine.hardAttention(q, k, v, { choose: "sample", seed: 6 }).data;
    const first = run();
    poison(engine);
    expectSameBits(run(), first, "out");
  });
});
