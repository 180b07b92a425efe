/** Views by their definition: where the elements of a tensor lie in its data. */
import type { Placement } from "headwise";
import { countOf } from "./random.js";

/** The indices of the elements of a view, in order, by its definition. */
export function indicesOf(dims: readonly number[], strides: readonly number[], offset: number): number[] {
  return Array.from({ length: countOf(dims) }, (_, element) => {
    let [index, rest] = [offset, element];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index += (rest % dims[axis]!) * strides[axis]!;
      rest = Math.floor(rest / dims[axis]!);
    }
    return index;
  });
}

export interface Placed extends Placement {
  readonly strides: number[];
  readonly offset: number;
}
/** Where elements of these sizes lie, with gaps between them. */
export type Where = (dims: readonly number[]) => Placed;
/** Strides of axes from the innermost on, in an order, `gap` times further apart than needed. */
function stridesIn(order: readonly number[], dims: readonly number[], gap: number): number[] {
  const strides = dims.map(() => 0);
  let stride = gap;
  for (const axis of order) {
    strides[axis] = stride;
    stride = stride * dims[axis]! + (gap - 1);
  }
  return strides;
}
const axes = (dims: readonly number[]): number[] => [...dims.keys()];
export const WHERES: Record<string, Where> = {
  "rows apart": (dims) => {
    const inner = stridesIn(axes(dims).slice(0, -1).reverse(), dims, dims.at(-1)! + 3);
    return { strides: [...inner.slice(0, -1), 1], offset: 5 };
  },
  "elements apart": (dims) => ({ strides: stridesIn(axes(dims).reverse(), dims, 2), offset: 1 }),
  "axes reversed": (dims) => ({ strides: stridesIn(axes(dims), dims, 1), offset: 0 }),
  "one after the other from an offset on": (dims) => ({ strides: stridesIn(axes(dims).reverse(), dims, 1), offset: 7 }),
};

/** Data of a view, NaN between its elements. */
export function spread(
  { data, dims }: { readonly data: Float32Array; readonly dims: readonly number[] },
  where: Placed,
): Float32Array {
  const indices = indicesOf(dims, where.strides, where.offset);
  const whole = new Float32Array(Math.max(0, ...indices) + 4).fill(NaN);
  for (const [element, index] of indices.entries()) whole[index] = data[element]!;
  return whole;
}
export const collect = (whole: ArrayLike<number>, dims: readonly number[], { strides, offset }: Placed): number[] =>
  indicesOf(dims, strides, offset).map((index) => whole[index]!);
