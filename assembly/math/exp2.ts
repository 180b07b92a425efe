/**
 * Powers of two of four lanes.
 *
 *     2ˣ = 2ⁿ · 2ʳ ,   n = round(x) ,   r = x − n ∈ [−½, ½], exactly
 *
 * 2ʳ = 1 + r · q(r) with q of degree 5, fitted to a relative error of 2e-9. Adding MAGIC rounds, and leaves n + 127 in the last
 * bits: shifted to the exponent's place they are 2ⁿ.
 *
 * Softmax has no use for eˣ: with log₂e in the factor on the scores, 2ˣ is the same and takes 2 % less of a call, as there is no
 * multiple of ln 2 to subtract.
 */
import { madd, onePlusTimes } from "./simd";

/** log₂e: e^x = 2^(x · LOG2E). */
// @ts-ignore: decorator
@inline
export const LOG2E: f64 = 1.4426950408889634;

// Byte offsets of the constants, which V8 loads faster from static data than it rebuilds literals.
const LOWEST = 0; // below, 2ˣ would be subnormal: it is exactly 0 instead
const MAGIC = 4; // 1.5 · 2²³ + 127
const Q5 = 8;
const Q4 = 12;
const Q3 = 16;
const Q2 = 20;
const Q1 = 24;
const Q0 = 28;
const UNIT = 32; // log₂e
const LOWEST_OF_E = 36; // the same limit for eˣ
const CONSTANTS = memory.data<f32>([
  -126,
  12583039,
  0.00015353350504,
  0.0013398877345,
  0.00961843691766,
  0.0555033236742,
  0.24022647738457,
  0.6931471824646,
  <f32>LOG2E,
  -87.33654,
]);

// @ts-ignore: decorator
@inline
function constant(offset: usize): v128 {
  return v128.load32_splat(CONSTANTS + offset);
}

/** n + MAGIC */
// @ts-ignore: decorator
@inline
function shiftedExponent(x: v128): v128 {
  return f32x4.add(x, constant(MAGIC));
}

/** 2ⁿ */
// @ts-ignore: decorator
@inline
function powerOfTwo(shifted: v128): v128 {
  return i32x4.shl(shifted, 23);
}

/** r */
// @ts-ignore: decorator
@inline
function remainder(x: v128, shifted: v128): v128 {
  return f32x4.sub(x, f32x4.sub(shifted, constant(MAGIC)));
}

/** r · q(r) = 2ʳ − 1. Pairs of terms side by side: a shorter chain of products than one by one (Estrin 1960). */
// @ts-ignore: decorator
@inline
function powerMinusOne(r: v128): v128 {
  const r2 = f32x4.mul(r, r);
  const q01 = madd(constant(Q1), r, constant(Q0));
  const q23 = madd(constant(Q3), r, constant(Q2));
  const q45 = madd(constant(Q5), r, constant(Q4));
  const q = madd(madd(q45, r2, q23), r2, q01);
  return f32x4.mul(q, r);
}

/**
 * 2ˣ for x ≤ 0, ≤ 1.5 ulp on [−126, 0]. exp2x4(0) is exactly 1; below −126, and for −∞, exactly 0; NaN stays NaN.
 * Not clamped first: what a lane below the limit computes is thrown away by the last step, whatever it was.
 */
// @ts-ignore: decorator
@inline
export function exp2x4(x: v128): v128 {
  const shifted = shiftedExponent(x);
  const r = remainder(x, shifted);
  const power = onePlusTimes(powerMinusOne(r), powerOfTwo(shifted));
  return v128.andnot(power, f32x4.lt(x, constant(LOWEST)));
}

/**
 * eˣ for x ≤ 0, by 2^(x · log₂e): the product is rounded once where multiply-adds are fused, which costs |x| · 2⁻²⁵ of the result, and
 * twice elsewhere. exactly 1 for 0; below −87.33, and for −∞, exactly 0; NaN stays NaN.
 */
// @ts-ignore: decorator
@inline
export function expBy2x4(x: v128): v128 {
  const shifted = madd(x, constant(UNIT), constant(MAGIC));
  const r = madd(x, constant(UNIT), f32x4.sub(constant(MAGIC), shifted));
  const power = onePlusTimes(powerMinusOne(r), powerOfTwo(shifted));
  return v128.andnot(power, f32x4.lt(x, constant(LOWEST_OF_E)));
}

/** exp2x4 of one number, with the same bits as in a vector. */
export function exp2x1(x: f32): f32 {
  return f32x4.extract_lane(exp2x4(f32x4.splat(x)), 0);
}
