/** Rows of heads under linear maps that heads share, or that each has of its own. */
import { type ReferenceLayout, type ReferenceSizes, rowIndex } from "./layout.js";
import type { ReferenceTensor } from "./tensor.js";

/** The vector of head h of sequence b at row i. */
export type HeadRows = (b: number, h: number, i: number) => Float64Array;

/**
 * W_h x for each of `numHeads` heads, which share the heads of x in groups; x itself without W.
 *
 * @param weight  [channels out, channels], or [numHeads, channels out, channels]
 */
export function projectedRows(
  x: ReferenceTensor,
  sizes: ReferenceSizes,
  layout: ReferenceLayout,
  numHeads: number,
  weight?: ReferenceTensor,
): HeadRows {
  const [batchSize, rows, heads, channels] = sizes;
  const found: Float64Array[] = [];
  for (let index = 0; index < batchSize * numHeads * rows; index++) {
    const [b, h, i] = [Math.floor(index / rows / numHeads), Math.floor(index / rows) % numHeads, index % rows];
    const start = rowIndex(layout, sizes, b, i, Math.floor((h * heads) / numHeads)) * channels;
    const row = Float64Array.from({ length: channels }, (_, d) => x.data[start + d]!);
    found.push(weight ? mapped(row, weight, h) : row);
  }
  return (b, h, i) => found[(b * numHeads + h) * rows + i]!;
}

/** The vector of head h: [channels] for all, or [numHeads, channels]. */
export function vectorOf({ data, dims }: ReferenceTensor, h: number): Float64Array {
  const channels = dims.at(-1)!;
  const start = dims.length === 1 ? 0 : h * channels;
  return Float64Array.from({ length: channels }, (_, d) => data[start + d]!);
}

export function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, element, d) => sum + element * b[d]!, 0);
}

/** W_h row */
function mapped(row: Float64Array, { data, dims }: ReferenceTensor, h: number): Float64Array {
  const [outDim, inDim] = dims.slice(-2) as [number, number];
  const start = dims.length === 2 ? 0 : h * outDim * inDim;
  return Float64Array.from({ length: outDim }, (_, to) =>
    row.reduce((sum, element, from) => sum + data[start + to * inDim + from]! * element, 0),
  );
}
