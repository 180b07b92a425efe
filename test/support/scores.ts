/** Attention with other scores than products, for tests: parameters by seed, each with its reference and its naive float32. */
import { expect } from "vitest";
import type { AdditiveParameters, Engine, Float32Tensor, Layout, ScoreOptions } from "headwise";
import {
  activate,
  additiveAttention,
  bilinearAttention,
  cosineAttention,
  type ReferenceOptions,
  type ReferenceTensor,
} from "headwise/reference";
import { dimsOf, expectParity, expectSameBits, type Inputs, naiveFloat32, places, type Shape } from "./attention.js";
import { normal, type TestTensor } from "./random.js";

const { fround } = Math;

/** A score with its parameters. */
export interface Score {
  readonly name: string;
  /** Elements of a key. */
  readonly kDim: number;
  readonly run: (engine: Engine, inputs: Inputs, options?: ScoreOptions) => Float32Tensor;
  readonly reference: (inputs: Inputs, options: ReferenceOptions) => { data: Float64Array; dims: number[] };
  /** What is summed at most before anything cancels, at scale 1: Σ │u│ of additive scores. */
  readonly summed: number;
  /** The score in naive float32, of a row of q in head h and a row of k. */
  readonly naive: (q: Float32Array, k: Float32Array, h: number, kvHead: number) => number;
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum = fround(sum + fround(a[c]! * b[c]!));
  return sum;
};

/** The part of head h, if each has one. */
function partOf({ data, dims }: TestTensor, rank: number, h: number): Float32Array {
  const size = dims.slice(-rank).reduce((x, y) => x * y, 1);
  return dims.length > rank ? data.subarray(h * size, (h + 1) * size) : data;
}

/** M x in naive float32, for M [rows, x.length]. */
const project = (matrix: Float32Array, x: Float32Array): Float32Array =>
  Float32Array.from({ length: matrix.length / x.length }, (_, row) =>
    dot(matrix.subarray(row * x.length, (row + 1) * x.length), x),
  );

export interface AdditiveTensors extends AdditiveParameters {
  query: TestTensor;
  key?: TestTensor;
  score: TestTensor;
  bias?: TestTensor;
}

/** Σ │u│ of the head where it is largest. */
const sumsOfMagnitudes = ({ data, dims }: TestTensor): number => {
  const hidden = dims.at(-1)!;
  const sums = new Float64Array(data.length / hidden);
  for (const [index, u] of data.entries()) sums[Math.floor(index / hidden)]! += Math.abs(u);
  return Math.max(...sums);
};

const phi = (kind: "tanh" | "relu" | "gelu", x: number): number =>
  kind === "tanh" ? fround(Math.tanh(x)) : fround(activate({ data: [x], dims: [1] }, kind).data[0]!);

/** Additive scores with parameters of one's own. */
export function additive(name: string, kDim: number, parameters: AdditiveTensors): Score {
  const { query, key, score, bias, activation } = parameters;
  return {
    name,
    kDim,
    summed: sumsOfMagnitudes(score),
    run: (engine, { q, k, v }, options) => engine.additiveAttention(q, k, v, parameters, options),
    reference: ({ q, k, v }, options) =>
      additiveAttention(q, k, v, parameters as Parameters<typeof additiveAttention>[3], options) as never,
    naive(q, k, h, kvHead) {
      const ofQuery = project(partOf(query, 2, h), q);
      const ofKey = key ? project(partOf(key, 2, kvHead), k) : k;
      const added = bias && partOf(bias, 1, h);
      const u = partOf(score, 1, h);
      return dot(
        u,
        u.map((_, c) => phi(activation ?? "tanh", fround(fround(ofQuery[c]! + (added?.[c] ?? 0)) + ofKey[c]!))),
      );
    },
  };
}

interface AdditiveChoice {
  hidden?: number;
  kDim?: number;
  perHead?: boolean;
  hasKey?: boolean;
  hasBias?: boolean;
  activation?: "tanh" | "relu" | "gelu";
  /** Of u, and about that of the projected rows. */
  deviations?: readonly [number, number];
}

/** Additive scores with random parameters. */
export function randomAdditive(
  { numHeads, numKvHeads, headDim }: Shape,
  {
    hidden = 7,
    kDim = 5,
    perHead = false,
    hasKey = true,
    hasBias = true,
    activation = "tanh",
    deviations = [1, 1],
  }: AdditiveChoice,
  seed = 1,
): Score {
  const dims = (heads: number, ...sizes: number[]): number[] => (perHead ? [heads, ...sizes] : sizes);
  const [ofU, ofRows] = deviations;
  return additive(`additive ${activation} ${hidden}${perHead ? " per head" : ""}`, hasKey ? kDim : hidden, {
    query: normal(dims(numHeads, hidden, headDim), 31 * seed, ofRows / Math.sqrt(headDim)),
    ...(hasKey && { key: normal(dims(numKvHeads, hidden, kDim), 31 * seed + 1, ofRows / Math.sqrt(kDim)) }),
    score: normal(dims(numHeads, hidden), 31 * seed + 2, ofU),
    ...(hasBias && { bias: normal(dims(numHeads, hidden), 31 * seed + 3, ofRows) }),
    activation,
  });
}

/** q·U k, where U has one matrix, or one for each head. */
export function randomBilinear({ numHeads, headDim }: Shape, kDim = 5, perHead = false, seed = 1): Score {
  const weight = normal(perHead ? [numHeads, headDim, kDim] : [headDim, kDim], 31 * seed + 4, 1 / Math.sqrt(headDim));
  return {
    name: `bilinear${perHead ? " per head" : ""}`,
    kDim,
    summed: 1,
    run: (engine, { q, k, v }, options) => engine.bilinearAttention(q, k, v, { weight }, options),
    reference: ({ q, k, v }, options) => bilinearAttention(q, k, v, { weight }, options) as never,
    naive(q, k, h) {
      const matrix = partOf(weight, 2, h);
      const product = Float32Array.from({ length: kDim }, (_, column) =>
        dot(
          q,
          q.map((_row, row) => matrix[row * kDim + column]!),
        ),
      );
      return dot(product, k);
    },
  };
}

export const cosine = ({ headDim }: Shape): Score => ({
  name: "cosine",
  kDim: headDim,
  summed: 1,
  run: (engine, { q, k, v }, options) => engine.cosineAttention(q, k, v, options),
  reference: ({ q, k, v }, options) => cosineAttention(q, k, v, options) as never,
  naive(q, k) {
    const norms = fround(fround(Math.sqrt(dot(q, q))) * fround(Math.sqrt(dot(k, k))));
    return norms === 0 ? 0 : fround(dot(q, k) / norms);
  },
});

/** q, k and v of a shape, whose keys have kDim elements. */
export function inputsFor(
  { batchSize, seqLen, kvLen, numHeads, numKvHeads, headDim, valueDim }: Shape,
  { kDim }: Score,
  seed: number,
  layout: Layout = "bshd",
): Inputs {
  return {
    q: normal(dimsOf(layout, batchSize, seqLen, numHeads, headDim), 7 * seed + 1),
    k: normal(dimsOf(layout, batchSize, kvLen, numKvHeads, kDim), 7 * seed + 2),
    v: normal(dimsOf(layout, batchSize, kvLen, numKvHeads, valueDim), 7 * seed + 3),
  };
}

const in64 = ({ dims, data }: TestTensor): ReferenceTensor & { data: Float64Array } => ({
  data: new Float64Array(data.length),
  dims,
});

/**
 * Runs a call with all its results and compares each with the reference: at most twice the error of naive float32, plus 4 ulp of the
 * largest number, or of what a score is the sum of.
 */
export function checkScore(engine: Engine, shape: Shape, score: Score, inputs: Inputs, options: ScoreOptions = {}): void {
  const { q, k, v } = inputs;
  const { layout = "bshd" } = options as ReferenceOptions;
  const { seqLen, kvLen, numHeads, numKvHeads, headDim } = shape;
  const found = places(shape);
  const truth = { logSumExp: in64(found.logSumExp), weights: in64(found.weights), scores: in64(found.scores) };
  const referenceOptions = options as ReferenceOptions;
  const rowOf = (data: Float32Array, b: number, i: number, h: number, rows: number, heads: number, size: number) => {
    const row = layout === "bshd" ? (b * rows + i) * heads + h : (b * heads + h) * rows + i;
    return data.subarray(row * size, (row + 1) * size);
  };
  const truthOut = score.reference(inputs, { ...referenceOptions, ...truth });
  const naive = naiveFloat32({ q, k, v }, shape, referenceOptions, {
    attention: (...args) => score.reference({ q: args[0], k: args[1], v: args[2] } as Inputs, args[3] ?? {}),
    score(b, h, i, j) {
      const kvHead = Math.floor((h * numKvHeads) / numHeads);
      const query = rowOf(q.data, b, i, h, seqLen, numHeads, headDim);
      return score.naive(query, rowOf(k.data, b, j, kvHead, kvLen, numKvHeads, score.kDim), h, kvHead);
    },
  });

  const out = score.run(engine, inputs, options);
  expect(out.dims).toEqual(truthOut.dims);
  expectParity("out", out.data, truthOut.data, naive.out.data);
  const again = score.run(engine, inputs, { ...options, ...found });
  expectSameBits(again.data, out.data, "out when weights, scores and logSumExp are asked for");
  const { scale = 1 } = referenceOptions;
  const summed = score.summed * Math.max(...Array.from(typeof scale === "number" ? [scale] : scale, Math.abs));
  expectParity("weights", found.weights.data, truth.weights.data, naive.weights.data);
  expectParity("logSumExp", found.logSumExp.data, truth.logSumExp.data, naive.logSumExp.data, summed);
  expectParity("scores", found.scores.data, truth.scores.data, naive.scores.data, summed);
}
