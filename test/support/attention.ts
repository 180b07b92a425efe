/** Attention calls for tests: shapes by name, inputs by seed, and what is expected of the result. */
import { expect } from "vitest";
import type { AttentionOptions, Engine, Layout } from "headwise";
import { scaledDotProductAttention as reference, type ReferenceOptions } from "headwise/reference";
import { relativeKey } from "../../src/reference/positions.js";
import { sequenceOf } from "../../src/reference/visibleKeys.js";
import { countOf, normal, type TestTensor } from "./random.js";

export interface Shape {
  batchSize: number;
  seqLen: number;
  kvLen: number;
  numHeads: number;
  numKvHeads: number;
  headDim: number;
  valueDim: number;
}

/** `B2-S63-KV100-H6/2-D80`, with the value's size if it differs: `-D80:48`. */
export function parseShape(name: string): Shape {
  const match = /^B(\d+)-S(\d+)-KV(\d+)-H(\d+)\/(\d+)-D(\d+)(?::(\d+))?$/.exec(name);
  if (!match) throw new Error(`not a shape: ${name}`);
  const [batchSize, seqLen, kvLen, numHeads, numKvHeads, headDim, valueDim = match[6]] = match
    .slice(1)
    .map((size) => size && Number(size));
  return { batchSize, seqLen, kvLen, numHeads, numKvHeads, headDim, valueDim: Number(valueDim) } as Shape;
}

export const showShape = (s: Shape): string =>
  `B${s.batchSize}-S${s.seqLen}-KV${s.kvLen}-H${s.numHeads}/${s.numKvHeads}-D${s.headDim}${s.valueDim === s.headDim ? "" : `:${s.valueDim}`}`;

export const dimsOf = (layout: Layout, batch: number, rows: number, heads: number, channels: number): number[] => [
  ...Array.from(layout.slice(0, 3), (axis) => ({ b: batch, s: rows, h: heads })[axis as "b"]),
  channels,
];

/** Rows `from` to `to` − 1 of each sequence of [batch, rows, heads, channels]. */
export function cutRows({ data, dims }: TestTensor, from: number, to: number): TestTensor {
  const [batch, length, heads, channels] = dims as [number, number, number, number];
  const width = heads * channels;
  const cut = new Float32Array(batch * (to - from) * width);
  for (let b = 0; b < batch; b++)
    cut.set(data.subarray((b * length + from) * width, (b * length + to) * width), b * (to - from) * width);
  return { data: cut, dims: [batch, to - from, heads, channels] };
}

export interface Inputs {
  q: TestTensor;
  k: TestTensor;
  v: TestTensor;
}

export function randomInputs(shape: Shape, seed: number, layout: Layout = "bshd", deviation = 1): Inputs {
  const { batchSize, seqLen, kvLen, numHeads, numKvHeads, headDim, valueDim } = shape;
  return {
    q: normal(dimsOf(layout, batchSize, seqLen, numHeads, headDim), 3 * seed + 1, deviation),
    k: normal(dimsOf(layout, batchSize, kvLen, numKvHeads, headDim), 3 * seed + 2, deviation),
    v: normal(dimsOf(layout, batchSize, kvLen, numKvHeads, valueDim), 3 * seed + 3),
  };
}

const zeros = (dims: number[]): TestTensor => ({ data: new Float32Array(countOf(dims)), dims });
const zeros64 = (dims: number[]) => ({ data: new Float64Array(countOf(dims)), dims });

/** Places for all results that a call can return. */
export function places({ batchSize, seqLen, kvLen, numHeads }: Shape) {
  const matrix = [batchSize, numHeads, seqLen, kvLen];
  return { logSumExp: zeros([batchSize, numHeads, seqLen]), weights: zeros(matrix), scores: zeros(matrix) };
}

/** Another score than a scaled product. */
export interface OtherScore {
  /** Attention with it, in float64. */
  attention: typeof reference;
  /** The score in naive float32, before the scale, which is 1 by default. */
  score: (b: number, h: number, i: number, j: number) => number;
}

/**
 * Attention in naive float32, the yardstick of errors: every operation rounded, sums in order. The reference says which keys are
 * visible, and what is added to scores, since that does not depend on rounding.
 */
export function naiveFloat32({ q, k, v }: Inputs, shape: Shape, options: ReferenceOptions, other?: OtherScore) {
  const { fround, exp, tanh, log } = Math;
  const { batchSize, seqLen, kvLen, numHeads, numKvHeads, headDim, valueDim } = shape;
  const { layout = "bshd", softcap = 0, sinks, scoresStage = "biased" } = options;
  const { relativeKeys, relativeZero, contentBias, positionBias } = options;
  const isBiased = [options.bias, options.alibiSlopes, options.relativeBias].some((bias) => bias);
  const { scale = other ? 1 : 1 / Math.sqrt(headDim) } = options;
  const { attention = reference } = other ?? {};
  const matrix = [batchSize, numHeads, seqLen, kvLen];
  const [capped, biased] = [zeros64(matrix), zeros64(matrix)];
  attention(q, k, v, { ...options, softcap: 0, scores: capped, scoresStage: "capped" });
  attention(q, k, v, { ...options, softcap: 0, scores: biased, scoresStage: "biased" });
  const out = zeros(dimsOf(layout, batchSize, seqLen, numHeads, valueDim));
  const { logSumExp, weights, scores } = places(shape);
  const rowOf = (b: number, i: number, h: number, rows: number, heads: number): number =>
    layout === "bshd" ? (b * rows + i) * heads + h : (b * heads + h) * rows + i;

  for (let b = 0; b < batchSize; b++) {
    for (let h = 0; h < numHeads; h++) {
      const kvHead = Math.floor((h * numKvHeads) / numHeads);
      const factor = fround(typeof scale === "number" ? scale : scale[h]!);
      for (let i = 0; i < seqLen; i++) {
        const row = (b * numHeads + h) * seqLen + i;
        const sink = sinks ? sinks.data[h]! : -Infinity;
        let rowMax = sink;
        const { position } = sequenceOf(options, b, i, seqLen, kvLen);
        const query = (d: number, added?: ReferenceOptions["contentBias"]): number =>
          fround(fround(q.data[rowOf(b, i, h, seqLen, numHeads) * headDim + d]! + (added?.data[h * headDim + d] ?? 0)) * factor);
        const visible = new Float32Array(kvLen);
        for (let j = 0; j < kvLen; j++) {
          const index = row * kvLen + j;
          if (capped.data[index] === -Infinity) {
            visible[j] = scores.data[index] = -Infinity; // no key of this sequence
            continue;
          }
          let score = 0;
          const kStart = rowOf(b, j, kvHead, kvLen, numKvHeads) * headDim;
          if (other) score = fround(factor * other.score(b, h, i, j));
          for (let d = 0; d < headDim && !other; d++) score = fround(score + fround(query(d, contentBias) * k.data[kStart + d]!));
          for (const [d, r] of (relativeKeys ? relativeKey(relativeKeys, h, j - position, relativeZero) : []).entries())
            score = fround(score + fround(query(d, positionBias) * r));
          const scaled = score;
          if (softcap > 0) score = fround(softcap * fround(tanh(fround(score / softcap))));
          const bounded = score;
          if (biased.data[index] === -Infinity) score = -Infinity;
          else if (isBiased) score = fround(score + fround(biased.data[index]! - capped.data[index]!));
          scores.data[index] = { scaled, capped: bounded, biased: score }[scoresStage];
          visible[j] = score;
          rowMax = Math.max(rowMax, score);
        }
        let rowSum = sink === -Infinity ? 0 : fround(exp(fround(sink - rowMax)));
        for (let j = 0; j < kvLen; j++) {
          const index = row * kvLen + j;
          weights.data[index] = visible[j] === -Infinity ? 0 : fround(exp(fround(visible[j]! - rowMax)));
          rowSum = fround(rowSum + weights.data[index]);
        }
        const seesKey = visible.some((score) => score !== -Infinity);
        logSumExp.data[row] = seesKey ? fround(rowMax + fround(log(rowSum))) : sink;
        for (let j = 0; j < kvLen; j++) {
          const index = row * kvLen + j;
          if (visible[j] === -Infinity) continue;
          weights.data[index] = fround(weights.data[index]! / rowSum);
          const vStart = rowOf(b, j, kvHead, kvLen, numKvHeads) * valueDim;
          const outStart = rowOf(b, i, h, seqLen, numHeads) * valueDim;
          for (let d = 0; d < valueDim; d++) {
            out.data[outStart + d] = fround(out.data[outStart + d]! + fround(weights.data[index] * v.data[vStart + d]!));
          }
        }
      }
    }
  }
  return { out, logSumExp, weights, scores };
}

/** Largest absolute difference; equal infinities and NaN against NaN differ by 0, a number against either by Infinity. */
export function largestError(found: ArrayLike<number>, truth: ArrayLike<number>): number {
  expect(found.length).toBe(truth.length);
  let largest = 0;
  for (let index = 0; index < truth.length; index++) {
    const [a, b] = [found[index]!, truth[index]!];
    if (Object.is(a, b) || a === b) continue;
    const difference = Math.abs(a - b);
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
  }
  return largest;
}

/** Errors below this share of the largest number count as rounding, whatever the error of naive float32: 4 ulp. */
const FLOOR = 4 * 2 ** -23;

/**
 * The rule: the largest error may be twice that of naive float32, plus the floor.
 *
 * @param summed  what is summed before anything cancels, if that is larger than the results
 */
export function expectParity(
  what: string,
  found: ArrayLike<number>,
  truth: ArrayLike<number>,
  naive: ArrayLike<number>,
  summed = 1,
): void {
  const magnitude = Array.from(truth).reduce(
    (max, value) => (Number.isFinite(value) ? Math.max(max, Math.abs(value)) : max),
    summed,
  );
  const bound = 2 * largestError(naive, truth) + FLOOR * magnitude;
  expect(bound, `${what}: naive float32 must be a yardstick`).toBeLessThan(Infinity);
  expect(largestError(found, truth), `${what}: error against the reference, at most ${bound}`).toBeLessThanOrEqual(bound);
}

/** Runs a call with all its results and compares each with the reference. */
export function checkAgainstReference(engine: Engine, shape: Shape, inputs: Inputs, options: AttentionOptions): void {
  const { q, k, v } = inputs;
  const found = places(shape);
  const truth = {
    logSumExp: zeros64(found.logSumExp.dims),
    weights: zeros64(found.weights.dims),
    scores: zeros64(found.scores.dims),
  };
  const referenceOptions = options as ReferenceOptions;
  const truthOut = reference(q, k, v, { ...referenceOptions, ...truth });
  const naive = naiveFloat32(inputs, shape, referenceOptions);

  const out = engine.scaledDotProductAttention(q, k, v, options);
  expect(out.dims).toEqual(truthOut.dims);
  expectParity("out", out.data, truthOut.data, naive.out.data);

  const again = engine.scaledDotProductAttention(q, k, v, { ...options, ...found });
  expectSameBits(again.data, out.data, "out when weights, scores and logSumExp are asked for");
  expectParity("logSumExp", found.logSumExp.data, truth.logSumExp.data, naive.logSumExp.data);
  expectParity("weights", found.weights.data, truth.weights.data, naive.weights.data);
  expectParity("scores", found.scores.data, truth.scores.data, naive.scores.data);
}

/** The same bits, where −0 equals +0 and NaN equals NaN. */
export function expectSameBits(found: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  expect(found.length, what).toBe(expected.length);
  for (let index = 0; index < expected.length; index++) {
    const [a, b] = [found[index]!, expected[index]!];
    if (a !== b && !(Number.isNaN(a) && Number.isNaN(b)))
      expect.fail(`${what}: element ${index} is ${a}, expected ${b} to the bit`);
  }
}

/** Fills the free memory of an engine with NaN, which exposes reads of unwritten memory. */
export function poison(engine: Engine, bytes = 2 ** 22): void {
  const tensor = engine.tensor([bytes / 4]);
  tensor.data.fill(NaN);
  tensor.dispose();
}
