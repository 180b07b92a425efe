/** Where the rows of tensors of heads lie, by the order of their axes. */

/** [batch, seq, heads, channels], [batch, heads, seq, channels] or [seq, batch, heads, channels]. */
export type ReferenceLayout = "bshd" | "bhsd" | "sbhd";

/** [batch, rows, heads, channels] */
export type ReferenceSizes = readonly [batch: number, rows: number, heads: number, channels: number];

/** Sizes of a tensor in a layout, of one of rank 3 whose rows hold `heads` heads side by side, or of rank 2, which is one head. */
export function sizesOf(dims: readonly number[], layout: ReferenceLayout, heads = 1): ReferenceSizes {
  if (dims.length === 2) return [1, dims[0]!, 1, dims[1]!];
  const at = (axis: string): number => dims[layout.indexOf(axis)]!;
  return dims.length === 3 ? [at("b"), at("s"), heads, dims[2]! / heads] : [at("b"), at("s"), at("h"), dims[3]!];
}

/** Index of row i of head h in sequence b, in rows of channels. */
export function rowIndex(layout: ReferenceLayout, [batch, rows, heads]: ReferenceSizes, b: number, i: number, h: number): number {
  if (layout === "bhsd") return (b * heads + h) * rows + i;
  return (layout === "bshd" ? b * rows + i : i * batch + b) * heads + h;
}
