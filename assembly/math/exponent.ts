/**
 * Shared by the exponentials: an integer as a float32's exponent. Adding MAGIC to a number rounds it to an integer n, and leaves
 * n + 100 in the last bits: shifted to the exponent's bits they are 2ⁿ⁻²⁷, and exactly 0 for n = −100.
 *
 * So powers below 2^−99.5 are 0, long before they would be subnormal: many processors compute with those in microcode, and a
 * power is multiplied by what it weighs. A power that is kept makes no subnormal number of any above 2⁻²⁶.
 * Arguments are bounded by the number whose n is −100, hence no lane computes with one, whether or not its result counts.
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

/** 2²⁷: what 2ⁿ⁻²⁷ lacks. */
// @ts-ignore: decorator
@inline
export const SCALE: f32 = 134217728;

/** The largest exponent whose power underflows to 0; the same for powers of e. */
// @ts-ignore: decorator
@inline
export const UNDERFLOW: f32 = -100;
// @ts-ignore: decorator
@inline
export const UNDERFLOW_OF_E: f32 = -69.31472;

// Static data: see `minusInfinity` in simd.ts.
const MAGIC = memory.data<f32>([12583012]); // 1.5 · 2²³ + 100
const LOG2E_DATA = memory.data<f32>([<f32>LOG2E]);
const SCALE_DATA = memory.data<f32>([SCALE]);
const FLUSH_LIMIT = memory.data<f32>([7.888609052210118e-31]); // 2⁻¹⁰⁰

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

/** What sums that decay step by step are flushed to 0 below. */
// @ts-ignore: decorator
@inline
export function flushLimit(): v128 {
  return v128.load32_splat(FLUSH_LIMIT);
}

/** SCALE in each lane. */
// @ts-ignore: decorator
@inline
export function scale(): v128 {
  return v128.load32_splat(SCALE_DATA);
}

/** 2ⁿ / SCALE, from n + MAGIC; exactly 0 for n = −100. */
// @ts-ignore: decorator
@inline
export function powerOfTwo(shifted: v128): v128 {
  return i32x4.shl(shifted, 23);
}
