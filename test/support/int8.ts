/** The rows that a cache of dtype "int8" stores, and the error allowed to attention on them. */
import { scaledDotProductAttention as reference, type ReferenceOptions } from "headwise/reference";
import { expect } from "vitest";
import { countOf, type TestTensor } from "./random.js";

const BLOCK = 512;
const INT8_LIMIT = 127;
const INT16_LIMIT = 32767;

/** Rows of [batch, rows, heads, channels] after rounding to int8: data = integers · scales. */
export interface RoundedTensor {
  readonly data: Float64Array;
  readonly dims: readonly number[];
  readonly integers: Int8Array;
  /** [batch, rows, heads] */
  readonly scales: Float32Array;
}

const roundHalfToEven = (x: number): number => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** The rule: the largest of a head's elements in a row becomes ±127. */
export function roundToInt8({ data, dims }: { data: ArrayLike<number>; dims: readonly number[] }): RoundedTensor {
  const channels = dims.at(-1)!;
  const integers = new Int8Array(countOf(dims));
  const scales = new Float32Array(countOf(dims.slice(0, -1)));
  for (let row = 0; row < scales.length; row++) {
    const [from, to] = [row * channels, (row + 1) * channels];
    let largest = 0;
    for (let index = from; index < to; index++) largest = Math.max(largest, Math.abs(data[index]!));
    const scale = (scales[row] = Math.fround(largest / INT8_LIMIT));
    if (scale === 0) continue;
    for (let index = from; index < to; index++) integers[index] = roundHalfToEven(Math.fround(data[index]! / scale));
  }
  return { data: Float64Array.from(integers, (n, index) => n * scales[Math.floor(index / channels)]!), dims, integers, scales };
}

/** Results, and the error allowed for each. */
export interface BoundedTruth {
  readonly truth: ArrayLike<number>;
  readonly bounds: ArrayLike<number>;
}

export function expectWithin(found: ArrayLike<number>, { truth, bounds }: BoundedTruth): void {
  expect(found.length).toBe(truth.length);
  for (let index = 0; index < truth.length; index++) {
    const error = Math.abs(found[index]! - truth[index]!);
    if (!(error <= bounds[index]!)) expect.fail(`element ${index}: error ${error}, at most ${bounds[index]}`);
  }
}

/**
 * Attention by its definition on the rounded rows of a cache of int8. Each result may differ by the rounding of queries to int16,
 * which moves a score by at most `shift`; of weights, times the scales of their values, to int16 in each block of keys; and of
 * float32.
 */
export function int8Truth(q: TestTensor, k: RoundedTensor, v: RoundedTensor, options: ReferenceOptions): BoundedTruth {
  const [batchSize, seqLen, numHeads, headDim] = q.dims as [number, number, number, number];
  const [, kvLen, numKvHeads, valueDim] = v.dims as [number, number, number, number];
  const dims = [batchSize, numHeads, seqLen, kvLen];
  const weights = new Float64Array(countOf(dims));
  const truth = reference(q, k, v, { ...options, weights: { data: weights, dims } }).data;
  const bounds = new Float64Array(truth.length);
  const float32 = 2e-6 * v.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const { scale = 1 / Math.sqrt(headDim) } = options;
  const queryLimit = Math.min(INT16_LIMIT, Math.floor((2 ** 31 - 1) / (INT8_LIMIT * 2 * Math.ceil(headDim / 2))));

  const sumOfKey = new Float64Array(k.scales.length);
  for (let index = 0; index < k.data.length; index++) sumOfKey[Math.floor(index / headDim)]! += Math.abs(k.data[index]!);

  for (let row = 0; row < batchSize * seqLen * numHeads; row++) {
    const head = row % numHeads;
    const i = Math.floor(row / numHeads) % seqLen;
    const b = Math.floor(row / numHeads / seqLen);
    const weightsStart = ((b * numHeads + head) * seqLen + i) * kvLen;
    const kvHead = Math.floor((head * numKvHeads) / numHeads);
    const keyRow = (j: number): number => (b * kvLen + j) * numKvHeads + kvHead;

    let largestOfQuery = 0;
    for (let d = 0; d < headDim; d++) largestOfQuery = Math.max(largestOfQuery, Math.abs(q.data[row * headDim + d]!));
    const factor = typeof scale === "number" ? scale : scale[head]!;
    const queryRounding = (0.5001 * Math.abs(factor) * largestOfQuery) / queryLimit;
    const seen: number[] = [];
    let shift = 0;
    const weightSteps = new Float64Array(Math.ceil(kvLen / BLOCK));
    for (let j = 0; j < kvLen; j++) {
      const weight = weights[weightsStart + j]!;
      if (weight === 0) continue;
      seen.push(j);
      shift = Math.max(shift, queryRounding * sumOfKey[keyRow(j)]!);
      const block = Math.floor(j / BLOCK);
      weightSteps[block] = Math.max(weightSteps[block]!, (weight * v.scales[keyRow(j)]!) / INT16_LIMIT);
    }
    for (let c = 0; c < valueDim; c++) {
      const expected = truth[row * valueDim + c]!;
      let [spread, rounding] = [0, 0];
      for (const j of seen) {
        const index = keyRow(j) * valueDim + c;
        spread += weights[weightsStart + j]! * Math.abs(v.data[index]! - expected);
        rounding += 0.5001 * weightSteps[Math.floor(j / BLOCK)]! * Math.abs(v.integers[index]!);
      }
      bounds[row * valueDim + c] = Math.expm1(2 * shift) * spread + Math.exp(2 * shift) * rounding + float32;
    }
  }
  return { truth, bounds };
}
