/** Copies operands into the engine's memory and results out of it, by way of scratch that lives for one call. */
import { copyInto, plainView } from "../check.js";
import { wholeLines } from "../runtime/arena.js";
import type { Runtime } from "../runtime/runtime.js";
import type { CallContext } from "./callContext.js";
import { bytesOf, type Operand, reachOf } from "./operand.js";
import { stridesUnder } from "./broadcast.js";
import { copyPlaced, elementClass, type Elements, spanOf } from "./view.js";

/** Bytes of scratch for the operands that are not in the engine's memory yet. */
export const scratchBytes = (operands: readonly Operand[]): number =>
  operands.reduce((sum, operand) => sum + (operand.isOutside ? wholeLines(bytesOf(operand)) : 0), 0);

/** Gives each operand from outside an address from `ptr` on; returns the end. */
function assignScratch(operands: readonly Operand[], ptr: number): number {
  for (const operand of operands) {
    if (!operand.isOutside) continue;
    operand.ptr = ptr;
    ptr += wholeLines(bytesOf(operand));
  }
  return ptr;
}

/**
 * Places the operands in scratch, with `bytes` bytes more, computes, and copies the results out.
 *
 * @param compute  receives the address of those bytes
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

/** Copies an operand to its address. */
function copyIn(runtime: Runtime, operand: Operand): void {
  const { data, kind, ptr, count, viewOffset, strides } = operand;
  if (!data) return;
  const { memory, kernels } = runtime;
  const bytes = reachOf(operand);
  // float16 goes to the end of its range and is widened towards the front
  const to = kind === "float16" ? ptr + 2 * count : ptr;
  if (strides) copyApart(runtime, operand, to, strides, false);
  else if (viewOffset !== undefined) memory.u8.copyWithin(to, viewOffset, viewOffset + bytes);
  else if (kind === "float32") memory.f32.set(data, to >>> 2);
  else if (kind === "uint8") memory.u8.set(data, to);
  else memory.u8.set(new Uint8Array(data.buffer, data.byteOffset, bytes), to); // `data` is the library's own view
  if (kind === "float16") kernels.widenFloat16(to, ptr, count);
}

/**
 * Copies a result to its array; one that is float16 there is rounded in its own scratch, which nothing reads after that.
 *
 * A new array is made of a view: hosts clear an array that is made by its length, and V8 copies more slowly by `slice`
 * (docs/performance.md).
 */
function copyOut(runtime: Runtime, operand: Operand): void {
  const { data, kind, ptr, count, isOutside, strides } = operand;
  if (!isOutside) return;
  const { memory, kernels } = runtime;
  const floats = (): Float32Array => memory.f32.subarray(ptr >>> 2, (ptr >>> 2) + count);
  if (kind === "float16") kernels.narrowFloat16(ptr, ptr, count);
  if (strides) {
    operand.data ??= new Float32Array(count);
    copyApart(runtime, operand, ptr, strides, true);
  } else if (!data) operand.data = new Float32Array(floats());
  else if (kind === "float16") copyInto(data, new Uint16Array(memory.buffer, ptr, count));
  else copyInto(data, kind === "uint8" ? memory.u8.subarray(ptr, ptr + count) : floats());
}

/** Copies elements that lie apart in an operand's data to the dense ones at `ptr`, or those of a result back. */
function copyApart(
  { memory: { buffer } }: Runtime,
  { data, dims, kind, count, viewOffset }: Operand,
  ptr: number,
  strides: readonly number[],
  isResult: boolean,
): void {
  const Kind = elementClass(kind);
  const dense = new Kind(buffer, ptr, count);
  const denseStrides = stridesUnder(dims, dims.length);
  // a view of the engine's memory is made anew, as growth may have detached it
  const apart = viewOffset === undefined ? (data as Elements) : new Kind(buffer, viewOffset, spanOf(dims, strides, count));
  if (isResult) copyPlaced(dims, apart, strides, dense, denseStrides);
  else copyPlaced(dims, dense, denseStrides, apart, strides);
}

/**
 * The numbers of an operand as float32 in JavaScript's memory: its own array if it has one.
 * @throws {RangeError} not enough memory
 */
export function hostNumbers(call: CallContext, operand: Operand): Float32Array {
  const { data, kind, viewOffset, count, strides } = operand;
  if (data && kind === "float32" && viewOffset === undefined && !strides) return plainView(data as Float32Array, Float32Array);
  let numbers = new Float32Array();
  onScratch(call, [operand], 0, () => {
    numbers = new Float32Array(call.runtime.memory.f32.subarray(operand.ptr >>> 2, (operand.ptr >>> 2) + count));
  });
  return numbers;
}
