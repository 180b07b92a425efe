/** Operands: the tensors of one call. */
import type { CallContext } from "./callContext.js";
import { elementsOf, show, wrongValue } from "../check.js";
import { stridesUnder } from "./broadcast.js";
import { countOf, EngineTensor, type PlaceTensor, type ResultTensor } from "./tensor.js";
import { spanOf } from "./view.js";

export type HostArray = Float32Array | Uint16Array | Uint8Array;

/** A tensor as one call sees it. */
export interface Operand {
  readonly name: string;
  readonly dims: readonly number[];
  readonly count: number;
  readonly kind: "float32" | "float16" | "uint8";
  /** Whether the call writes it; otherwise it reads it. */
  readonly isResult: boolean;
  /** Whether it reads the elements before it writes them. */
  isUpdated?: boolean;
  /** The engine's tensor, if it is one. */
  readonly tensor: EngineTensor | undefined;
  /** Its address in the engine's memory, once it has one. */
  ptr: number;
  /** Whether it is copied in or out: kernels do not read or write it where it lies. */
  readonly isOutside: boolean;
  /** The array to copy in or out, from the first element on; undefined for a new result until it is copied. */
  data: HostArray | undefined;
  /** Distances of the elements in `data`, else in the engine's memory, 0 where a size is 1; undefined if they are dense. */
  readonly strides?: readonly number[] | undefined;
  /** Where data that are a raw view of the engine's memory begin. Growth may detach the view before it is read. */
  readonly viewOffset: number | undefined;
}

/** Bytes of an element outside of the engine's memory. */
export const BYTES_PER_ELEMENT = { float32: 4, float16: 2, uint8: 1 } as const;

/** Bytes from the first element to the end of the last one where they come from or go to. */
export const reachOf = ({ dims, strides, count, kind }: Operand): number => spanOf(dims, strides, count) * BYTES_PER_ELEMENT[kind];

/** Bytes that an operand takes in the engine's memory: float16 is widened to float32. */
export const bytesOf = (operand: Operand): number => operand.count * (operand.kind === "uint8" ? 1 : 4);

/** Strides in the engine's memory under `rank` axes, 0 where it is broadcast: what is copied there lies without gaps. */
export const stridesIn = ({ isOutside, dims, strides }: Operand, rank = dims.length): readonly number[] =>
  strides && !isOutside ? [...new Array<number>(rank - dims.length).fill(0), ...strides] : stridesUnder(dims, rank);

/** Refuses a tensor of other sizes; `axes` names them. */
export function expectDims(operation: string, { name, dims }: Operand, expected: readonly number[], axes: string): void {
  if (haveSameSizes(dims, expected)) return;
  throw wrongValue(operation, `"${name}" has dims ${show(dims)}, expected ${show(expected)} (${axes})`);
}

/** A result that the caller gave no place for: its array is made when it is copied out. */
export function newResult(call: CallContext, dims: readonly number[]): Operand {
  const count = elementsOf(call.operation, "out", dims);
  call.runtime.arena.assertFits(call.operation, 4 * count);
  return { ...scratchTensor("out", dims), isResult: true, isOutside: true };
}

/** An operand for an array that the library made. */
export function ownArray(
  name: string,
  data: Float32Array | Uint8Array,
  isResult: boolean,
  dims: readonly number[] = [data.length],
): Operand {
  const kind = data instanceof Uint8Array ? "uint8" : "float32";
  return { ...scratchTensor(name, dims), kind, isResult, isOutside: true, data };
}

/** A tensor that lies in scratch. */
export const scratchTensor = (name: string, dims: readonly number[]): Operand => ({
  name,
  dims,
  count: countOf(dims),
  kind: "float32",
  isResult: false,
  tensor: undefined,
  ptr: 0,
  isOutside: false,
  data: undefined,
  strides: undefined,
  viewOffset: undefined,
});

/** The value that a call returns: the place that the caller gave, else its new result. */
export const handBack = <Out extends PlaceTensor>(returned: Out | undefined | null, out: Operand): Out =>
  returned ??
  ({ type: "float32", data: out.data ?? new Float32Array(out.count), dims: [...out.dims] } as ResultTensor as PlaceTensor as Out);

export const haveSameSizes = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);
