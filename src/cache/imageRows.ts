/** The rows of a cache to and from the bytes of its image. */
import type { Call } from "../call/call.js";
import { ownArray } from "../call/operand.js";
import type { OwnUint8Array } from "../call/tensor.js";
import type { CacheConfig } from "./cacheConfig.js";
import { type CacheImage, type RowArrays, writeImage } from "./cacheImage.js";
import type { KeySequences, KeySpan } from "./keySequences.js";
import { StagedRows } from "./stagedRows.js";
import { type Rows, transferRows } from "./transferRows.js";

/** @throws {RangeError} not enough memory */
export const serializeKeys = (call: Call, config: CacheConfig, { list }: KeySequences): OwnUint8Array =>
  writeImage(config, list, (span, rows) => transferRows(call, "readKeys", config, [span], rowsOf(config, span, rows, true)));

/**
 * Writes the rows of an image to empty sequences.
 * @throws {RangeError} not enough memory
 */
export function restoreKeys(call: Call, { config, sequences }: CacheImage, restored: KeySequences): void {
  for (const [index, { length, evicted, pieces }] of sequences.entries()) {
    const sequence = restored.list[index]!;
    sequence.evicted = evicted;
    for (const { first, end, rows } of pieces) {
      const span = { sequence, first, end };
      new StagedRows(call, config, restored, [span]).writeAndKeep(rowsOf(config, span, rows, false));
    }
    sequence.length = length;
  }
}

/** The rows of a span in arrays of an image, to be read or to be written. */
function rowsOf(
  { numKvHeads, headDim, valueDim }: CacheConfig,
  { first, end }: KeySpan,
  { k, v, scales }: RowArrays,
  areResults: boolean,
): Rows {
  return {
    k: ownArray("k", k, areResults, [1, end - first, numKvHeads, headDim]),
    v: ownArray("v", v, areResults, [1, end - first, numKvHeads, valueDim]),
    ...(scales && {
      keyScales: ownArray("keyScales", scales.k, areResults),
      valueScales: ownArray("valueScales", scales.v, areResults),
    }),
    layout: "bshd",
  };
}
