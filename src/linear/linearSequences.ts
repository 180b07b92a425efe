/** The sequences of a call of linear attention: where their rows lie, and how many keys count. */
import { boundaries } from "../call/boundaries.js";
import { type Integers, integersOf, isAbsent, wrongValue } from "../check.js";
import type { LinearSequenceParams } from "../runtime/fullAbi.generated.js";
import type { LinearShape } from "./linearShape.js";

/** A sequence without the keys of its state. */
export type LinearRows = Omit<LinearSequenceParams, "openKeys">;

interface SequenceOptions {
  readonly keyLengths: Integers | undefined;
  readonly cuSeqlens: Integers | undefined;
}

/**
 * Reads the sequences of a call; a call without rows has none, unless it packs them.
 *
 * @param states  sequences of the state, if there is one
 * @throws {RangeError} lengths or boundaries that do not fit, or another number of sequences than the state has
 * @internal
 */
export function linearSequences(
  operation: string,
  { keyLengths, cuSeqlens }: SequenceOptions,
  { batchSize, seqLen, kvLen }: LinearShape,
  states: number | undefined,
): LinearRows[] {
  if (isAbsent(cuSeqlens)) {
    if (states !== undefined && batchSize !== states)
      throw wrongValue(operation, `"q" has batch ${batchSize}, expected ${states} (as in the state)`);
    const lengths = isAbsent(keyLengths) ? undefined : integersOf(operation, "keyLengths", keyLengths, batchSize, 0, kvLen);
    const count = seqLen === 0 ? 0 : batchSize;
    return Array.from({ length: count }, (_, batch) => ({ batch, start: 0, rows: seqLen, keyLength: lengths?.[batch] ?? kvLen }));
  }
  if (!isAbsent(keyLengths))
    throw wrongValue(operation, '"keyLengths" is for padded sequences and cannot be combined with "cuSeqlens"');
  if (batchSize !== 1) throw wrongValue(operation, `"cuSeqlens" packs sequences into a batch of 1, but q has batch ${batchSize}`);
  if (kvLen !== seqLen) {
    throw wrongValue(operation, `"cuSeqlens" needs a key for each row, but k has ${kvLen} rows and q has ${seqLen}`);
  }
  const found = boundaries(operation, "cuSeqlens", cuSeqlens, seqLen, "seqLen");
  const count = found.length - 1;
  if (states !== undefined && count !== states) {
    throw wrongValue(operation, `"cuSeqlens" packs ${count} sequences, expected ${states} (as in the state)`);
  }
  return found.slice(1).map((end, index) => {
    const start = found[index]!;
    return { batch: 0, start, rows: end - start, keyLength: end - start };
  });
}
