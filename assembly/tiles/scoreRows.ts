/**
 * Softmax over one block of keys, row by row, in place. Milakov & Gimelshein 2018, arXiv:1805.02867, Alg. 3.
 * The scores come multiplied by log₂e, see `exp2.ts`.
 *
 * A row of scores begins at a panel and ends with one; keys that the row may not see hold −∞. Lane j mod 8 sums keys j, j + 8, …:
 * where a block begins or ends in memory changes no bit, because −∞ adds exactly 0.
 */
import { maxLane, minusInfinity, sumLanes } from "../math/simd";
import { exp2Neg4 } from "../math/exp2";
import { tanh4 } from "../math/tanh";
import { PANEL_BYTES } from "./layout";

/** Largest of `bytes / 4` scores, −∞ if all are. NaN is ignored: the exponentials propagate it. */
export function rowMax(scoresPtr: usize, bytes: usize): f32 {
  const end = scoresPtr + bytes;
  const wholeEnd = scoresPtr + (bytes & ~(4 * PANEL_BYTES - 1));
  let max0 = minusInfinity(); // eight chains: one maximum takes four cycles, and two can begin in each
  let max1 = max0;
  let max2 = max0;
  let max3 = max0;
  let max4 = max0;
  let max5 = max0;
  let max6 = max0;
  let max7 = max0;
  for (; scoresPtr < wholeEnd; scoresPtr += 4 * PANEL_BYTES) {
    max0 = f32x4.pmax(max0, v128.load(scoresPtr));
    max1 = f32x4.pmax(max1, v128.load(scoresPtr, 16));
    max2 = f32x4.pmax(max2, v128.load(scoresPtr, 32));
    max3 = f32x4.pmax(max3, v128.load(scoresPtr, 48));
    max4 = f32x4.pmax(max4, v128.load(scoresPtr, 64));
    max5 = f32x4.pmax(max5, v128.load(scoresPtr, 80));
    max6 = f32x4.pmax(max6, v128.load(scoresPtr, 96));
    max7 = f32x4.pmax(max7, v128.load(scoresPtr, 112));
  }
  for (; scoresPtr < end; scoresPtr += PANEL_BYTES) {
    max0 = f32x4.pmax(max0, v128.load(scoresPtr));
    max1 = f32x4.pmax(max1, v128.load(scoresPtr, 16));
  }
  max0 = f32x4.pmax(f32x4.pmax(max0, max1), f32x4.pmax(max2, max3));
  max4 = f32x4.pmax(f32x4.pmax(max4, max5), f32x4.pmax(max6, max7));
  return maxLane(f32x4.pmax(max0, max4));
}

/** s → 2^(s − shift) in place; returns the sum. `shift` is the running maximum, or 0 where that is −∞. */
export function exponentials(scoresPtr: usize, bytes: usize, shift: f32): f32 {
  const end = scoresPtr + bytes;
  const shifts = f32x4.splat(shift);
  let sum0123 = f32x4.splat(0);
  let sum4567 = f32x4.splat(0);
  for (; scoresPtr < end; scoresPtr += PANEL_BYTES) {
    const p0123 = exp2Neg4(f32x4.sub(v128.load(scoresPtr), shifts));
    const p4567 = exp2Neg4(f32x4.sub(v128.load(scoresPtr, 16), shifts));
    v128.store(scoresPtr, p0123);
    v128.store(scoresPtr, p4567, 16);
    sum0123 = f32x4.add(sum0123, p0123);
    sum4567 = f32x4.add(sum4567, p4567);
  }
  return sumLanes(f32x4.add(sum0123, sum4567));
}

/** Scores so far below the shift have the exponential 0: how much farther does not matter, and may exceed the range of float32. */
export const MOST_SPREAD: f32 = 128;
const LOWEST = memory.data<f32>([-128]);

/** The same; adds Σ 2^(s − shift) · (shift − s) to the number at `spreadPtr`. */
export function exponentialsWithSpread(scoresPtr: usize, bytes: usize, shift: f32, spreadPtr: usize): f32 {
  const end = scoresPtr + bytes;
  const shifts = f32x4.splat(shift);
  const lowest = v128.load32_splat(LOWEST);
  let sum0123 = f32x4.splat(0);
  let sum4567 = f32x4.splat(0);
  let spread0123 = f32x4.splat(0);
  let spread4567 = f32x4.splat(0);
  for (; scoresPtr < end; scoresPtr += PANEL_BYTES) {
    const x0123 = f32x4.pmax(f32x4.sub(v128.load(scoresPtr), shifts), lowest);
    const x4567 = f32x4.pmax(f32x4.sub(v128.load(scoresPtr, 16), shifts), lowest);
    const p0123 = exp2Neg4(x0123);
    const p4567 = exp2Neg4(x4567);
    v128.store(scoresPtr, p0123);
    v128.store(scoresPtr, p4567, 16);
    sum0123 = f32x4.add(sum0123, p0123);
    sum4567 = f32x4.add(sum4567, p4567);
    spread0123 = f32x4.sub(spread0123, f32x4.mul(p0123, x0123));
    spread4567 = f32x4.sub(spread4567, f32x4.mul(p4567, x4567));
  }
  store<f32>(spreadPtr, load<f32>(spreadPtr) + sumLanes(f32x4.add(spread0123, spread4567)));
  return sumLanes(f32x4.add(sum0123, sum4567));
}

/** s → 2^(s − shift) · factor in place, exactly 0 where s is −∞, even in a row that is NaN. */
export function normalizedExponentials(scoresPtr: usize, bytes: usize, shift: f32, factor: f32): void {
  const end = scoresPtr + bytes;
  const shifts = f32x4.splat(shift);
  const factors = f32x4.splat(factor);
  const invisible = minusInfinity();
  for (; scoresPtr < end; scoresPtr += 16) {
    const s = v128.load(scoresPtr);
    const w = f32x4.mul(exp2Neg4(f32x4.sub(s, shifts)), factors);
    v128.store(scoresPtr, v128.andnot(w, f32x4.eq(s, invisible)));
  }
}

/** s → softcap · tanh(s / softcap) in place. */
export function softcapRow(scoresPtr: usize, bytes: usize, softcap: f32): void {
  const end = scoresPtr + bytes;
  const caps = f32x4.splat(softcap);
  for (; scoresPtr < end; scoresPtr += 16) {
    v128.store(scoresPtr, f32x4.mul(caps, tanh4(f32x4.div(v128.load(scoresPtr), caps))));
  }
}
