/** Summaries of the weights of a row. */
import type { ReferenceOptions } from "./attentionOptions.js";

/**
 * Writes what the options ask for: the n largest weights and their keys, −Σ_j w_j ln w_j, the largest weight, and sums over rows.
 * Beyond the keys that the row attends to, the n largest are −1 with weight 0; a row that is NaN has none, and weights NaN.
 *
 * @param weights  [kvLen]
 * @param keys  the keys that the row attends to, in ascending order
 * @param row  index of the row in [batch, numHeads, seqLen]
 * @param seqLen  rows of a head
 */
export function writeLooks(
  { topKeys, entropy, largestWeight, keyWeights }: ReferenceOptions,
  weights: Float64Array,
  keys: readonly number[],
  row: number,
  seqLen: number,
): void {
  if (topKeys) {
    const n = topKeys.indices.dims.at(-1)!;
    const isNaN = keys.some((j) => Number.isNaN(weights[j]));
    const largest = isNaN ? [] : largestFirst(weights, keys);
    for (let rank = 0; rank < n; rank++) {
      topKeys.indices.data[row * n + rank] = largest[rank] ?? -1;
      topKeys.weights.data[row * n + rank] = rank < largest.length ? weights[largest[rank]!]! : isNaN ? NaN : 0;
    }
  }
  if (entropy) entropy.data[row] = keys.reduce((sum, j) => sum - (weights[j] === 0 ? 0 : weights[j]! * Math.log(weights[j]!)), 0);
  if (largestWeight) largestWeight.data[row] = keys.reduce((most, j) => Math.max(most, weights[j]!), 0);
  if (keyWeights) {
    const [start, isFirst] = [Math.floor(row / seqLen) * weights.length, row % seqLen === 0];
    for (const [j, weight] of weights.entries()) {
      keyWeights.data[start + j] = (isFirst ? 0 : keyWeights.data[start + j]!) + weight;
    }
  }
}

/** Keys by their numbers, the largest first; of equal ones the lower key. NaN is larger than all numbers. */
export function largestFirst(numbers: Float64Array, keys: readonly number[]): number[] {
  const order = (a: number, b: number): number => {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
    return a === b ? 0 : b > a ? 1 : -1;
  };
  return [...keys].sort((a, b) => order(numbers[a]!, numbers[b]!) || a - b);
}
