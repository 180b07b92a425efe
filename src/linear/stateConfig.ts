/** What a state of linear attention is made for: its options, read once and checked. */
import { integer, knownOptions, oneOf, wrongKind, wrongValue } from "../check.js";
import type { Operation } from "../call/operation.js";
import type { StateSizes } from "./linearCall.js";
import { isGated, type LinearConfig, type LinearKind, readLinearConfig } from "./linearConfig.js";
import type { TensorLike } from "../call/tensor.js";

/** What a state of linear attention is made for. */
export interface LinearAttentionStateOptions extends LinearKind {
  /** Sequences. Default 1. */
  batchSize?: number | undefined;
  /** Heads of values, each of which has a state. */
  numKvHeads: number;
  /** Heads of keys, a divisor of numKvHeads. Default numKvHeads. */
  numKeyHeads?: number | undefined;
  /** Elements of a key. */
  headDim: number;
  /** Elements of a value. Default headDim. */
  valueDim?: number | undefined;
  /** For gated rules: whether decays come for each channel of a key, [batch, seq, numKvHeads, headDim]. Default false. */
  channelDecay?: boolean | undefined;
  /** Random features of "favor+", default 256; for a function the last size that it gives, default headDim. */
  features?: number | undefined;
  /** S to begin with, [batch, numKvHeads, features, valueDim], where results are not normalized. Default zeros. */
  initialState?: TensorLike | undefined;
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
  places: [],
};
const MAX_SIZE = 2 ** 16;

/**
 * Checks what a state shall be.
 * @internal
 */
export function readLinearStateConfig(operation: string, options: LinearAttentionStateOptions): LinearStateConfig {
  knownOptions({ name: operation, options: CREATE_LINEAR_ATTENTION_STATE.options }, options);
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
    throw wrongKind(operation, '"channelDecay" is for rules "gated" and "gated_delta"');
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
