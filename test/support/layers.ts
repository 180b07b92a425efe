/** Multi-head layers for tests: parameters by seed, and checks of results. */
import { expect } from "vitest";
import type { Float32Tensor, Engine, MultiHeadAttentionConfig, MultiHeadForwardOptions } from "headwise";
import {
  multiHeadAttention as reference,
  type ReferenceMultiHeadOptions,
  type ReferenceParameters,
  type ReferenceRotaryOptions,
  type ReferenceTensor,
} from "headwise/reference";
import type { Given } from "../../src/call/readOptions.js";
import { positionsOf } from "../../src/reference/multiHeadAttention.js";
import { expectParity, expectSameBits, naiveFloat32 } from "./attention.js";
import { countOf, normal, type TestTensor } from "./random.js";

/** A config without null, which counts as absent. */
export type LayerConfig = Given<MultiHeadAttentionConfig>;
export type LayerParameters = { -readonly [Name in keyof ReferenceParameters]: TestTensor | undefined } & { out: TestTensor };

/** The sizes of a config, with defaults. */
export function sizesOf(config: LayerConfig) {
  const { embedDim, numHeads, numKvHeads = numHeads, headDim = embedDim / numHeads, valueDim = headDim } = config;
  const { kDim = embedDim, vDim = embedDim, outDim = embedDim } = config;
  return { embedDim, numHeads, numKvHeads, headDim, valueDim, kDim, vDim, outDim };
}

/** Optional parameters of a layer, in addition to its matrices. */
export interface Extras {
  readonly biases?: boolean;
  readonly biasKv?: boolean;
  readonly norms?: boolean;
}

/** Parameters of a layer, q, k and v apart. */
export function randomParameters(config: LayerConfig, seed: number, extras: Extras = {}): LayerParameters {
  const { embedDim, numHeads, numKvHeads, headDim, valueDim, kDim, vDim, outDim } = sizesOf(config);
  const matrix = (inDim: number, columns: number, index: number): TestTensor =>
    normal(config.weightLayout === "inOut" ? [inDim, columns] : [columns, inDim], 20 * seed + index, 1 / Math.sqrt(inDim));
  const vector = (isThere: boolean | undefined, size: number, index: number): TestTensor | undefined =>
    isThere ? normal([size], 20 * seed + index) : undefined;
  return {
    q: matrix(embedDim, numHeads * headDim, 0),
    k: matrix(kDim, numKvHeads * headDim, 1),
    v: matrix(vDim, numKvHeads * valueDim, 2),
    out: matrix(numHeads * valueDim, outDim, 3),
    qBias: vector(extras.biases, numHeads * headDim, 4),
    kBias: vector(extras.biases, numKvHeads * headDim, 5),
    vBias: vector(extras.biases, numKvHeads * valueDim, 6),
    outBias: vector(extras.biases, outDim, 7),
    biasK: vector(extras.biasKv, numKvHeads * headDim, 8),
    biasV: vector(extras.biasKv, numKvHeads * valueDim, 9),
    qNorm: vector(extras.norms, headDim, 10),
    kNorm: vector(extras.norms, headDim, 11),
  };
}

const { fround } = Math;

/** x W + b in naive float32. */
function naiveProject(
  x: ReferenceTensor,
  matrix: TestTensor,
  bias: TestTensor | undefined,
  columns: number,
  isOutIn: boolean,
): Float32Array {
  const inDim = matrix.data.length / columns;
  const out = new Float32Array((x.data.length / inDim) * columns);
  for (let index = 0; index < out.length; index++) {
    const [row, to] = [Math.floor(index / columns), index % columns];
    let sum = 0;
    for (let from = 0; from < inDim; from++) {
      const factor = matrix.data[isOutIn ? to * inDim + from : from * columns + to]!;
      sum = fround(sum + fround(x.data[row * inDim + from]! * factor));
    }
    out[index] = bias ? fround(sum + bias.data[to]!) : sum;
  }
  return out;
}

/** Each vector of `channels` over the root of its mean square in naive float32. */
function naiveNormalize(x: Float32Array, channels: number, parameters: TestTensor | undefined, eps: number): Float32Array {
  return x.map((element, index) => {
    const start = index - (index % channels);
    let sum = 0;
    for (let channel = start; channel < start + channels; channel++) sum = fround(sum + fround(x[channel]! * x[channel]!));
    const root = fround(Math.sqrt(fround(fround(sum / channels) + eps)));
    return fround(fround(element / root) * (parameters?.data[index % channels] ?? 1));
  });
}

/** Heads rotated in naive float32, with angles, cosines and sines rounded to float32. */
function naiveRotary(
  x: Float32Array,
  options: ReferenceRotaryOptions,
  heads: number,
  headDim: number,
  positions: number[],
): Float32Array {
  const { base = 10000, interleaved = false, tables } = options;
  const { rotaryStart = 0, rotaryDim = tables ? 2 * tables.cos.dims[1]! : headDim - rotaryStart } = options;
  const turned = x.slice();
  for (let row = 0; row < x.length / headDim; row++) {
    const position = positions[Math.floor(row / heads)]!;
    for (let pair = 0; pair < rotaryDim / 2; pair++) {
      const angle = position * base ** ((-2 * pair) / rotaryDim);
      const at = (position * rotaryDim) / 2 + pair;
      const [cos, sin] = tables ? [tables.cos.data[at]!, tables.sin.data[at]!] : [fround(Math.cos(angle)), fround(Math.sin(angle))];
      const first = row * headDim + rotaryStart + (interleaved ? 2 * pair : pair);
      const second = first + (interleaved ? 1 : rotaryDim / 2);
      turned[first] = fround(fround(x[first]! * cos) - fround(x[second]! * sin));
      turned[second] = fround(fround(x[second]! * cos) + fround(x[first]! * sin));
    }
  }
  return turned;
}

/** A bias padded with zeros for keys without columns. */
function widened({ data, dims }: ReferenceTensor, kvLen: number): ReferenceTensor {
  const keys = dims.at(-1)!;
  const numbers = Array.from({ length: (data.length / keys) * kvLen }, (_, index) =>
    index % kvLen < keys ? data[Math.floor(index / kvLen) * keys + (index % kvLen)]! : 0,
  );
  return { data: numbers, dims: [...dims.slice(0, -1), kvLen] };
}

/** The layer in naive float32, the yardstick of errors. The weights of the reference say which keys are visible. */
export function naiveLayer(
  config: LayerConfig,
  parameters: LayerParameters,
  x: TestTensor,
  options: ReferenceMultiHeadOptions,
  truthWeights: ReferenceTensor,
) {
  const { numHeads, numKvHeads, headDim, valueDim, outDim } = sizesOf(config);
  const { key = x, value = key, headGates = config.headGates, softcap, scale, sinks, bias } = options;
  const isOutIn = config.weightLayout !== "inOut";
  const [batchSize, seqLen] = x.dims.length === 3 ? (x.dims as [number, number]) : [1, x.dims[0]!];
  const kvLen = truthWeights.data.length / (batchSize * numHeads * seqLen);
  let q = naiveProject(x, parameters.q!, parameters.qBias, numHeads * headDim, isOutIn);
  let k = naiveProject(key, parameters.k!, parameters.kBias, numKvHeads * headDim, isOutIn);
  const v = naiveProject(value, parameters.v!, parameters.vBias, numKvHeads * valueDim, isOutIn);
  if (config.qkNorm) {
    const eps = (config.qkNorm === true ? undefined : config.qkNorm.eps) ?? 1e-6;
    q = naiveNormalize(q, headDim, parameters.qNorm, eps);
    k = naiveNormalize(k, headDim, parameters.kNorm, eps);
  }
  if (config.rotary) {
    const positions = positionsOf(options, { dims: [batchSize, seqLen] }, { dims: [batchSize, key.dims.at(-2)!] });
    q = naiveRotary(q, config.rotary as ReferenceRotaryOptions, numHeads, headDim, positions.queries);
    k = naiveRotary(k, config.rotary as ReferenceRotaryOptions, numKvHeads, headDim, positions.keys);
  }
  const withExtra = (rows: Float32Array, extra: TestTensor | undefined, channels: number): TestTensor => {
    const width = numKvHeads * channels;
    const perBatch = rows.length / batchSize;
    const behind = [...(extra?.data ?? []), ...new Array<number>(config.addZeroAttention ? width : 0).fill(0)];
    const data = Array.from({ length: batchSize }, (_, b) => [
      ...rows.subarray(b * perBatch, (b + 1) * perBatch),
      ...behind,
    ]).flat();
    return { data: Float32Array.from(data), dims: [batchSize, data.length / batchSize / width, numKvHeads, channels] };
  };
  const inputs = {
    q: { data: q, dims: [batchSize, seqLen, numHeads, headDim] },
    k: withExtra(k, parameters.biasK, headDim),
    v: withExtra(v, parameters.biasV, valueDim),
  };
  const mask = {
    data: Uint8Array.from(truthWeights.data, (weight) => (weight > 0 ? 1 : 0)),
    dims: [batchSize, numHeads, seqLen, kvLen],
  };
  const shape = { batchSize, seqLen, kvLen, numHeads, numKvHeads, headDim, valueDim };
  const naive = naiveFloat32(inputs, shape, { mask, bias: bias && widened(bias, kvLen), softcap, scale, sinks });
  const gated = naive.out.data.map((element, index) => element * (headGates?.[Math.floor(index / valueDim) % numHeads] ?? 1));
  const rows = { data: gated, dims: [] };
  return { ...naive, out: naiveProject(rows, parameters.out, parameters.outBias, outDim, isOutIn) };
}

/** Runs a forward call with all its results and compares each with the reference. */
export function checkLayer(
  engine: Engine,
  config: LayerConfig,
  parameters: LayerParameters,
  x: TestTensor,
  options: MultiHeadForwardOptions & ReferenceMultiHeadOptions = {},
): void {
  const { numHeads, outDim } = sizesOf(config);
  const key = options.key ?? x;
  const [leading, seqLen] = [x.dims.slice(0, -2), x.dims.at(-2)!];
  const kvLen = key.dims.at(-2)! + (parameters.biasK ? 1 : 0) + (config.addZeroAttention ? 1 : 0);
  const dims = { logSumExp: [...leading, numHeads, seqLen], weights: [...leading, numHeads, seqLen, kvLen] };
  const averaged = [...leading, seqLen, kvLen];
  const zeros = (sizes: number[]) => ({ data: new Float32Array(countOf(sizes)), dims: sizes });
  const zeros64 = (sizes: number[]) => ({ data: new Float64Array(countOf(sizes)), dims: sizes });
  const truth = { logSumExp: zeros64(dims.logSumExp), weights: zeros64(dims.weights), averageWeights: zeros64(averaged) };
  const truthScores = zeros64(dims.weights);
  const found = { logSumExp: zeros(dims.logSumExp), weights: zeros(dims.weights), averageWeights: zeros(averaged) };
  const foundScores = zeros(dims.weights);
  const truthOut = reference(config, parameters, x, { ...options, ...truth, scores: truthScores });
  const naive = naiveLayer(config, parameters, x, options, truth.weights);

  using layer = engine.createMultiHeadAttention(config, parameters);
  const out = layer.forward(x, options);
  expect(out.dims).toEqual([...x.dims.slice(0, -1), outDim]);
  expectParity("out", out.data, truthOut.data, naive.out);
  const again = layer.forward(x, { ...options, ...found, scores: foundScores });
  expectSameBits(again.data, out.data, "out when weights and logSumExp are asked for");
  expectParity("weights", found.weights.data, truth.weights.data, naive.weights.data);
  expectParity("logSumExp", found.logSumExp.data, truth.logSumExp.data, naive.logSumExp.data);
  expectParity("scores", foundScores.data, truthScores.data, naive.scores.data);
  const alone = zeros(averaged);
  layer.forward(x, { ...options, averageWeights: alone });
  expectSameBits(alone.data, found.averageWeights.data, "averageWeights with and without weights");
  const size = averaged.slice(-2).reduce((a, b) => a * b, 1);
  const naiveAverage = alone.data.map((_, index) => {
    const [batch, pair] = [Math.floor(index / size), index % size];
    let sum = 0;
    for (let head = 0; head < numHeads; head++) sum = fround(sum + naive.weights.data[(batch * numHeads + head) * size + pair]!);
    return fround(sum / numHeads);
  });
  expectParity("averageWeights", found.averageWeights.data, truth.averageWeights.data, naiveAverage);
}

/** Grouped heads of odd sizes. */
export const GROUPED: LayerConfig = { embedDim: 20, numHeads: 6, numKvHeads: 3, headDim: 7, valueDim: 5 };

/** Rows `from` to `to` − 1 of each sequence. */
export function cut({ data, dims }: Float32Tensor, from: number, to: number): TestTensor {
  const [batch, rows, channels] = dims as [number, number, number];
  const parts = Array.from({ length: batch }, (_, b) => [
    ...data.subarray((b * rows + from) * channels, (b * rows + to) * channels),
  ]);
  return { data: Float32Array.from(parts.flat()), dims: [batch, to - from, channels] };
}

/** One sequence of a batch. */
export const sequenceOf = ({ data, dims }: Float32Tensor, index: number): TestTensor => {
  const size = dims[1]! * dims[2]!;
  return { data: data.slice(index * size, (index + 1) * size), dims: [1, dims[1]!, dims[2]!] };
};

export const concatenated = (...tensors: (TestTensor | undefined)[]): TestTensor => {
  const data = Float32Array.from(tensors.flatMap((tensor) => [...tensor!.data]));
  const [first] = tensors as [TestTensor];
  const dims = first.dims.length === 1 ? [data.length] : [data.length / first.dims[1]!, first.dims[1]!];
  return { data, dims };
};
