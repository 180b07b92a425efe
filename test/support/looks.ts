/** Looks at weights for tests: places for them, and what they are for given weights. */
import { expect } from "vitest";
import type { AttentionOptions } from "headwise";
import { scaledDotProductAttention as reference, type ReferenceOptions } from "headwise/reference";
import { expectParity, expectSameBits, type Inputs, naiveFloat32, type Shape } from "./attention.js";
import { countOf, type TestTensor } from "./random.js";

const filled = (dims: number[]): TestTensor => ({ data: new Float32Array(countOf(dims)).fill(7), dims });
const filled64 = (dims: readonly number[]) => ({ data: new Float64Array(countOf(dims)), dims });

/** Places for all looks, with `count` keys for each row. They hold numbers that no look leaves. */
export function lookPlaces({ batchSize, seqLen, kvLen, numHeads }: Shape, count: number) {
  const rows = [batchSize, numHeads, seqLen];
  return {
    topKeys: { indices: filled([...rows, count]), weights: filled([...rows, count]) },
    entropy: filled(rows),
    largestWeight: filled(rows),
    keyWeights: filled([batchSize, numHeads, kvLen]),
  };
}
export type LookPlaces = ReturnType<typeof lookPlaces>;

/** Places for the weights and for the scores by which a row sees a key. */
export const weightPlaces = ({ batchSize, seqLen, kvLen, numHeads }: Shape) => ({
  weights: filled([batchSize, numHeads, seqLen, kvLen]),
  scores: filled([batchSize, numHeads, seqLen, kvLen]),
});

/** The keys of a row's largest weights, of equal ones the lower first; none of a row that is NaN. */
function topKeysOf(weights: Float32Array, scores: Float32Array, count: number): [keys: number[], weights: number[]] {
  const isNaN = weights.some(Number.isNaN);
  const seen = [...scores.keys()].filter((key) => scores[key] !== -Infinity && !isNaN);
  const keys = seen.sort((a, b) => weights[b]! - weights[a]! || a - b).slice(0, count);
  const rest = new Array<number>(count - keys.length);
  return [
    [...keys, ...rest.fill(-1)],
    [...keys.map((key) => weights[key]!), ...new Array<number>(count - keys.length).fill(isNaN ? NaN : 0)],
  ];
}

/** −Σ w ln w in float64. */
const entropyOf = (weights: ArrayLike<number>): number =>
  Array.from(weights).reduce((sum, weight) => sum - (weight === 0 ? 0 : weight * Math.log(weight)), 0);

/** Looks that are exactly what the weights say, to the bit; entropy within rounding. */
export function expectLooksOf(looks: LookPlaces, { weights, scores }: ReturnType<typeof weightPlaces>): void {
  const [batchSize, numHeads, seqLen, kvLen] = weights.dims as [number, number, number, number];
  const { indices, weights: largest } = looks.topKeys;
  const count = indices.dims.at(-1)!;
  const sums = new Float32Array(batchSize * numHeads * kvLen);
  for (let row = 0; row < batchSize * numHeads * seqLen; row++) {
    const own = weights.data.subarray(row * kvLen, (row + 1) * kvLen);
    const [keys, most] = topKeysOf(own, scores.data.subarray(row * kvLen, (row + 1) * kvLen), count);
    expectSameBits(indices.data.subarray(row * count, (row + 1) * count), keys, `indices of row ${row}`);
    expectSameBits(largest.data.subarray(row * count, (row + 1) * count), most, `largest weights of row ${row}`);
    expectSameBits([looks.largestWeight.data[row]!], [own.reduce((a, b) => Math.max(a, b), 0)], `largest weight of row ${row}`);
    const entropy = entropyOf(own);
    if (Number.isNaN(entropy)) expect(looks.entropy.data[row]).toBeNaN();
    else expect(Math.abs(looks.entropy.data[row]! - entropy), `entropy of row ${row}`).toBeLessThan(1e-5 * Math.max(1, entropy));
    for (let key = 0; key < kvLen; key++) sums[Math.floor(row / seqLen) * kvLen + key]! += own[key]!;
  }
  expectSameBits(looks.keyWeights.data, sums, "sums over rows, one row after the other");
}

/** Compares looks with the reference: at most twice the error of naive float32, plus the floor. */
export function expectLooksNear(looks: LookPlaces, inputs: Inputs, shape: Shape, options: AttentionOptions): void {
  const given = options as ReferenceOptions;
  const { q, k, v } = inputs;
  const truth = {
    topKeys: { indices: filled64(looks.topKeys.indices.dims), weights: filled64(looks.topKeys.weights.dims) },
    entropy: filled64(looks.entropy.dims),
    largestWeight: filled64(looks.largestWeight.dims),
    keyWeights: filled64(looks.keyWeights.dims),
    weights: filled64([shape.batchSize, shape.numHeads, shape.seqLen, shape.kvLen]),
  };
  reference(q, k, v, { ...given, ...truth });
  const naive = naiveLooks(naiveFloat32(inputs, shape, given).weights, looks.topKeys.indices.dims.at(-1)!);
  expectParity("largest weights", looks.topKeys.weights.data, truth.topKeys.weights.data, naive.largest);
  expectParity("entropy", looks.entropy.data, truth.entropy.data, naive.entropy);
  expectParity("largest weight", looks.largestWeight.data, truth.largestWeight.data, naive.largestWeight);
  expectParity("keyWeights", looks.keyWeights.data, truth.keyWeights.data, naive.keyWeights);
  const count = looks.topKeys.indices.dims.at(-1)!;
  const ofIndices = looks.topKeys.indices.data.map((key, at) =>
    key < 0 ? 0 : truth.weights.data[Math.floor(at / count) * shape.kvLen + key]!,
  );
  expectParity("weights of the keys found", ofIndices, truth.topKeys.weights.data, naive.largest);
  expect(
    looks.topKeys.indices.data.map((key) => Math.sign(key + 0.5)),
    "rows' numbers of keys",
  ).toEqual(Float32Array.from(truth.topKeys.indices.data, (key) => Math.sign(key + 0.5)));
}

/** The same in naive float32: every operation rounded, sums in order. */
function naiveLooks({ data, dims }: TestTensor, count: number) {
  const { fround, log } = Math;
  const [batchSize, numHeads, seqLen, kvLen] = dims as [number, number, number, number];
  const rows = batchSize * numHeads * seqLen;
  const [entropy, largestWeight] = [new Float32Array(rows), new Float32Array(rows)];
  const [largest, keyWeights] = [new Float32Array(rows * count), new Float32Array(batchSize * numHeads * kvLen)];
  for (let row = 0; row < rows; row++) {
    const own = data.subarray(row * kvLen, (row + 1) * kvLen);
    largest.set(Float32Array.from(own).sort().reverse().slice(0, count), row * count);
    largestWeight[row] = largest[row * count]!;
    for (const [key, weight] of own.entries()) {
      if (weight > 0) entropy[row] = fround(entropy[row]! - fround(weight * fround(log(weight))));
      keyWeights[Math.floor(row / seqLen) * kvLen + key]! += weight;
    }
  }
  return { entropy, largestWeight, largest, keyWeights };
}
