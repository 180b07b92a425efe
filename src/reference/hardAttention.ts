/** Hard attention in float64, by its definition: each row takes the value of one key. Xu et al. 2015, arXiv:1502.03044, section 4.1. */
import type { ReferenceOptions } from "./attentionOptions.js";
import { largestFirst } from "./looks.js";
import { dotProduct } from "./scaledDotProductAttention.js";
import { headSizes, type QueryRow, softmaxAttention, softmaxOver } from "./softmaxAttention.js";
import type { Place, ReferenceResult, ReferenceTensor } from "./tensor.js";

/** The parameters of `Engine.hardAttention`. */
export interface ReferenceHardParameters {
  readonly choose?: "argmax" | "sample" | undefined;
  /** An integer from 0 to 2³² − 1. */
  readonly seed?: number | undefined;
  /** Receives the key that each row takes, −1 where it sees none: [batch, numHeads, seqLen]. */
  readonly picks?: Place | undefined;
}

/**
 * out_i = v of the visible key with the largest score, of equal ones the lowest; or of a key sampled from the weights of
 * scaledDotProductAttention: the first whose running sum of weights exceeds U times all of them, U in [0, 1) being made of the seed,
 * the sequence, the head and the row's position in its sequence, so that rows one by one take the same keys. Weights are 1 for that key,
 * logSumExp is its score; sinks do not count. Where a weight is NaN, nothing can be sampled, and the key with the largest score is
 * taken, NaN being larger than all numbers.
 *
 * @returns { data, dims } with dims [batch, seqLen, numHeads, valueDim] in the layout and rank of q
 *
 * @example
 * import { hardAttention } from "headwise/reference";
 *
 * const column = (...data) => ({ data, dims: [data.length, 1] });
 * console.log(hardAttention(column(1), column(1, 3, 2), column(4, 8, 9)).data[0]); // 8
 */
export function hardAttention(
  q: ReferenceTensor,
  k: ReferenceTensor,
  v: ReferenceTensor,
  { choose = "argmax", seed = 0, picks }: ReferenceHardParameters = {},
  options: ReferenceOptions = {},
): ReferenceResult {
  const [, seqLen, numHeads] = headSizes(q, k, v, options).ofQ;
  const withoutSinks = { ...options, sinks: undefined };
  return softmaxAttention(q, k, v, withoutSinks, {
    ...dotProduct(q, k, v, options),
    choose(scores, keys, row) {
      const largest = largestFirst(scores, keys)[0];
      const pick = choose === "sample" ? (sample(scores, keys, uniform(seed, row)) ?? largest) : largest;
      if (picks) picks.data[(row.b * numHeads + row.h) * seqLen + row.i] = pick ?? -1;
      return pick === undefined ? [] : [pick];
    },
  });
}

/** The first key whose running sum of weights exceeds `share` of all of them; undefined where they are NaN. */
function sample(scores: Float64Array, keys: readonly number[], share: number): number | undefined {
  const { weights } = softmaxOver(scores, keys);
  const total = keys.reduce((sum, j) => sum + weights[j]!, 0);
  let running = 0;
  return keys.find((j) => (running += weights[j]!) > share * total);
}

/** A number in [0, 1) of 24 bits for the sequence, head and position of a row, by SplitMix64. Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators". */
function uniform(seed: number, { index, h, position, keyStart }: QueryRow): number {
  let state = 0n;
  for (const number of [seed, index, h, position - keyStart]) state = mixed(state + 0x9e3779b97f4a7c15n + BigInt(number));
  return Number(state >> 40n) / 2 ** 24;
}

/** Finaliser of SplitMix64, on 64 bits. */
function mixed(state: bigint): bigint {
  let z = BigInt.asUintN(64, state);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}
