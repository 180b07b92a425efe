/** What a cache is made for: its options, read once and checked. */
import { integer, knownOptions, oneOf, wrongValue } from "../check.js";
import { MAX_POSITION } from "../ops/attentionCall.js";

/** What a cache is made for. */
export interface KVCacheOptions {
  /** Sequences. Default 1. */
  batchSize?: number | undefined;
  /** Key/value heads. */
  numKvHeads: number;
  /** Elements of a key. */
  headDim: number;
  /** Elements of a value. Default headDim. */
  valueDim?: number | undefined;
  /** Most keys of a sequence; with policy "rolling" those of the window and of one append. */
  capacity: number;
  /** What happens when it is full: "append" throws a RangeError, "rolling" gives up keys that the window has left. Default "append". */
  policy?: "append" | "rolling" | undefined;
  /** Keys before its own that a row sees, and itself. Needed for "rolling", otherwise the default of `attend`, unlimited. */
  window?: number | undefined;
  /** First keys that the window doesn't hide and that are never given up (StreamingLLM, arXiv:2309.17453). Default 0. */
  sinkTokens?: number | undefined;
}

type Policy = "append" | "rolling";
/** @internal */
export type CacheConfig = Required<{ [K in keyof Omit<KVCacheOptions, "policy" | "window">]: number }> & {
  readonly policy: Policy;
  readonly window: number | undefined;
};

const OPTIONS = ["batchSize", "numKvHeads", "headDim", "valueDim", "capacity", "policy", "window", "sinkTokens"];
const POLICIES = ["append", "rolling"] as const;
const MAX_SIZE = 2 ** 20;

/**
 * Checks what a cache shall be.
 * @internal
 */
export function readCacheConfig(operation: string, options: KVCacheOptions): CacheConfig {
  knownOptions(operation, options, OPTIONS);
  const { batchSize = 1, numKvHeads, headDim, valueDim = headDim, capacity, policy = "append", window, sinkTokens = 0 } = options;
  const size = (name: string, value: unknown, least = 1, most = MAX_SIZE): number => integer(operation, name, value, least, most);
  const config = {
    batchSize: size("batchSize", batchSize),
    numKvHeads: size("numKvHeads", numKvHeads),
    headDim: size("headDim", headDim),
    valueDim: size("valueDim", valueDim),
    capacity: size("capacity", capacity, 1, MAX_POSITION),
    policy: oneOf<Policy>(operation, "policy", policy, POLICIES),
    window: window === undefined ? undefined : size("window", window, 0, MAX_POSITION),
    sinkTokens: size("sinkTokens", sinkTokens, 0, MAX_POSITION),
  };
  if (config.policy === "rolling") {
    if (config.window === undefined) throw wrongValue(operation, '"window" is missing, which policy "rolling" needs');
    if (config.window >= config.capacity) {
      throw wrongValue(operation, `"capacity" is ${config.capacity}, expected at least window + 1 = ${config.window + 1}`);
    }
  }
  return config;
}
