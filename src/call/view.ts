/** Views: tensors whose elements lie anywhere in their data, `strides` apart from `offset` on. */
import { integer, integersOf, isAbsent, optional } from "../check.js";
import { stridesUnder } from "./broadcast.js";

/** Where the elements of a tensor lie in its data, in elements. */
export interface View {
  /** Undefined if the data hold nothing else. */
  readonly offset?: number | undefined;
  /** 0 where a size is 1; undefined if the elements lie one after the other. */
  readonly strides?: readonly number[] | undefined;
}

/** Reads `strides` and `offset` of the tensor `name`; undefined if it has neither. */
export function readView(
  operation: string,
  name: string,
  dims: readonly number[],
  { strides, offset }: { readonly strides: unknown; readonly offset: unknown },
): View | undefined {
  if (isAbsent(strides ?? offset)) return undefined;
  const most = Number.MAX_SAFE_INTEGER;
  const given = optional(strides, (list) => integersOf(operation, `${name}.strides`, list, dims.length, 0, most, "axis"));
  return { offset: integer(operation, `${name}.offset`, offset ?? 0, 0, most), strides: given && gapsOf(dims, given) };
}

/** Strides, 0 where a size is 1; undefined if the elements lie one after the other. */
export function gapsOf(dims: readonly number[], strides: readonly number[]): readonly number[] | undefined {
  const dense = stridesUnder(dims, dims.length);
  const isDense = strides.every((stride, axis) => dims[axis] === 1 || stride === dense[axis]);
  return isDense || dims.includes(0) ? undefined : strides.map((stride, axis) => (dims[axis] === 1 ? 0 : stride));
}

/** Elements from the first to the last; `count` if they lie one after the other. Exact below 2⁵³, and never less than that beyond. */
export const spanOf = (dims: readonly number[], strides: readonly number[] | undefined, count: number): number =>
  strides ? strides.reduce((sum, stride, axis) => sum + (dims[axis]! - 1) * stride, 1) : count;

/** Whether each element has a place of its own: each stride passes all that the others up to it span. */
export const areSeparate = (dims: readonly number[], strides: readonly number[]): boolean =>
  strides.every((stride, axis) => {
    const others = strides.map((other, at) => (at === axis || other > stride ? 0 : other));
    return dims[axis] === 1 || stride >= spanOf(dims, others, 0);
  });

/** float32, or the bits of float16. */
export type Elements = Float32Array | Uint16Array;

export const elementClass = (kind: string): new (buffer: ArrayBufferLike, offset: number, length: number) => Elements =>
  kind === "float16" ? Uint16Array : Float32Array;

/** Rows from this length on are copied by the host. Node 20, Granite Rapids: a loop over 64 float32 takes one and a half times as long. */
const LONG_ROW = 32;

/** Copies elements from their places in one array, the library's own view, to those in another, from an axis on. */
export function copyPlaced(
  dims: readonly number[],
  to: Elements,
  toStrides: readonly number[],
  from: Elements,
  fromStrides: readonly number[],
  axis = 0,
  at = 0,
  start = 0,
): void {
  const length = dims[axis]!;
  const step = toStrides[axis]!;
  const stride = fromStrides[axis]!;
  if (axis < dims.length - 1) {
    for (let i = 0; i < length; i++)
      copyPlaced(dims, to, toStrides, from, fromStrides, axis + 1, at + i * step, start + i * stride);
  } else if (length >= LONG_ROW && step === 1 && stride === 1) to.set(from.subarray(start, start + length), at);
  else for (let i = 0; i < length; i++) to[at + i * step] = from[start + i * stride]!;
}
