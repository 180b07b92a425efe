/** Ranges of a cache's keys as callers give them, and the keys that a rolling cache has evicted from them. */
import { counted, type Integers, integer, integersOf, isNumeric, MAX_POSITION, optional, wrongValue } from "../check.js";
import type { SequenceParams } from "../runtime/abi.generated.js";
import type { CacheConfig } from "./cacheConfig.js";
import { type KeySequence, type KeySpan, sinkEndOf } from "./keySequences.js";

/** One number of keys for all sequences, or one for each. */
type Counts = number | bigint | Integers;

/** Numbers of keys, one for each sequence. */
export const countsOf = (operation: string, name: string, counts: Counts, batchSize: number): number[] =>
  isNumeric(counts)
    ? new Array<number>(batchSize).fill(integer(operation, name, counts, 0, MAX_POSITION))
    : integersOf(operation, name, counts, batchSize, 0, MAX_POSITION);

/** The keys `from` to `to` − 1 of each sequence; an absent `to` is the length. */
export interface KeyRanges {
  readonly from: readonly number[];
  readonly to: readonly number[] | undefined;
}

export const readRanges = (operation: string, from: Counts, to: Counts | undefined | null, batchSize: number): KeyRanges => ({
  from: countsOf(operation, "from", from, batchSize),
  to: optional(to, (counts) => countsOf(operation, "to", counts, batchSize)),
});

/**
 * The ranges in sequences that nothing changes any more.
 *
 * @param isKept  whether keys before evicted ones may be in them
 * @throws {RangeError} keys that a sequence does not have, or has evicted
 */
export function spansOf(
  operation: string,
  { from, to }: KeyRanges,
  sequences: readonly KeySequence[],
  config: CacheConfig,
  isKept: boolean,
): KeySpan[] {
  return sequences.map((sequence, batch) => {
    const { length, evicted } = sequence;
    const [first, end] = [from[batch]!, to?.[batch] ?? length];
    if (first > end || end > length) {
      throw wrongValue(
        operation,
        `"from" ${first} and "to" ${end} must be in order and within the ${length} keys of sequence ${batch}`,
      );
    }
    const evictedFrom = isKept ? sinkEndOf(sequence, config) : 0;
    if (first < end && first < evicted && end > evictedFrom) {
      const keys = `keys ${evictedFrom} to ${evicted - 1} of sequence ${batch}`;
      throw wrongValue(operation, `"from" is ${first}, but ${keys} have been evicted or come before evicted ones`);
    }
    return { sequence, first, end };
  });
}

/** Refuses lengths whose next row would see evicted keys. */
export function assertContinues(
  operation: string,
  { policy, window }: CacheConfig,
  sequences: readonly KeySequence[],
  lengths: readonly number[],
): void {
  for (const [batch, sequence] of sequences.entries()) {
    const length = lengths[batch]!;
    if (policy === "rolling" && length !== sequence.length && length - window! < sequence.evicted && sequence.evicted > 0) {
      throw wrongValue(
        operation,
        `the window of row ${length} starts before key ${sequence.evicted}, and earlier keys of sequence ${batch} have been evicted`,
      );
    }
  }
}

/** Refuses rows that would see evicted keys, or for want of keys none at all. */
export function assertVisible(
  operation: string,
  { policy, window }: CacheConfig,
  sequences: readonly KeySequence[],
  rows: readonly SequenceParams[],
  needsKeys: boolean,
): void {
  for (const { batch, queryLength, queryOffset } of rows) {
    const { length, evicted } = sequences[batch]!;
    if (needsKeys && queryOffset < 0) {
      throw wrongValue(
        operation,
        `"q" has ${counted(queryLength, "row")} of sequence ${batch}, which has ${counted(length, "key")}; append their keys first`,
      );
    }
    if (policy === "rolling" && evicted > 0 && queryLength > 0 && queryOffset - window! < evicted) {
      throw wrongValue(
        operation,
        `the window of row 0 of sequence ${batch} starts at key ${queryOffset - window!}, but keys before ${evicted} have been evicted`,
      );
    }
  }
}
