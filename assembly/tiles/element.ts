/**
 * The two kinds of elements that a tile reads from panels of eight keys or eight value columns.
 *
 *     float32   one step of a loop is one channel (or key)      v128 of four numbers
 *     int8      one step is a pair of channels (or keys)        the pairs of four neighbours, widened to int16
 *
 * With int8 the other factor, a query or a weight, is a pair of int16 too; sums are exact in int32, whatever their order. All
 * functions here are inlined, and `isInt8` is a literal.
 */
import { madd } from "../math/simd";
import { PANEL, PANEL_BYTES } from "./layout";

/** Bytes of a pair in each of a panel's eight places. */
// @ts-ignore: decorator
@inline
export const PAIR_PANEL_BYTES: usize = 2 * PANEL;

/** Bytes of one step through a panel. */
// @ts-ignore: decorator
@inline
export function stepBytes(isInt8: bool): usize {
  return isInt8 ? PAIR_PANEL_BYTES : PANEL_BYTES;
}

/** Pairs that hold `n` elements. */
// @ts-ignore: decorator
@inline
export function pairsOf(n: usize): usize {
  return (n + 1) >> 1;
}

/** Places 0 to 3 of a step. */
// @ts-ignore: decorator
@inline
export function load0123(isInt8: bool, ptr: usize): v128 {
  return isInt8 ? v128.load8x8_s(ptr) : v128.load(ptr);
}

/** Places 4 to 7 of a step. */
// @ts-ignore: decorator
@inline
export function load4567(isInt8: bool, ptr: usize): v128 {
  return isInt8 ? v128.load8x8_s(ptr, 8) : v128.load(ptr, 16);
}

/** sum + a · b, for pairs both products. */
// @ts-ignore: decorator
@inline
export function addProducts(isInt8: bool, a: v128, b: v128, sum: v128): v128 {
  return isInt8 ? i32x4.add(sum, i32x4.dot_i16x8_s(a, b)) : madd(a, b, sum);
}
