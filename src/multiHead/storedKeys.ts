/** Keys that a layer attends to without projecting them again: an encoder's memory, or a cache of earlier rows. */
import type { Call } from "../call/call.js";
import type { GivenForward } from "./forwardOptions.js";
import { oneOf, wrongMoment, wrongValue, integersOf, isAbsent } from "../check.js";
import type { CachedKeys } from "../attention/shape.js";
import { KVCache } from "../cache/kvCache.js";
import type { RowSizes } from "./layerRows.js";
import type { MultiHeadConfig } from "./config.js";

/** Options that memory and a cache set themselves. */
const OWN_OPTIONS = {
  memory: ["keyLengths", "keyStarts", "cuSeqlensQ", "cuSeqlensK"],
  cache: ["queryOffset", "keyLengths", "keyStarts", "cuSeqlensQ", "cuSeqlensK"],
} as const;

/** For memory that a layer with extra keys made: the number of extra keys, which come last, and of all keys. */
const madeWithExtraKeys = new WeakMap<KVCache, { readonly extraKeys: number; readonly rows: number }>();

/** Records that the last `extraKeys` of the `rows` keys of memory are extra keys. */
export function noteExtraKeys(memory: KVCache, extraKeys: number, rows: number): void {
  if (extraKeys > 0) madeWithExtraKeys.set(memory, { extraKeys, rows });
}

export interface StoredKeys {
  /** As attention will see them. */
  readonly keys: CachedKeys;
  /** The options that they set. */
  readonly options: Pick<GivenForward, "window" | "sinkTokens" | "queryLengths" | "causal">;
  /** If they are a cache: the number of rows that each sequence gains. */
  readonly added: { readonly cache: KVCache; readonly counts: readonly number[] } | undefined;
  /** Throws if a getter of the caller's has changed them since. */
  assertUnchanged(): void;
}

/**
 * Reads `memory` or `cache`.
 *
 * @param extraKeys  keys of memory that every row sees, which come last
 */
export function storedKeys(
  call: Call,
  config: MultiHeadConfig,
  extraKeys: number,
  given: GivenForward,
  { batch, rows }: RowSizes,
): StoredKeys | undefined {
  const name = isAbsent(given.memory) ? "cache" : "memory";
  const stored: unknown = given[name];
  if (isAbsent(stored)) return undefined;
  KVCache.assertUsable(call, name, stored);
  const ownOption = OWN_OPTIONS[name].find((option) => !isAbsent(given[option]));
  if (ownOption)
    throw wrongValue(call.operation, `"${ownOption}" cannot be combined with "${name}", which knows the positions of its keys`);
  assertSizes(call.operation, name, config, stored, batch);
  if (name === "memory") assertMemory(call.operation, stored, extraKeys);

  const { policy, window, sinkTokens } = stored.config;
  const contradicted = (["window", "sinkTokens"] as const).find((option) => policy === "rolling" && !isAbsent(given[option]));
  if (contradicted)
    throw wrongValue(call.operation, `"${contradicted}" cannot be combined with a cache of policy "rolling", which has its own`);
  const { changes } = stored;
  const assertUnchanged = (): void => {
    KVCache.assertUsable(call, name, stored);
    if (changes !== stored.changes) throw wrongMoment(call.operation, `"${name}" was changed while the arguments were read`);
  };
  const options = { window: given.window ?? window, sinkTokens: given.sinkTokens ?? sinkTokens };
  if (name === "memory") return { keys: stored.keysWith(), options, added: undefined, assertUnchanged };

  const counts = isAbsent(given.queryLengths)
    ? new Array<number>(batch).fill(rows)
    : integersOf(call.operation, "queryLengths", given.queryLengths, batch, 0, rows);
  const causal = oneOf(call.operation, "causal", given.causal ?? true, [true, false, "lower-right" as const]);
  return {
    keys: stored.keysWith(counts),
    options: { ...options, queryLengths: counts, causal },
    added: { cache: stored, counts },
    assertUnchanged,
  };
}

function assertSizes(operation: string, name: string, layer: MultiHeadConfig, { config }: KVCache, batch: number): void {
  const { numKvHeads, headDim, valueDim } = layer;
  for (const [size, expected] of Object.entries({ batchSize: batch, numKvHeads, headDim, valueDim })) {
    const found = config[size as "batchSize" | "numKvHeads" | "headDim" | "valueDim"];
    const whose = size === "batchSize" ? "the batch of x" : "as in the layer";
    if (found !== expected) throw wrongValue(operation, `"${name}" has ${size} ${found}, expected ${expected}, ${whose}`);
  }
}

function assertMemory(operation: string, memory: KVCache, extraKeys: number): void {
  if (memory.config.policy === "rolling") {
    throw wrongValue(operation, '"memory" has policy "rolling", expected "append", which keeps all keys');
  }
  const made = madeWithExtraKeys.get(memory) ?? { extraKeys: 0, rows: 0 };
  if (made.extraKeys !== extraKeys || (extraKeys > 0 && memory.lengths.some((length) => length !== made.rows))) {
    const keys = extraKeys === 1 ? "1 extra key" : `${extraKeys} extra keys`;
    throw wrongValue(
      operation,
      `"memory" was not made by projectKeys of a layer with ${keys} (biasK and addZeroAttention), or has changed since`,
    );
  }
}
