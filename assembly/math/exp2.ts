/**
 * Powers of two of four lanes, for numbers up to 0.
 *
 *     2ˣ = 2ⁿ · 2ʳ ,   n = round(x) ,   r = x − n ∈ [−½, ½], exactly
 *
 * 2ʳ = 1 + r · q(r) with q of degree 5, fitted to a relative error of 2e-9. exponent.ts finds n and makes 2ⁿ of it.
 *
 * Softmax does not need eˣ: with log₂e in the factor on the scores, 2ˣ gives the same and saves 2 % of a call, as there is no
 * multiple of ln 2 to subtract.
 */
import { integerOf, log2e, magic, powerOfTwo } from "./exponent";
import { madd, onePlusTimes } from "./simd";

// Byte offsets of the constants, which V8 loads faster from static data than it rebuilds literals.
const LOWEST = 0; // below, 2ˣ would be subnormal: it is exactly 0 instead
const Q5 = 4;
const Q4 = 8;
const Q3 = 12;
const Q2 = 16;
const Q1 = 20;
const Q0 = 24;
const LOWEST_OF_E = 28; // the same limit for eˣ
const CONSTANTS = memory.data<f32>([
  -126, 0.00015353350504, 0.0013398877345, 0.00961843691766, 0.0555033236742, 0.24022647738457, 0.6931471824646, -87.33654,
]);

// @ts-ignore: decorator
@inline
function constant(offset: usize): v128 {
  return v128.load32_splat(CONSTANTS + offset);
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
 * 2ˣ for x ≤ 0, ≤ 1.5 ulp on [−126, 0]. exp2Neg4(0) is exactly 1; below −126, and for −∞, exactly 0; NaN stays NaN.
 * Not clamped first: the last step discards whatever a lane below the limit has computed.
 */
// @ts-ignore: decorator
@inline
export function exp2Neg4(x: v128): v128 {
  const shifted = f32x4.add(x, magic());
  const r = f32x4.sub(x, integerOf(shifted));
  const power = onePlusTimes(powerMinusOne(r), powerOfTwo(shifted));
  return v128.andnot(power, f32x4.lt(x, constant(LOWEST)));
}

/**
 * eˣ for x ≤ 0, by 2^(x · log₂e): the product is rounded once where multiply-adds are fused, which costs |x| · 2⁻²⁵ of the result, and
 * twice elsewhere. Exactly 1 for 0; below −87.33, and for −∞, exactly 0; NaN stays NaN.
 */
// @ts-ignore: decorator
@inline
export function expByExp2Neg4(x: v128): v128 {
  const shifted = madd(x, log2e(), magic());
  const r = madd(x, log2e(), f32x4.sub(magic(), shifted));
  const power = onePlusTimes(powerMinusOne(r), powerOfTwo(shifted));
  return v128.andnot(power, f32x4.lt(x, constant(LOWEST_OF_E)));
}

/** exp2Neg4 of one number, with the same bits as in a vector. */
export function exp2Neg1(x: f32): f32 {
  return f32x4.extract_lane(exp2Neg4(f32x4.splat(x)), 0);
}
