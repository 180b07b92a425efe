/**
 * Pairs: with int8 a step of a tile's loop is a pair of channels, or of keys. B has pairs of int8, which a tile widens to int16 as it
 * loads them, A has pairs of int16; both products of a pair are added to a sum in int32, exact in any order.
 */
import { PANEL } from "./layout";

/** Bytes of one step through a panel: a pair in each of eight columns. */
// @ts-ignore: decorator
@inline
export const PAIR_PANEL_BYTES: usize = 2 * PANEL;

/** Pairs that hold `n` elements. */
// @ts-ignore: decorator
@inline
export function pairsOf(n: usize): usize {
  return (n + 1) >> 1;
}

/** sum + both products of the pairs in each of four lanes; the parameters in the order of madd. */
// @ts-ignore: decorator
@inline
export function addPairs(a: v128, b: v128, sum: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(a, b));
}
