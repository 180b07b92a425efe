/** Rotary embeddings of the heads of a layer: the positions of rows and keys, and their rotation in scratch. */
import { hostNumbers, onScratch } from "../call/scratch.js";
import { assertUnchanged } from "../call/unchanged.js";
import type { Call } from "../call/call.js";
import { stridesOf } from "../call/layout.js";
import { wrongValue } from "../check.js";
import { readOptions } from "../call/readOptions.js";
import { type Operand, scratchTensor } from "../call/operand.js";
import {
  ROTARY_NAMES,
  readRotary,
  type Rotary,
  rotaryBytes,
  type RotaryConfig,
  type RotaryAngleRows,
  rotateRows,
} from "../rows/rotaryCall.js";
import type { AttentionCall } from "../attention/attentionCall.js";

/** Angles of a layer; tables lie in JavaScript's memory. */
export interface LayerAngles extends Omit<Rotary, "tables"> {
  readonly tables: { readonly positions: number; readonly cos: Float32Array; readonly sin: Float32Array } | undefined;
}

/** Reads how a layer rotates its heads. */
export function readAngles(call: Call, config: RotaryConfig, headDim: number): LayerAngles {
  const known = { name: call.operation, options: ["base", "rotaryDim", "interleaved", "tables"], foreign: ROTARY_NAMES };
  const { tables, ...rotary } = readRotary(call, readOptions(known, config, "rotary"), headDim);
  if (!tables) return { ...rotary, tables: undefined };
  const { cos, sin } = tables;
  assertUnchanged(call, [cos, sin]);
  const numbers = { cos: hostNumbers(call, cos), sin: hostNumbers(call, sin) };
  return { ...rotary, tables: { positions: cos.dims[0]!, ...numbers } };
}

/** Angles whose tables lie at two addresses. */
export function anglesAt({ tables, ...rotary }: LayerAngles, cos: number | undefined, sin: number | undefined): Rotary {
  if (!tables) return { ...rotary, tables: undefined };
  const table = (ptr: number | undefined): Operand => ({
    ...scratchTensor("tables", [tables.positions, rotary.rotaryDim / 2]),
    ptr: ptr!,
  });
  return { ...rotary, tables: { cos: table(cos), sin: table(sin) } };
}

/** Positions of the query rows [batch, seqLen]; 0 for rows that don't count. */
export function queryPositions({ shape, sequences }: Pick<AttentionCall, "shape" | "sequences">): number[] {
  const positions = new Array<number>(shape.batchSize * shape.seqLen).fill(0);
  for (const { batch, queryStart, queryLength, queryOffset } of sequences) {
    const first = batch * shape.seqLen + queryStart;
    for (let row = 0; row < queryLength; row++) positions[first + row] = queryOffset + row;
  }
  return positions;
}

/** Positions of keys [batch, rows], counted from the first key of their sequence. */
export function keyPositions({ shape, sequences }: Pick<AttentionCall, "shape" | "sequences">, rows: number): number[] {
  if (sequences.length === 0) return [];
  const positions = new Array<number>(shape.batchSize * rows).fill(0);
  for (const { batch, keyStart, keyLength } of sequences) {
    const first = batch * rows + keyStart;
    for (let key = 0; key < keyLength; key++) positions[first + key] = key;
  }
  return positions;
}

/**
 * Positions as rows of tables: those of the layer, or computed ones with a row for each distinct position.
 * @throws {RangeError} a position without an angle
 */
export function angleRowsOf(operation: string, angles: LayerAngles, positions: readonly number[]): RotaryAngleRows {
  const { tables } = angles;
  for (const position of positions) {
    if (position < 0) {
      throw wrongValue(
        operation,
        `a row would be at position ${position}, before the first key, where rotary has no angle; give "queryOffset"`,
      );
    }
    if (tables && position >= tables.positions) {
      throw wrongValue(
        operation,
        `a row would be at position ${position}, but the tables of rotary end at ${tables.positions - 1}`,
      );
    }
  }
  if (tables) return { tableRows: positions, positions: [], isInverse: false };
  const rows = new Map<number, number>();
  for (const position of positions) if (!rows.has(position)) rows.set(position, rows.size);
  return { tableRows: positions.map((position) => rows.get(position)!), positions: [...rows.keys()], isInverse: false };
}

/** Rotates the heads of x [batch, rows, heads, headDim] in place. */
export function rotateInPlace(call: Call, rotary: Rotary, angleRows: RotaryAngleRows, { ptr, dims, count }: Operand): void {
  if (count === 0) return;
  const [batchSize, seqLen, numHeads, headDim] = dims as [number, number, number, number];
  const strides = stridesOf("bshd", seqLen, numHeads, headDim);
  onScratch(call, [], rotaryBytes(rotary, angleRows), (scratch) => {
    const rows = { batchSize, seqLen, numHeads, headDim, xStrides: strides, outStrides: strides };
    rotateRows(call, rotary, angleRows, { ...rows, x: ptr, out: ptr }, scratch);
  });
}
