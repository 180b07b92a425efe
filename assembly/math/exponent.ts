/**
 * Shared by the exponentials: an integer as a float32's exponent. Adding MAGIC to a number rounds it to an integer n, and leaves
 * n + 127 in the last bits: shifted to the exponent's bits they are 2ⁿ.
 *
 *     exp2.ts      exp2Neg4, exp2Neg1     2ˣ for x ≤ 0      attention, whose scores come multiplied by log₂e
 *                  expByExp2Neg4          eˣ for x ≤ 0      softmax, where a relative error of |x| · 2⁻²⁵ is small
 *     exp.ts       expNeg4, expSumNeg4    eˣ for x ≤ 0      feature maps, activations; its parts also make tanh
 *     expAny.ts    expAny4, expAny1       eˣ for any x      feature maps, decays
 *
 * 4: of four lanes; 1: of one number, with the same bits. Neg: of numbers up to 0.
 */

/** log₂e: e^x = 2^(x · LOG2E). */
// @ts-ignore: decorator
@inline
export const LOG2E: f64 = 1.4426950408889634;

// Static data: see `minusInfinity` in simd.ts.
const MAGIC = memory.data<f32>([12583039]); // 1.5 · 2²³ + 127
const LOG2E_DATA = memory.data<f32>([<f32>LOG2E]);

// @ts-ignore: decorator
@inline
export function magic(): v128 {
  return v128.load32_splat(MAGIC);
}

/** LOG2E in each lane. */
// @ts-ignore: decorator
@inline
export function log2e(): v128 {
  return v128.load32_splat(LOG2E_DATA);
}

/** n, from n + MAGIC. */
// @ts-ignore: decorator
@inline
export function integerOf(shifted: v128): v128 {
  return f32x4.sub(shifted, magic());
}

/** 2ⁿ, from n + MAGIC. */
// @ts-ignore: decorator
@inline
export function powerOfTwo(shifted: v128): v128 {
  return i32x4.shl(shifted, 23);
}
