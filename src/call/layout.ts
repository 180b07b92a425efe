/** The order of a tensor's axes: its sizes and strides, whatever the layout. */
import { show, wrongValue } from "../check.js";
import type { Operand } from "./operand.js";

export const LAYOUTS = ["bshd", "bhsd"] as const;
/** Order of axes: [batch, seq, heads, headDim] or [batch, heads, seq, headDim]. */
export type Layout = (typeof LAYOUTS)[number];

/** Distances in elements. */
export interface Strides {
  readonly row: number;
  readonly head: number;
  readonly batch: number;
}

/** One tensor's sizes, whatever the layout. */
export interface Sizes {
  readonly batch: number;
  readonly rows: number;
  readonly heads: number;
  readonly channels: number;
}

/**
 * Sizes of a tensor in a layout.
 * @internal
 */
export function sizesOf(operation: string, { name, dims }: Operand, layout: Layout): Sizes {
  if (dims.length === 2) return { batch: 1, rows: dims[0]!, heads: 1, channels: dims[1]! };
  if (dims.length === 3) {
    const [a, b, c] = dims as [number, number, number];
    const reshaped = layout === "bshd" ? `[${a}, ${b}, heads, ${c} / heads] or [1, ${a}, ${b}, ${c}]` : `[1, ${a}, ${b}, ${c}]`;
    throw wrongValue(
      operation,
      `"${name}" has dims ${show(dims)}, expected ${AXES[layout]} or [seq, headDim]; reshape it to ${reshaped}`,
    );
  }
  if (dims.length !== 4) {
    throw wrongValue(operation, `"${name}" has dims ${show(dims)}, expected ${AXES[layout]} or [seq, headDim]`);
  }
  const [batch, second, third, channels] = dims as [number, number, number, number];
  return layout === "bshd" ? { batch, rows: second, heads: third, channels } : { batch, rows: third, heads: second, channels };
}

const AXES: Record<Layout, string> = { bshd: "[batch, seq, heads, headDim]", bhsd: "[batch, heads, seq, headDim]" };

/** Strides of a dense tensor of `rows` × `heads` × `channels` per sequence. */
export function stridesOf(layout: Layout, rows: number, heads: number, channels: number): Strides {
  const batch = rows * heads * channels;
  return layout === "bshd" ? { row: heads * channels, head: channels, batch } : { row: channels, head: rows * channels, batch };
}
