/** Rotary embeddings: the positions of rows, read once and checked, and their rotation in the engine's memory. */
import { writeRotaryParams, writeRotaryTablesParams } from "../runtime/fullAbi.generated.js";
import type { Call } from "../call/call.js";
import type { Strides } from "../call/layout.js";
import {
  describe,
  integer,
  oneOf,
  wrongKind,
  wrongValue,
  type Integers,
  integersOf,
  isNumeric,
  isAbsent,
  MAX_POSITION,
  isObject,
} from "../check.js";
import { wholeLines } from "../runtime/arena.js";
import { runWritten } from "../call/launch.js";
import { frequencyBytes, writeFrequencies } from "./frequencies.js";
import type { Rotary } from "./rotaryConfig.js";

/** The positions of the rows, and the direction of rotation. */
export interface RotaryPositions {
  /** Position of row 0, for all sequences or for each [batch]. Default 0. */
  offset?: number | bigint | Integers | null | undefined;
  /** Position of each row [seqLen], or of each row of each sequence [batch · seqLen], instead of `offset`. */
  positions?: Integers | null | undefined;
  /** Whether rows are rotated back. Default false. */
  inverse?: boolean | null | undefined;
}

/**
 * Sizes of the rows to rotate.
 * @internal
 */
export interface RotaryRows {
  readonly batchSize: number;
  readonly seqLen: number;
  readonly numHeads: number;
  readonly headDim: number;
}

/**
 * The row of the tables that each row uses, and the position of each row of computed tables.
 * @internal
 */
export interface RotaryAngleRows {
  /** [batchSize, seqLen] */
  readonly tableRows: ArrayLike<number>;
  /** The positions of tables that are computed for the call; empty if tables are given. */
  readonly positions: ArrayLike<number>;
  readonly isInverse: boolean;
}

/**
 * Reads the positions of rows. Sequences with the same positions use the same rows of the tables.
 * @internal
 */
export function readAngleRows(
  operation: string,
  { offset = 0, positions, inverse = false }: RotaryPositions,
  { batchSize, seqLen, numHeads }: Omit<RotaryRows, "headDim">,
  { tables }: Rotary,
): RotaryAngleRows {
  const isInverse = oneOf(operation, "inverse", inverse, [true, false]);
  const last = (tables ? tables.cos.dims[0]! : MAX_POSITION) - 1;
  const tokens = batchSize * seqLen;
  const isEmpty = tokens * numHeads === 0; // then no row needs a position, however large seqLen is
  let rowPositions: ArrayLike<number>; // one sequence for all, or each sequence
  if (!isAbsent(positions)) {
    if (offset !== 0 && offset !== 0n)
      throw wrongKind(operation, '"offset" cannot be combined with "positions", which give every position');
    const length = isObject(positions) ? positions.length : undefined;
    const isShared = length === seqLen;
    if (length !== undefined && !isShared && length !== tokens) {
      const each = `${batchSize} × ${seqLen} = ${tokens}`;
      throw wrongValue(
        operation,
        `"positions" has length ${describe(length)}, expected seqLen = ${seqLen} or batch × seqLen = ${each}`,
      );
    }
    rowPositions = integersOf(operation, "positions", positions, length, 0, last);
  } else {
    const most = Math.max(0, last - Math.max(0, seqLen - 1));
    const offsets = isNumeric(offset)
      ? [integer(operation, "offset", offset, 0, most)]
      : integersOf(operation, "offset", offset, batchSize, 0, most);
    if (seqLen > last + 1) throw wrongValue(operation, `"tables" hold ${last + 1} positions, expected at least seqLen = ${seqLen}`);
    rowPositions = isEmpty ? [] : consecutive(offsets, seqLen);
  }
  if (isEmpty) return { tableRows: [], positions: [], isInverse };
  const isShared = rowPositions.length === seqLen;
  const tableRows = new Int32Array(tokens);
  for (let token = 0; token < tokens; token++) {
    const row = isShared ? token % seqLen : token;
    tableRows[token] = tables ? rowPositions[row]! : row;
  }
  return { tableRows, positions: tables ? [] : rowPositions, isInverse };
}

/** `length` positions from each first one on. */
function consecutive(firsts: readonly number[], length: number): Int32Array {
  const positions = new Int32Array(firsts.length * length);
  for (const [index, first] of firsts.entries()) {
    for (let i = 0; i < length; i++) positions[index * length + i] = first + i;
  }
  return positions;
}

/**
 * Bytes of scratch that `rotateRows` needs, not counting operands.
 * @internal
 */
export const rotaryBytes = ({ rotaryDim }: Rotary, { tableRows, positions }: RotaryAngleRows): number =>
  wholeLines(4 * tableRows.length) +
  wholeLines(4 * positions.length) +
  frequencyBytes(rotaryDim) +
  2 * wholeLines(2 * rotaryDim * positions.length);

/** Multiply-adds of a cosine and a sine, and of a channel, roughly. */
const ANGLE_WORK = 40;
const CHANNEL_WORK = 2;

/**
 * Rows in the engine's memory; `out` may be `x` itself.
 * @internal
 */
export interface RotaryTarget extends RotaryRows {
  readonly x: number;
  readonly out: number;
  readonly xStrides: Strides;
  readonly outStrides: Strides;
}

/**
 * Computes the cosines and sines of some positions; `frequencies` has `frequencyBytes`.
 * @internal
 */
export function computeTables(
  call: Call,
  rotary: Pick<Rotary, "rotaryDim" | "base" | "scaling">,
  rows: number,
  ptrs: { readonly cos: number; readonly sin: number; readonly positions: number; readonly frequencies: number },
): void {
  const { rotaryDim } = rotary;
  writeFrequencies(call.runtime, rotary, ptrs.frequencies);
  writeRotaryTablesParams(call.runtime.memory, call.runtime.jobPtr, { ...ptrs, rows, pairs: rotaryDim / 2 });
  runWritten(call, ["rotaryTables"], ANGLE_WORK * rows * rotaryDim);
}

/**
 * Rotates rows in the engine's memory, where the tables, if given, already lie.
 *
 * @param ptr  `rotaryBytes` of scratch
 * @internal
 */
export function rotateRows(
  call: Call,
  { rotaryStart, rotaryDim, isInterleaved, base, scaling, tables }: Rotary,
  { tableRows, positions, isInverse }: RotaryAngleRows,
  { x, out, batchSize, seqLen, numHeads, headDim, xStrides, outStrides }: RotaryTarget,
  ptr: number,
): void {
  const rows = batchSize * seqLen;
  if (rows * numHeads === 0) return;
  const { memory } = call.runtime;
  const positionsPtr = ptr + wholeLines(4 * rows);
  const frequencies = positionsPtr + wholeLines(4 * positions.length);
  const cos = tables?.cos.ptr ?? frequencies + frequencyBytes(rotaryDim);
  const sin = tables?.sin.ptr ?? cos + wholeLines(2 * rotaryDim * positions.length);
  memory.i32.set(tableRows, ptr >>> 2);
  memory.i32.set(positions, positionsPtr >>> 2);
  if (!tables) {
    const ptrs = { cos, sin, positions: positionsPtr, frequencies };
    computeTables(call, { rotaryDim, base, scaling }, positions.length, ptrs);
  }
  writeRotaryParams(memory, call.runtime.jobPtr, {
    x,
    out,
    cos,
    sin,
    tableRows: ptr,
    batchSize,
    seqLen,
    numHeads,
    headDim,
    rotaryStart,
    rotaryDim,
    xRowStride: xStrides.row,
    xHeadStride: xStrides.head,
    xBatchStride: xStrides.batch,
    outRowStride: outStrides.row,
    outHeadStride: outStrides.head,
    outBatchStride: outStrides.batch,
    isInterleaved: Number(isInterleaved),
    isInverse: Number(isInverse),
  });
  runWritten(call, ["rotary"], CHANNEL_WORK * rows * numHeads * headDim);
}
