/** Operands: the tensors of one call. */
import type { CallContext } from "./callContext.js";
import { elementsOf, show, wrongValue } from "../check.js";
import { countOf, EngineTensor, type PlaceTensor, type ResultTensor } from "./tensor.js";

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
  /** Whether it is copied in or out: it is no tensor of the engine, and does not lie in scratch. */
  readonly isOutside: boolean;
  /** The array to copy in or out; undefined for a new result until it is copied. */
  data: HostArray | undefined;
  /** Where data that are a raw view of the engine's memory begin. Growth may detach the view before it is read. */
  readonly viewOffset: number | undefined;
}

/** Bytes of an element outside of the engine's memory. */
const BYTES_PER_ELEMENT = { float32: 4, float16: 2, uint8: 1 } as const;

/** Bytes that an operand takes outside of the engine's memory. */
export const outsideBytesOf = ({ count, kind }: Operand): number => count * BYTES_PER_ELEMENT[kind];

/** Bytes that an operand takes in the engine's memory: float16 is widened to float32. */
export const bytesOf = (operand: Operand): number => operand.count * (operand.kind === "uint8" ? 1 : 4);

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
export function ownArray(name: string, data: Float32Array | Uint8Array, isResult: boolean): Operand {
  const kind = data instanceof Uint8Array ? "uint8" : "float32";
  return { ...scratchTensor(name, [data.length]), kind, isResult, isOutside: true, data };
}

/** A tensor that lies in scratch. */
export const scratchTensor = (name: string, dims: readonly number[]): Operand => ({
  ...{ name, dims, count: countOf(dims), kind: "float32", isResult: false },
  ...{ tensor: undefined, ptr: 0, isOutside: false, data: undefined, viewOffset: undefined },
});

/** The value that a call returns: the place that the caller gave, else its new result. */
export const handBack = <Out extends PlaceTensor>(returned: Out | undefined | null, out: Operand): Out =>
  returned ??
  ({ type: "float32", data: out.data ?? new Float32Array(out.count), dims: [...out.dims] } as ResultTensor as PlaceTensor as Out);

export const haveSameSizes = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);
