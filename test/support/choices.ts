/** Calls of attention to chosen keys and to windows, for tests: shapes with options, and comparisons with the reference. */
import { expect } from "vitest";
import type { AttentionOptions, Engine, KVCache, TensorLike } from "headwise";
import type { ReferenceOptions } from "headwise/reference";
import { cutRows, expectParity, type Inputs, naiveFloat32, places, type Shape } from "./attention.js";
import { normal, randomMask } from "./random.js";

/** Shapes with odd sizes on purpose: tails of rows, keys and channels, grouped heads, one block or several. */
export const CASES: readonly (readonly [shape: string, options: (shape: Shape, seed: number) => AttentionOptions])[] = [
  ["B1-S1-KV1-H1/1-D1", () => ({})],
  ["B2-S5-KV7-H3/3-D5", () => ({})],
  ["B2-S33-KV70-H6/2-D20", () => ({})],
  ["B1-S7-KV1030-H2/1-D16:9", () => ({})],
  ["B2-S9-KV21-H4/2-D8", () => ({ layout: "bhsd", scale: 0.7, softcap: 2 })],
  ["B1-S40-KV40-H2/2-D16", () => ({ causal: true })],
  ["B1-S30-KV600-H1/1-D8", () => ({ causal: true })],
  ["B1-S13-KV40-H2/2-D16", () => ({ causal: "upper-left", window: [7, 0], sinkTokens: 2 })],
  ["B2-S13-KV40-H2/2-D16", ({ seqLen, kvLen }, seed) => ({ mask: randomMask([seqLen, kvLen], seed, 0.5) })],
  ["B2-S9-KV21-H4/2-D8", ({ numHeads, seqLen, kvLen }, seed) => ({ bias: normal([numHeads, seqLen, kvLen], seed) })],
  ["B3-S9-KV21-H4/2-D8", ({ batchSize, kvLen }, seed) => ({ keyMask: randomMask([batchSize, kvLen], seed, 0.7) })],
  ["B2-S9-KV21-H4/2-D8", () => ({ queryLengths: [5, 9], keyLengths: [21, 4], keyStarts: [3, 0], causal: true })],
  ["B1-S20-KV30-H2/2-D8", () => ({ cuSeqlensQ: [0, 3, 3, 20], cuSeqlensK: [0, 9, 12, 30] })],
];

/** Places of float64 for the results besides the output. */
export function places64(shape: Shape) {
  const wide = ({ data, dims }: { data: Float32Array; dims: number[] }) => ({ data: new Float64Array(data), dims });
  const { logSumExp, weights, scores } = places(shape);
  return { logSumExp: wide(logSumExp), weights: wide(weights), scores: wide(scores) };
}

interface Found {
  readonly out: ArrayLike<number>;
  readonly logSumExp: ArrayLike<number>;
  readonly weights: ArrayLike<number>;
}

/** The rule of parity, where naive float32 computes with the keys to which the truth gives weights; and no other has one. */
export function expectParityOfKept(found: Found, truth: Found, inputs: Inputs, shape: Shape, options: AttentionOptions): void {
  const { batchSize, numHeads, seqLen, kvLen } = shape;
  const isKept = Uint8Array.from(truth.weights, (weight) => Number(weight !== 0));
  expect(Uint8Array.from(found.weights, (weight) => Number(weight !== 0))).toEqual(isKept);
  const mask = { data: isKept, dims: [batchSize, numHeads, seqLen, kvLen] };
  const naive = naiveFloat32(inputs, shape, { ...(options as ReferenceOptions), mask });
  expectParity("out", found.out, truth.out, naive.out.data);
  expectParity("logSumExp", found.logSumExp, truth.logSumExp, naive.logSumExp.data);
  expectParity("weights", found.weights, truth.weights, naive.weights.data);
}

/** Rows one by one on a cache, in which each row's key is appended before it. */
export function rowByRow(
  engine: Engine,
  { q, k, v }: Inputs,
  dtype: "float32" | "int8",
  attend: (cache: KVCache, q: TensorLike, row: number) => Float32Array,
): number[][] {
  const [batchSize, length, numKvHeads, headDim] = k.dims as [number, number, number, number];
  const cache = engine.createKVCache({ batchSize, numKvHeads, headDim, valueDim: v.dims[3]!, capacity: length, dtype });
  const rows: number[][] = [];
  for (let row = 0; row < length; row++) {
    cache.append(cutRows(k, row, row + 1), cutRows(v, row, row + 1));
    rows.push([...attend(cache, cutRows(q, row, row + 1), row)]);
  }
  cache.dispose();
  return rows;
}

/** A cache that holds k and v. */
export function cacheOf(engine: Engine, { k, v }: Pick<Inputs, "k" | "v">, dtype: "float32" | "int8" = "float32"): KVCache {
  const [batchSize, length, numKvHeads, headDim] = k.dims as [number, number, number, number];
  const cache = engine.createKVCache({ batchSize, numKvHeads, headDim, valueDim: v.dims[3]!, capacity: length, dtype });
  cache.append(k, v);
  return cache;
}
