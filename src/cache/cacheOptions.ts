/** The operations of a cache and their options. */
import { ATTENTION_NAMES } from "../attention/foreignNames.js";
import { ATTENTION_OPTIONS, ATTENTION_PLACES, type AttentionOptions } from "../attention/options.js";
import type { Layout } from "../call/layout.js";
import type { Operation } from "../call/operation.js";
import type { Float32Tensor, PlaceTensor } from "../call/tensor.js";
import type { Integers } from "../check.js";
import type { RotaryConfig } from "../rows/rotaryConfig.js";
import type { CacheConfig } from "./cacheConfig.js";

/** Options of `append`. */
export interface AppendOptions {
  /** Order of axes of k and v, as in attention. Default "bshd". */
  layout?: Layout | null | undefined;
  /** Rows that each sequence [batch] receives; those beyond are left out. Default all. */
  keyLengths?: Integers | null | undefined;
}

/** Options of `read`. */
export interface ReadOptions {
  /** Order of axes of the results, as in attention. Default "bshd". */
  layout?: Layout | null | undefined;
}

/** Options of `remove`. */
export interface RemoveOptions {
  /**
   * How keys were rotated by their positions before they were appended, as in `engine.rotary` and in layers: later keys are then rotated
   * to their new positions. Angles must be proportional to positions, as scaled ones are, and `tables` have a row more than keys are removed. For engines of
   * `headwise`, not of `headwise/attention`. Default no rotation.
   */
  rotary?: RotaryConfig | null | undefined;
}

/** Options of attention that the cache itself sets. */
const OWN_OPTIONS = ["numKvHeads", "keyLengths", "keyStarts", "cuSeqlensQ", "cuSeqlensK"] as const;
type OwnOption = (typeof OWN_OPTIONS)[number];

/** Options of `attend`: those of attention, except for those that the cache sets. */
export type CachedAttentionOptions<Out extends PlaceTensor = Float32Tensor> = Omit<AttentionOptions<Out>, "causal" | OwnOption> & {
  /** Whether a row sees no key after its own. Default true. */
  causal?: boolean | "lower-right" | null | undefined;
};

export const APPEND: Operation = { name: "KVCache.append", options: ["layout", "keyLengths"], places: [] };
export const READ: Operation = { name: "KVCache.read", options: ["layout"], places: [] };
export const REMOVE: Operation = { name: "KVCache.remove", options: ["rotary"], places: [] };
export const ATTEND = onCache({
  name: "KVCache.attend",
  options: ATTENTION_OPTIONS,
  foreign: ATTENTION_NAMES,
  places: ATTENTION_PLACES,
});

type Policy = CacheConfig["policy"];

const known = new Map<Operation, Readonly<Record<Policy, Operation>>>();

/**
 * An operation of attention as it is on a cache of this policy: without the options that the cache sets.
 * @internal
 */
export function operationOn(operation: Operation, policy: Policy): Operation {
  const found = known.get(operation) ?? byPolicy(onCache(operation));
  known.set(operation, found);
  return found[policy];
}

function onCache(operation: Operation): Operation {
  return {
    ...operation,
    options: operation.options.filter((name) => !OWN_OPTIONS.includes(name as OwnOption)),
    foreign: {
      ...operation.foreign,
      "the cache knows it": "numkvheads kvnumheads keylengths keystarts cuseqlensq cuseqlensk window sinktokens",
    },
  };
}

/** With policy "rolling" the cache sets the window, too. */
const byPolicy = (operation: Operation): Readonly<Record<Policy, Operation>> => ({
  append: operation,
  rolling: { ...operation, options: operation.options.filter((name) => name !== "window" && name !== "sinkTokens") },
});
