/** A multi-head layer without some of its heads: the remaining parameters. */
import type { MultiHeadConfig } from "./config.js";
import type { MultiHeadParts } from "./forward.js";
import { channelsOf, kvHeadOf } from "./heads.js";
import type { MultiHeadParameters } from "./parameters.js";

/**
 * The layer that has only the heads `remaining`. Heads that share a key/value head still do; if groups differ in their number of
 * remaining heads, the parameters of key/value heads are repeated for smaller groups.
 */
export function pruned(
  operation: string,
  parts: MultiHeadParts,
  remaining: readonly number[],
): { config: MultiHeadConfig; parameters: MultiHeadParameters } {
  const { config, q, k, v, out } = parts;
  const { headDim, valueDim } = config;
  const groups = new Map<number, number>(); // remaining heads of each key/value head
  for (const head of remaining) groups.set(kvHeadOf(config, head), (groups.get(kvHeadOf(config, head)) ?? 0) + 1);
  const groupSize = [...groups.values()].reduce(greatestDivisor);
  const kvHeads = remaining.filter((_, index) => index % groupSize === 0).map((head) => kvHeadOf(config, head));
  const numbersAt = (numbers: Float32Array | undefined, indices: readonly number[]): Float32Array | undefined =>
    numbers && Float32Array.from(indices, (index) => numbers[index]!);
  return {
    config: {
      ...config,
      ...{ numHeads: remaining.length, numKvHeads: kvHeads.length, headGates: remaining.map((head) => config.headGates[head]!) },
    },
    parameters: {
      q: q.columnsAt(operation, channelsOf(remaining, headDim)),
      k: k.columnsAt(operation, channelsOf(kvHeads, headDim)),
      v: v.columnsAt(operation, channelsOf(kvHeads, valueDim)),
      out: out.rowsAt(operation, channelsOf(remaining, valueDim)),
      biasK: numbersAt(parts.biasK?.data, channelsOf(kvHeads, headDim)),
      biasV: numbersAt(parts.biasV?.data, channelsOf(kvHeads, valueDim)),
      qNorm: parts.qNorm?.data.slice(),
      kNorm: parts.kNorm?.data.slice(),
    },
  };
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));
