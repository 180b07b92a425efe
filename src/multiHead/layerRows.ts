/** Rows of a layer: [batch, rows, channels], or [rows, channels]. */
import type { Call } from "../call/call.js";
import { show, wrongKind, wrongValue, isAbsent } from "../check.js";
import { type Operand } from "../call/operand.js";
import type { MultiHeadConfig } from "./config.js";

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

/** Reads rows of `channels` numbers. */
export function readRows(
  call: Call,
  name: string,
  value: unknown,
  channels: number,
  axis: string,
): { operand: Operand } & RowSizes {
  const operand = call.numbers(name, value);
  const { dims } = operand;
  if (dims.length === 4) {
    throw wrongValue(
      call.operation,
      `"${name}" has dims ${show(dims)}, expected [batch, seq, ${axis}]: the layer splits rows into heads itself`,
    );
  }
  if ((dims.length !== 3 && dims.length !== 2) || dims.at(-1) !== channels) {
    throw wrongValue(
      call.operation,
      `"${name}" has dims ${show(dims)}, expected [batch, seq, ${channels}] or [seq, ${channels}] (${axis} is ${channels})`,
    );
  }
  return dims.length === 2 ? { operand, batch: 1, rows: dims[0]! } : { operand, batch: dims[0]!, rows: dims[1]! };
}

/** Reads the rows that keys and values are made of. */
export function readSource(call: Call, { kDim, vDim }: MultiHeadConfig, keyOption: unknown, valueOption: unknown) {
  const key = readRows(call, "key", keyOption, kDim, "kDim");
  if (isAbsent(valueOption) && vDim !== kDim) {
    throw wrongKind(
      call.operation,
      `"value" is missing: values are projected from vDim ${vDim} numbers, but "key" has kDim ${kDim}`,
    );
  }
  const value = isAbsent(valueOption) ? key : readRows(call, "value", valueOption, vDim, "vDim");
  if (value.operand.dims.length !== key.operand.dims.length || value.batch !== key.batch || value.rows !== key.rows) {
    const expected = [...key.operand.dims.slice(0, -1), vDim];
    throw wrongValue(
      call.operation,
      `"value" has dims ${show(value.operand.dims)}, expected ${show(expected)} (same batch and rows as "key")`,
    );
  }
  return { batch: key.batch, rank: key.operand.dims.length, source: { key: key.operand, value: value.operand, rows: key.rows } };
}
