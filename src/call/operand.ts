/** Operands: each tensor of one call, read once and checked, then placed in memory. */
import type { CallContext } from "./callContext.js";
import {
  copyInto,
  describe,
  plainView,
  isObject,
  readDims,
  elementsOf,
  show,
  typedArrayOffset,
  typedArrayName,
  typedArrayLength,
  typedArrayBuffer,
  wrongKind,
  wrongMoment,
  wrongValue,
} from "../check.js";
import { wholeLines } from "../runtime/arena.js";
import type { Runtime } from "../runtime/runtime.js";
import { countOf, EngineTensor, type Float32Tensor, type ResultTensor } from "./tensor.js";
import { readParts } from "./tensorParts.js";

type HostArray = Float32Array | Uint16Array | Uint8Array;

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

/** Bytes of an element where it comes from. */
const BYTES_PER_ELEMENT = { float32: 4, float16: 2, uint8: 1 } as const;

/** Bytes that an operand takes in the engine's memory: float16 is widened. */
const bytesOf = (operand: Operand): number => operand.count * (operand.kind === "uint8" ? 1 : 4);

/** Elements are numbers; float16 comes as bits or as a Float16Array. */
const NUMBERS = 'a Float32Array, or float16 in a Uint16Array or Float16Array with type "float16"';

/** Reads a tensor of numbers. Each getter of the caller's object is read once. */
export function readNumbers(call: CallContext, name: string, value: unknown): Operand {
  const { data, dims, type, tensor } = readTensor(call, name, value);
  const array = typedArrayName(data);
  const isHalf = array === "Float16Array" || (array === "Uint16Array" && type === "float16");
  if (!isHalf && array !== "Float32Array") {
    const typed = type === undefined ? "" : ` of type ${describe(type)}`;
    throw wrongKind(call.operation, `"${name}" must hold ${NUMBERS}, got ${describe(data)}${typed}`);
  }
  return operand(
    call,
    name,
    dims,
    isHalf ? plainView(data as Uint16Array, Uint16Array) : (data as Float32Array),
    tensor,
    isHalf ? "float16" : "float32",
    false,
  );
}

/** Reads a boolean mask: bytes. */
export function readMask(call: CallContext, name: string, value: unknown): Operand {
  const { data, dims, tensor } = readTensor(call, name, value);
  if (typedArrayName(data) !== "Uint8Array") {
    throw wrongKind(call.operation, `"${name}" must hold a Uint8Array, 1 where a query may attend, got ${describe(data)}`);
  }
  return operand(call, name, dims, data as Uint8Array, tensor, "uint8", false);
}

/** Reads a place for results: float32 of just these sizes. */
export function readPlace(call: CallContext, name: string, value: unknown, expected: readonly number[], axes: string): Operand {
  const { data, dims, tensor, isSync } = readTensor(call, name, value);
  if (isSync) throw wrongKind(call.operation, `"${name}" must be { data, dims }: what dataSync() gives may be a copy`);
  if (typedArrayName(data) !== "Float32Array")
    throw wrongKind(call.operation, `"${name}" must hold a Float32Array, got ${describe(data)}`);
  const place = operand(call, name, dims, data as Float32Array, tensor, "float32", true);
  expectDims(call.operation, place, expected, axes);
  if (place.viewOffset !== undefined) {
    throw wrongKind(
      call.operation,
      `"${name}" is a raw view of the engine's memory, which growth would detach; pass the engine's tensor itself`,
    );
  }
  return place;
}

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

interface ReadTensor {
  data: unknown;
  dims: readonly number[];
  type: unknown;
  tensor: EngineTensor | undefined;
  isSync: boolean;
}

function readTensor(call: CallContext, name: string, value: unknown): ReadTensor {
  if (!isObject(value)) throw notATensor(call.operation, name, value);
  const tensor = EngineTensor.of(call.operation, name, value, call.runtime);
  if (tensor) return { data: tensor.data, dims: tensor.dims, type: tensor.type, tensor, isSync: false };
  const { dims, data, isSync, type, location, isElsewhere } = readParts(call.operation, `"${name}"`, value);
  if (isElsewhere) {
    if (location === "none") throw wrongMoment(call.operation, `"${name}" has been disposed of`);
    throw wrongKind(call.operation, `"${name}" lies on ${describe(location)}, expected "cpu"; await its getData() first`);
  }
  if (dims === undefined || !ArrayBuffer.isView(data)) throw notATensor(call.operation, name, value);
  return { data, dims: readDims(call.operation, name, isSync ? "shape" : "dims", dims), type, tensor, isSync };
}

const notATensor = (operation: string, name: string, value: unknown): TypeError =>
  wrongKind(operation, `"${name}" must be a tensor { data, dims } or { shape, dataSync() }, got ${describe(value)}`);

function operand(
  call: CallContext,
  name: string,
  dims: readonly number[],
  data: HostArray,
  tensor: EngineTensor | undefined,
  kind: Operand["kind"],
  isResult: boolean,
): Operand {
  call.runtime.assertAlive(call.operation); // a getter may have disposed of the engine
  const count = countOf(dims);
  if (typedArrayLength(data) !== count) {
    throw wrongValue(
      call.operation,
      `"${name}" holds ${typedArrayLength(data)} elements, expected ${dims.join(" × ") || 1} = ${count}`,
    );
  }
  if (tensor) return { name, dims, count, kind, isResult, tensor, ptr: tensor.ptr, data: undefined, viewOffset: undefined };
  const viewOffset = call.runtime.memory.owns(typedArrayBuffer(data)) ? typedArrayOffset(data) : undefined;
  return { name, dims, count, kind, isResult, tensor, ptr: 0, data, viewOffset };
}

/** Bytes of scratch that the operands need which are not in the engine's memory yet. */
export const scratchBytes = (operands: readonly Operand[]): number =>
  operands.reduce((sum, operand) => sum + (operand.data ? wholeLines(bytesOf(operand)) : 0), 0);

/** Gives each operand from outside a place from `ptr` on; returns the end. */
function assignScratch(operands: readonly Operand[], ptr: number): number {
  for (const operand of operands) {
    if (!operand.data) continue;
    operand.ptr = ptr;
    ptr += wholeLines(bytesOf(operand));
  }
  return ptr;
}

/**
 * Places the operands in scratch, with `bytes` bytes more, computes, and hands the results out.
 *
 * @param compute  gets the address of those bytes
 * @throws {RangeError} not enough memory
 */
export function onScratch(call: CallContext, operands: readonly Operand[], bytes: number, compute: (ptr: number) => void): void {
  const start = call.runtime.arena.openScratch(call.operation, scratchBytes(operands) + bytes);
  try {
    const ptr = assignScratch(operands, start);
    for (const operand of operands) if (!operand.isResult || operand.isUpdated) copyIn(call.runtime, operand);
    compute(ptr);
    for (const operand of operands) if (operand.isResult) copyOut(call.runtime, operand);
  } finally {
    call.runtime.closeScratch();
  }
}

/** Copies an operand to its place. */
function copyIn(runtime: Runtime, { data, kind, ptr, count, viewOffset }: Operand): void {
  if (!data) return;
  const { memory, kernels } = runtime;
  const bytes = count * BYTES_PER_ELEMENT[kind];
  // float16 goes to the end of its place and is widened towards the front
  const to = kind === "float16" ? ptr + bytes : ptr;
  if (viewOffset !== undefined) memory.u8.copyWithin(to, viewOffset, viewOffset + bytes);
  else if (kind === "float32") memory.f32.set(data, to >>> 2);
  else if (kind === "uint8") memory.u8.set(data, to);
  else memory.u8.set(new Uint8Array(data.buffer, data.byteOffset, bytes), to); // `data` is a view of our own
  if (kind === "float16") kernels.widenFloat16(to, ptr, count);
}

/** Copies a result to the array it is for. */
function copyOut({ memory }: Runtime, { data, kind, ptr, count }: Operand): void {
  if (!data) return;
  copyInto(data, kind === "uint8" ? memory.u8.subarray(ptr, ptr + count) : memory.f32.subarray(ptr >>> 2, (ptr >>> 2) + count));
}

/**
 * Refuses what a getter of the caller's did to an operand that had been read already: disposed of it, or detached its array.
 * Afterwards no code of the caller's runs until the call is over.
 */
export function assertUnchanged(call: CallContext, operands: readonly Operand[]): void {
  call.runtime.assertAlive(call.operation);
  for (const { name, count, data, tensor, viewOffset } of operands) {
    tensor?.assertUsable(call.operation, `"${name}"`);
    if (data && viewOffset === undefined && typedArrayLength(data) !== count) {
      throw wrongValue(
        call.operation,
        `"${name}" holds ${typedArrayLength(data)} elements after the options were read, expected ${count}`,
      );
    }
  }
}

/**
 * The numbers of an operand as float32 in JavaScript's memory: its own array where it has one.
 * @throws {RangeError} not enough memory
 */
export function hostNumbers(call: CallContext, operand: Operand): Float32Array {
  const { data, kind, viewOffset, count } = operand;
  if (data && kind === "float32" && viewOffset === undefined) return plainView(data as Float32Array, Float32Array);
  let numbers = new Float32Array();
  onScratch(call, [operand], 0, () => {
    numbers = call.runtime.memory.f32.slice(operand.ptr >>> 2, (operand.ptr >>> 2) + count);
  });
  return numbers;
}

/** Refuses a result that would be written over an input in the engine's memory, unless it is that very tensor and `mayEqual`. */
function refuseOverlap(operation: string, place: Operand, input: Operand, mayEqual: Operand | undefined): void {
  if (!overlap(place, input)) return;
  if (input === mayEqual && input.ptr === place.ptr && haveSameSizes(input.dims, place.dims)) return;
  const exception = mayEqual ? `; only the tensor "${mayEqual.name}" itself may be overwritten` : "";
  throw wrongValue(operation, `"${place.name}" overlaps "${input.name}" in the engine's memory${exception}`);
}

/**
 * Refuses results of a call that overlap one another, or its inputs in the engine's memory.
 *
 * @param mayEqual  the input whose very tensor a result may be, if any
 */
export function refuseOverlaps(
  operation: string,
  operands: readonly Operand[],
  mayEqual: (result: Operand) => Operand | undefined,
): void {
  for (const result of operands) {
    if (!result.isResult) continue;
    for (const other of operands) {
      if (other === result) continue;
      if (other.isResult) refuseSharedPlace(operation, result, other);
      else if (result.tensor) refuseOverlap(operation, result, other, mayEqual(result));
    }
  }
}

/** Refuses two results in one place, in JavaScript's memory as in the engine's. */
function refuseSharedPlace(operation: string, place: Operand, other: Operand): void {
  if (overlap(place, other)) throw wrongValue(operation, `"${place.name}" and "${other.name}" overlap, expected a place for each`);
}

const haveSameSizes = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);

function overlap(a: Operand, b: Operand): boolean {
  if ((a.data && typedArrayBuffer(a.data)) !== (b.data && typedArrayBuffer(b.data))) return false;
  const startOf = ({ data, ptr }: Operand): number => (data ? typedArrayOffset(data) : ptr);
  const [aStart, bStart] = [startOf(a), startOf(b)];
  return aStart < bStart + bytesOf(b) && bStart < aStart + bytesOf(a);
}
