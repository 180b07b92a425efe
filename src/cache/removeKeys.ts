/** Removes keys from the middle of sequences: later ones move up, block by block, and are rotated to their new positions if requested. */
import type { Call } from "../call/call.js";
import { type Operand, scratchTensor } from "../call/operand.js";
import { onScratch } from "../call/scratch.js";
import { BLOCK } from "../runtime/abi.generated.js";
import { wholeLines } from "../runtime/arena.js";
import type { CacheConfig } from "./cacheConfig.js";
import type { KeyRotation } from "./keyRotation.js";
import type { KeySequences, KeySpan } from "./keySequences.js";
import { type Rows, transferBytes, transferPlaced } from "./transferRows.js";

/** The places of the later keys of a sequence, and how far they move up to them. */
interface Move extends KeySpan {
  readonly distance: number;
  readonly rotation: KeyRotation | undefined;
}

/**
 * Removes the spans. On failure nothing has changed.
 *
 * @param rotationBy  rotates keys to positions that are earlier by a distance
 * @throws {RangeError} not enough memory, and what `rotationBy` throws
 */
export function removeKeys(
  call: Call,
  config: CacheConfig,
  sequences: KeySequences,
  spans: readonly KeySpan[],
  rotationBy: ((distance: number) => KeyRotation) | undefined,
): void {
  const moves = spans
    .filter(({ sequence, first, end }) => first < end && end < sequence.length)
    .map(({ sequence, first, end }): Move => {
      const distance = end - first;
      return { sequence, first, end: sequence.length - distance, distance, rotation: rotationBy?.(distance) };
    });
  const made = sequences.makeRoom(call.operation, moves);
  try {
    if (moves.length > 0) moveKeys(call, config, moves);
  } catch (error) {
    sequences.undo(made);
    throw error;
  }
  sequences.keep(made);
  for (const { sequence, first, end } of spans) sequences.truncate(sequence, sequence.length - (end - first));
}

/** Moves keys within their sequences. All memory is there before the first one moves. */
function moveKeys(call: Call, config: CacheConfig, moves: readonly Move[]): void {
  const { numKvHeads, headDim, valueDim, dtype } = config;
  const isInt8 = dtype === "int8";
  const rowsBytes = (dim: number): number => wholeLines(BLOCK * numKvHeads * dim * (isInt8 ? 1 : 4));
  const scalesBytes = 4 * BLOCK * numKvHeads;
  const rotationBytes = moves.reduce((most, { rotation }) => Math.max(most, wholeLines(rotation?.bytes ?? 0)), 0);
  const longest = moves.map(({ sequence }) => ({ sequence, first: 0, end: sequence.length }));
  const bytes = rowsBytes(headDim) + rowsBytes(valueDim) + 2 * scalesBytes + rotationBytes + transferBytes(call, config, longest);
  onScratch(call, [], bytes, (kPtr) => {
    const vPtr = kPtr + rowsBytes(headDim);
    const keyScales = vPtr + rowsBytes(valueDim);
    const valueScales = keyScales + scalesBytes;
    const rotationPtr = valueScales + scalesBytes;
    const ptr = rotationPtr + rotationBytes;
    for (const { sequence, first, end, distance, rotation } of moves) {
      for (let key = first, next; key < end; key = next) {
        next = Math.min(end, (Math.floor(key / BLOCK) + 1) * BLOCK); // whole panels are written
        const count = next - key;
        const placed = (ptr: number, ...channels: number[]): Operand => ({
          ...scratchTensor("rows", [1, count, numKvHeads, ...channels]),
          ptr,
        });
        const scales = isInt8 && { keyScales: placed(keyScales), valueScales: placed(valueScales) };
        const rows: Rows = { k: placed(kPtr, headDim), v: placed(vPtr, valueDim), ...scales, layout: "bshd" };
        transferPlaced(call, "readKeys", config, [{ sequence, first: key + distance, end: next + distance }], rows, ptr);
        rotation?.rotate(count * numKvHeads, kPtr, isInt8 ? keyScales : 0, rotationPtr);
        transferPlaced(call, "appendKeys", config, [{ sequence, first: key, end: next }], rows, ptr);
      }
    }
  });
}
