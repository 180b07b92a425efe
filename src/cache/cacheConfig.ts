/** The configuration of a cache: its options, read once and checked. */
import { integer, oneOf, wrongValue, MAX_POSITION } from "../check.js";
import type { Operation } from "../call/operation.js";
import { readOptions } from "../call/readOptions.js";

/** Options of `createKVCache`. */
export interface KVCacheOptions {
  /** Sequences. Default 1. */
  batchSize?: number | null | undefined;
  /** Key/value heads. */
  numKvHeads: number;
  /** Elements of a key; at most 4096 with dtype "int8". */
  headDim: number;
  /** Elements of a value. Default headDim. */
  valueDim?: number | null | undefined;
  /** Most keys of a sequence; with policy "rolling", of its window and one append together. */
  capacity: number;
  /** What happens when it is full: "append" throws a RangeError, "rolling" evicts keys before the window. Default "append". */
  policy?: "append" | "rolling" | null | undefined;
  /**
   * A row sees this many keys before its own, and its own. Required for "rolling"; otherwise the default of `attend`. Default
   * unlimited.
   */
  window?: number | null | undefined;
  /** First keys that the window doesn't hide and that are never evicted (StreamingLLM, arXiv:2309.17453). Default 0. */
  sinkTokens?: number | null | undefined;
  /**
   * Type of the stored keys and values. "int8" takes a quarter of the memory, and a fraction of the time where memory is the
   * limit: each key of a head, and each value, is rounded to 127 steps of its largest element. Default "float32".
   */
  dtype?: "float32" | "int8" | null | undefined;
}

type Policy = "append" | "rolling";
/** @internal */
export type CacheConfig = Required<{ [K in keyof Omit<KVCacheOptions, "policy" | "window" | "dtype">]: number }> & {
  readonly policy: Policy;
  readonly dtype: CacheType;
  readonly window: number | undefined;
};

export const CREATE_KV_CACHE: Operation = {
  name: "createKVCache",
  options: ["batchSize", "numKvHeads", "headDim", "valueDim", "capacity", "policy", "window", "sinkTokens", "dtype"],
  foreign: {
    capacity: "maxlen maxlength seqlen cachelen",
    numKvHeads: "heads",
    headDim: "headsize",
    "window, which does not count the row's own key": "sliding",
    dtype: "quant",
  },
  places: [],
};
export const POLICIES = ["append", "rolling"] as const;
export const CACHE_TYPES = ["float32", "int8"] as const;
type CacheType = (typeof CACHE_TYPES)[number];
/** Sums of products must fit in 32 bits; up to this size queries still have 32 times as many steps as keys. */
const MAX_INT8_HEAD_DIM = 4096;
const MAX_SIZE = 2 ** 20;

/**
 * Reads and checks the options of a cache.
 * @internal
 */
export function readCacheConfig(operation: string, options: KVCacheOptions): CacheConfig {
  const {
    batchSize = 1,
    numKvHeads,
    headDim,
    valueDim = headDim,
    capacity,
    policy = "append",
    window,
    sinkTokens = 0,
    dtype = "float32",
  } = readOptions({ ...CREATE_KV_CACHE, name: operation }, options);
  const size = (name: string, value: unknown, least = 1, most = MAX_SIZE): number => integer(operation, name, value, least, most);
  const config = {
    batchSize: size("batchSize", batchSize),
    numKvHeads: size("numKvHeads", numKvHeads),
    headDim: size("headDim", headDim, 1, dtype === "int8" ? MAX_INT8_HEAD_DIM : MAX_SIZE),
    valueDim: size("valueDim", valueDim),
    capacity: size("capacity", capacity, 1, MAX_POSITION),
    policy: oneOf<Policy>(operation, "policy", policy, POLICIES),
    window: window === undefined ? undefined : size("window", window, 0, MAX_POSITION),
    sinkTokens: size("sinkTokens", sinkTokens, 0, MAX_POSITION),
    dtype: oneOf<CacheType>(operation, "dtype", dtype, CACHE_TYPES),
  };
  if (config.policy === "rolling") {
    if (config.window === undefined) throw wrongValue(operation, '"window" is missing; policy "rolling" needs it');
    if (config.window >= config.capacity) {
      throw wrongValue(operation, `"capacity" is ${config.capacity}, expected at least window + 1 = ${config.window + 1}`);
    }
  }
  return config;
}
