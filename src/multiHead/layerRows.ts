/** Rows of a layer: [batch, rows, channels], [rows, batch, channels] where the sequence comes first, or [rows, channels]. */
import type { Call } from "../call/call.js";
import { show, wrongKind, wrongValue, isAbsent } from "../check.js";
import { type Operand } from "../call/operand.js";
import { stridesUnder } from "../call/broadcast.js";
import { gapsOf } from "../call/view.js";
import type { MultiHeadConfig, RowOrder } from "./config.js";

/** Rows that keys and values are made of. */
export interface SourceRows {
  readonly key: Operand;
  readonly value: Operand;
  /** Of each sequence. */
  readonly rows: number;
}

/** Sizes of [batch, rows, channels], or of [rows, channels]. */
export interface RowSizes {
  readonly batch: number;
  readonly rows: number;
}

/** Sizes of rows in the caller's order as [batch, rows, channels], and the other way round. */
export const reordered = <T>(layout: RowOrder, axes: readonly T[]): T[] =>
  layout === "sequenceFirst" && axes.length === 3 ? [axes[1]!, axes[0]!, axes[2]!] : [...axes];

/** An operand of rows in the caller's order as [batch, rows, channels]; it is copied, unless the elements lie so. */
export function batchFirst(layout: RowOrder, operand: Operand): Operand {
  if (layout === "batchFirst") return operand;
  const dims = reordered(layout, operand.dims);
  const strides = gapsOf(dims, reordered(layout, operand.strides ?? stridesUnder(operand.dims, dims.length)));
  if (operand.isOutside || !strides) return { ...operand, dims, strides };
  return { ...operand, dims, strides, isOutside: true, data: operand.tensor!.data, viewOffset: operand.ptr };
}

/** Puts an operand of a call in the place of another. */
function replace(call: Call, old: Operand, operand: Operand): Operand {
  call.operands[call.operands.indexOf(old)] = operand;
  return operand;
}

/** Reads rows of `channels` numbers; the operand is [batch, rows, channels]. */
export function readRows(
  call: Call,
  layout: RowOrder,
  name: string,
  value: unknown,
  channels: number,
  axis: string,
): { operand: Operand } & RowSizes {
  const given = call.numbers(name, value);
  const { dims } = given;
  const outer = reordered(layout, ["batch", "seq", ""]).slice(0, 2).join(", ");
  if (dims.length === 4) {
    throw wrongValue(
      call.operation,
      `"${name}" has dims ${show(dims)}, expected [${outer}, ${axis}]: the layer splits rows into heads itself`,
    );
  }
  if ((dims.length !== 3 && dims.length !== 2) || dims.at(-1) !== channels) {
    throw wrongValue(
      call.operation,
      `"${name}" has dims ${show(dims)}, expected [${outer}, ${channels}] or [seq, ${channels}] (${axis} is ${channels})`,
    );
  }
  const operand = replace(call, given, batchFirst(layout, given));
  const [batch, rows] = dims.length === 2 ? [1, dims[0]!] : [operand.dims[0]!, operand.dims[1]!];
  return { operand, batch, rows };
}

/** Reads the place of the result; `dims` are [batch, rows, channels], as the operand's are. */
export function readRowsPlace(call: Call, layout: RowOrder, value: unknown, dims: readonly number[], axes: string): Operand {
  const given = call.place("out", value, reordered(layout, dims), axes);
  return replace(call, given, batchFirst(layout, given));
}

/** Reads the rows that keys and values are made of. */
export function readSource(call: Call, { kDim, vDim, layout }: MultiHeadConfig, keyOption: unknown, valueOption: unknown) {
  const key = readRows(call, layout, "key", keyOption, kDim, "kDim");
  if (isAbsent(valueOption) && vDim !== kDim) {
    throw wrongKind(
      call.operation,
      `"value" is missing: values are projected from vDim ${vDim} numbers, but "key" has kDim ${kDim}`,
    );
  }
  const value = isAbsent(valueOption) ? key : readRows(call, layout, "value", valueOption, vDim, "vDim");
  if (value.operand.dims.length !== key.operand.dims.length || value.batch !== key.batch || value.rows !== key.rows) {
    const expected = reordered(layout, [...key.operand.dims.slice(0, -1), vDim]);
    throw wrongValue(
      call.operation,
      `"value" has dims ${show(reordered(layout, value.operand.dims))}, expected ${show(expected)} (same batch and rows as "key")`,
    );
  }
  return { batch: key.batch, rank: key.operand.dims.length, source: { key: key.operand, value: value.operand, rows: key.rows } };
}
