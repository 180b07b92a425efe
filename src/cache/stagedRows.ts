/** Rows being added to a cache: they have room, and attention may see them, but they count only after `keep`. */
import type { Call } from "../call/call.js";
import type { CachedKeys } from "../attention/shape.js";
import { MAX_POSITION, wrongValue } from "../check.js";
import type { CacheConfig } from "./cacheConfig.js";
import { blocksOf, type KeySequences, type KeySpan, type MadeBlock, writeBlocks } from "./keySequences.js";
import { type Rows, transferRows } from "./transferRows.js";

export class StagedRows {
  readonly #call: Call;
  readonly #config: CacheConfig;
  readonly #sequences: KeySequences;
  readonly #spans: readonly KeySpan[];
  readonly #made: readonly MadeBlock[];

  /**
   * On failure nothing has changed.
   * @throws {RangeError} not enough memory
   */
  constructor(call: Call, config: CacheConfig, sequences: KeySequences, spans: readonly KeySpan[]) {
    this.#call = call;
    this.#config = config;
    this.#sequences = sequences;
    this.#spans = spans;
    this.#made = sequences.makeRoom(call.operation, spans);
  }

  /**
   * Makes room for `counts` more rows of each sequence. On failure nothing has changed.
   * @throws {RangeError} more keys than `capacity`, or not enough memory
   */
  static stage(call: Call, config: CacheConfig, sequences: KeySequences, counts: readonly number[]): StagedRows {
    const { operation } = call;
    const { capacity, policy, window } = config;
    const spans = sequences.list.map((sequence, batch): KeySpan => {
      const { length } = sequence;
      const count = counts[batch]!;
      const kept = policy === "rolling" ? window! : length;
      const what = policy === "rolling" ? "in and after its window" : "in all";
      if (kept + count > capacity) {
        throw wrongValue(
          operation,
          `sequence ${batch} would have ${kept} + ${count} = ${kept + count} keys ${what}, but capacity is ${capacity}`,
        );
      }
      if (length + count > MAX_POSITION) throw wrongValue(operation, `sequence ${batch} would exceed position ${MAX_POSITION}`);
      return { sequence, first: length, end: length + count };
    });
    return new StagedRows(call, config, sequences, spans);
  }

  /**
   * Writes them to their blocks; `keep` or `undo` must follow.
   * @throws {RangeError} not enough memory, or a number that the cache's dtype cannot store
   */
  write(rows: Rows): void {
    transferRows(this.#call, "appendKeys", this.#config, this.#spans, rows);
  }

  /** Writes rows that count at once. On failure nothing has changed. */
  writeAndKeep(rows: Rows): void {
    try {
      this.write(rows);
    } catch (error) {
      this.undo();
      throw error;
    }
    this.keep();
  }

  /** Makes them count; a rolling cache evicts blocks that no later row sees. */
  keep(): void {
    const { policy, window, sinkTokens } = this.#config;
    this.#sequences.keep(this.#made);
    for (const { sequence, first, end } of this.#spans) {
      sequence.length = end;
      if (policy === "rolling") this.#sequences.evict(sequence, sinkTokens, first - window!);
    }
  }

  /** Leaves the cache as it was. */
  undo(): void {
    this.#sequences.undo(this.#made);
  }
}

/** Sequences as attention sees them with `lengths` keys. */
export function cachedKeys(
  { batchSize, numKvHeads, headDim, valueDim, dtype }: CacheConfig,
  { list }: KeySequences,
  lengths: readonly number[],
): CachedKeys {
  const blocksPerSequence = blocksOf(lengths.reduce((most, length) => Math.max(most, length), 0));
  return {
    batchSize,
    numKvHeads,
    headDim,
    valueDim,
    lengths,
    blocksPerSequence,
    isInt8: dtype === "int8",
    writeBlocks: (i32, word) => {
      for (const [batch, sequence] of list.entries()) {
        writeBlocks(sequence, blocksPerSequence, i32, word + batch * blocksPerSequence);
      }
    },
  };
}
