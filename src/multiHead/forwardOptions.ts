/** The options of a multi-head layer's `forward`. */
import { ATTENTION_NAMES } from "../attention/foreignNames.js";
import { ATTENTION_OPTIONS, ATTENTION_PLACES, type AttentionOptions, ROW_OPTIONS } from "../attention/options.js";
import type { KVCache } from "../cache/kvCache.js";
import type { Operation } from "../call/operation.js";
import type { Given } from "../call/readOptions.js";
import type { Float32Tensor, PlaceTensor, TensorLike } from "../call/tensor.js";

/**
 * Options of a layer's `forward`: those of attention, and the sources of keys and values. kvLen includes the keys that the
 * parameters biasK and biasV and `addZeroAttention` add after the others; mask, keyMask, bias, alibiSlopes, relativeBias and relativeKeys
 * apply only to the others.
 */
export interface MultiHeadForwardOptions<Out extends PlaceTensor = Float32Tensor> extends Omit<
  AttentionOptions<Out>,
  (typeof ROW_OPTIONS)[number] | "out"
> {
  /** Rows that keys are made of, for cross-attention [batch, kvLen, kDim]. Default x. */
  key?: TensorLike | null | undefined;
  /** Rows that values are made of [batch, kvLen, vDim]. Default `key`. */
  value?: TensorLike | null | undefined;
  /** Keys and values that `projectKeys` made, instead of `key` and `value`. */
  memory?: KVCache | null | undefined;
  /**
   * A cache from `createCache`: the rows of x are added to it, `queryLengths` of each sequence, and attend to all its keys. If
   * the call fails, the cache is unchanged. With a cache, `causal` is true by default.
   */
  cache?: KVCache | null | undefined;
  /** Factor on each head's output, instead of the config's [numHeads]. */
  headGates?: ArrayLike<number> | null | undefined;
  /** Receives the output, and is returned: [batch, seqLen, outDim]; may be the tensor x. */
  out?: Out | null | undefined;
  /** Whether the output is added to what `out` holds, as a residual connection does. Default false. */
  accumulate?: boolean | null | undefined;
  /** Receives the mean of the weights over the heads: [batch, seqLen, kvLen]. */
  averageWeights?: PlaceTensor | null | undefined;
}

export const FORWARD: Operation = {
  name: "MultiHeadAttention.forward",
  options: [
    ...["key", "value", "memory", "cache", "headGates", "accumulate", "averageWeights"],
    ...ATTENTION_OPTIONS.filter((name) => !ROW_OPTIONS.some((option) => option === name)),
  ],
  foreign: {
    averageWeights: "averageattn",
    "the layer's config has it": "layout numheads numkvheads batchfirst rotary rope",
    headGates: "headmask",
    "key, and value if it is another": "states",
    "cache, from createCache": "past kvcache usecache",
    ...ATTENTION_NAMES,
  },
  places: [...ATTENTION_PLACES, "averageWeights"],
  reads: "accumulate",
};

/**
 * Options that have been read.
 * @internal
 */
export type GivenForward = Given<MultiHeadForwardOptions<PlaceTensor>>;
