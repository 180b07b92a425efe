/** Checks after a call has been read: no result overlaps an operand, and no getter has changed an operand read before it. */
import { counted, typedArrayBuffer, typedArrayLength, typedArrayOffset, wrongValue } from "../check.js";
import type { CallContext } from "./callContext.js";
import { haveSameSizes, type Operand, reachOf, stridesIn } from "./operand.js";
import { spanOf } from "./view.js";

/**
 * Throws if one of the caller's getters disposed of an operand that had been read already, or detached its array.
 * Afterwards none of the caller's code runs until the call is over.
 */
export function assertUnchanged(call: CallContext, operands: readonly Operand[]): void {
  call.runtime.assertAlive(call.operation);
  for (const { name, dims, strides, count, data, tensor, viewOffset } of operands) {
    tensor?.assertUsable(call.operation, `"${name}"`);
    const span = spanOf(dims, strides, count);
    const length = data && viewOffset === undefined ? typedArrayLength(data) : span;
    if (length !== span)
      throw wrongValue(
        call.operation,
        `"${name}" holds ${counted(length, "element")} after the arguments were read, expected ${span}`,
      );
  }
}

/** Refuses a result that would overwrite an input in the engine's memory, unless that is `replaceable` and the same tensor. */
function refuseOverlap(operation: string, place: Operand, input: Operand, replaceable: readonly Operand[]): void {
  if (!overlap(place, input)) return;
  const areSame =
    input.ptr === place.ptr && haveSameSizes([...input.dims, ...stridesIn(input)], [...place.dims, ...stridesIn(place)]);
  if (areSame && replaceable.includes(input)) return;
  const names = replaceable.map(({ name }) => `"${name}"`).join(" or ");
  const exception = names === "" ? "" : `; only the tensor ${names} itself may be overwritten`;
  throw wrongValue(operation, `"${place.name}" overlaps "${input.name}" in the engine's memory${exception}`);
}

/**
 * Refuses results of a call that overlap one another, or its inputs in the engine's memory.
 *
 * @param replaceable  the inputs that a result may overwrite, being the same tensor
 */
export function refuseOverlaps(
  operation: string,
  operands: readonly Operand[],
  replaceable: (result: Operand) => readonly Operand[],
): void {
  for (const result of operands) {
    if (!result.isResult) continue;
    for (const other of operands) {
      if (other === result) continue;
      if (other.isResult) refuseSharedPlace(operation, result, other);
      // what is copied in is read before anything is written, and what is copied out is written after everything has been read
      else if (!result.isOutside && !other.isOutside) refuseOverlap(operation, result, other, replaceable(result));
    }
  }
}

/** Refuses two results in one place, in JavaScript's memory as in the engine's. */
function refuseSharedPlace(operation: string, place: Operand, other: Operand): void {
  if (overlap(place, other)) throw wrongValue(operation, `"${place.name}" and "${other.name}" overlap, expected separate places`);
}

function overlap(a: Operand, b: Operand): boolean {
  const [aBuffer, aStart] = startOf(a);
  const [bBuffer, bStart] = startOf(b);
  return aBuffer === bBuffer && aStart < bStart + reachOf(b) && bStart < aStart + reachOf(a);
}

/** Where an operand comes from or goes to: an array of the caller's, or else the engine's memory. */
const startOf = ({ data, viewOffset, ptr }: Operand): [ArrayBufferLike | undefined, number] =>
  data && viewOffset === undefined ? [typedArrayBuffer(data), typedArrayOffset(data)] : [undefined, viewOffset ?? ptr];
