/** Masks and biases of fewer sizes than the scores. */
import type { ReferenceTensor } from "./tensor.js";

/** Element of a mask or bias aligned to the right of [batch, heads, seq, keys]; `beyond` where its last axis is too short. */
export function broadcast(
  tensor: ReferenceTensor | undefined,
  b: number,
  h: number,
  i: number,
  j: number,
  absent: number,
  beyond: number,
): number {
  if (!tensor) return absent;
  const index = [b, h, i, j].slice(4 - tensor.dims.length);
  let flat = 0;
  for (const [axis, size] of tensor.dims.entries()) {
    if (size !== 1 && index[axis]! >= size) return beyond;
    flat = flat * size + (size === 1 ? 0 : index[axis]!);
  }
  return tensor.data[flat]!;
}
