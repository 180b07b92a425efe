/** Operands: each tensor of one call as the call sees it. */
import type { CallContext } from "./callContext.js";
import { elementsOf, show, wrongValue } from "../check.js";
import { countOf, EngineTensor, type Float32Tensor, type ResultTensor } from "./tensor.js";

export type HostArray = Float32Array | Uint16Array | Uint8Array;

/** A tensor as one call sees it. */
export interface Operand {
  readonly name: string;
  readonly dims: readonly number[];
  readonly count: number;
  readonly kind: "float32" | "float16" | "uint8";
  /** Whether the call writes it; otherwise it reads it. */
  readonly isResult: boolean;
  /** Whether it reads first what it writes. */
  isUpdated?: boolean;
  /** The engine's tensor that it is, if it is one. */
  readonly tensor: EngineTensor | undefined;
  /** Where it lies in the engine's memory, once it does. */
  ptr: number;
  /** What has to be copied in, or out; undefined for the engine's own tensors. */
  readonly data: HostArray | undefined;
  /** For data that are a raw view of the engine's memory: where they begin. Growth may detach the view before it is read. */
  readonly viewOffset: number | undefined;
}

/** Bytes that an operand takes in the engine's memory: float16 is widened. */
export const bytesOf = (operand: Operand): number => operand.count * (operand.kind === "uint8" ? 1 : 4);

/** Refuses a tensor of other sizes; `axes` says what they are. */
export function expectDims(operation: string, { name, dims }: Operand, expected: readonly number[], axes: string): void {
  if (haveSameSizes(dims, expected)) return;
  throw wrongValue(operation, `"${name}" has dims ${show(dims)}, expected ${show(expected)} (${axes})`);
}

/** A new array for a result that the caller brought no place for. */
export function newResult(call: CallContext, dims: readonly number[]): Operand {
  const count = elementsOf(call.operation, "out", dims);
  call.runtime.arena.assertFits(call.operation, 4 * count);
  return { ...ownArray("out", new Float32Array(count), true), dims };
}

/** An array of the library's own. */
export function ownArray(name: string, data: Float32Array | Uint8Array, isResult: boolean): Operand {
  const kind = data instanceof Uint8Array ? "uint8" : "float32";
  return { name, dims: [data.length], count: data.length, kind, isResult, tensor: undefined, ptr: 0, data, viewOffset: undefined };
}

/** A tensor that lies in scratch. */
export const scratchTensor = (name: string, dims: readonly number[]): Operand => ({
  ...{ name, dims, count: countOf(dims), kind: "float32", isResult: false },
  ...{ tensor: undefined, ptr: 0, data: undefined, viewOffset: undefined },
});

/** What a call returns: the place that the caller brought, else its new result. */
export const handBack = <Out extends Float32Tensor>(returned: Out | undefined | null, out: Operand): Out =>
  returned ?? ({ type: "float32", data: out.data!, dims: [...out.dims] } as ResultTensor as Float32Tensor as Out);

export const haveSameSizes = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);
