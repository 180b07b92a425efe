/** The configuration of a state of linear attention: its options, read once and checked. */
import { integer, oneOf, wrongKind, wrongValue } from "../check.js";
import type { Operation } from "../call/operation.js";
import type { Given } from "../call/readOptions.js";
import type { StateSizes } from "./linearShape.js";
import { isGated, LINEAR_NAMES, type LinearConfig, type LinearKind, readLinearConfig } from "./linearConfig.js";
import type { TensorLike } from "../call/tensor.js";

/** Options of a state of linear attention. */
export interface LinearAttentionStateOptions extends LinearKind {
  /** Sequences. Default 1. */
  batchSize?: number | null | undefined;
  /** Number of value heads, each of which has a state. */
  numKvHeads: number;
  /** Number of key heads, a divisor of numKvHeads. Default numKvHeads. */
  numKeyHeads?: number | null | undefined;
  /** Elements of a key. */
  headDim: number;
  /** Elements of a value. Default headDim. */
  valueDim?: number | null | undefined;
  /** For gated rules: whether there is a decay for each channel of a key, [batch, seq, numKvHeads, headDim]. Default false. */
  channelDecay?: boolean | null | undefined;
  /** For "favor+" the number of random features, default 256; for a function the last size of its results, default headDim. */
  features?: number | null | undefined;
  /** S to begin with, [batch, numKvHeads, features, valueDim], where results are not normalized. Default zeros. */
  initialState?: TensorLike | null | undefined;
}

/** @internal */
export interface LinearStateConfig {
  readonly kind: LinearConfig;
  readonly sizes: StateSizes;
}

export const CREATE_LINEAR_ATTENTION_STATE: Operation = {
  name: "createLinearAttentionState",
  options: [
    ...["batchSize", "numKvHeads", "numKeyHeads", "headDim", "valueDim", "channelDecay", "initialState"],
    ...["featureMap", "normalize", "eps", "scale", "rule", "chunkSize", "features", "seed"],
  ],
  foreign: LINEAR_NAMES,
  places: [],
};
const MAX_SIZE = 2 ** 16;

/**
 * Checks the options of a state, which have been read.
 * @internal
 */
export function readLinearStateConfig(
  operation: string,
  options: Given<Omit<LinearAttentionStateOptions, "initialState">>,
): LinearStateConfig {
  const { batchSize = 1, numKvHeads, numKeyHeads = numKvHeads, headDim, valueDim = headDim, channelDecay = false } = options;
  const size = (name: string, value: unknown): number => integer(operation, name, value, 1, MAX_SIZE);
  const sizes = {
    batchSize: size("batchSize", batchSize),
    numKvHeads: size("numKvHeads", numKvHeads),
    numKeyHeads: size("numKeyHeads", numKeyHeads),
    headDim: size("headDim", headDim),
    valueDim: size("valueDim", valueDim),
  };
  if (sizes.numKvHeads % sizes.numKeyHeads !== 0) {
    throw wrongValue(operation, `"numKeyHeads" is ${sizes.numKeyHeads}, expected a divisor of numKvHeads ${sizes.numKvHeads}`);
  }
  const kind = readLinearConfig(operation, options, undefined, true);
  const isByChannel = oneOf(operation, "channelDecay", channelDecay, [true, false]);
  if (isByChannel && !isGated(kind.rule)) {
    throw wrongKind(operation, '"channelDecay" needs rule "gated" or "gated_delta"');
  }
  return {
    kind,
    sizes: {
      ...sizes,
      featureDim: kind.features ?? sizes.headDim,
      decayDim: !isGated(kind.rule) ? 0 : isByChannel ? sizes.headDim : 1,
    },
  };
}
