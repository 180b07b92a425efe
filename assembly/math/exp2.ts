/**
 * Powers of two of four lanes, for numbers up to 0.
 *
 *     2ˣ = 2ⁿ · 2ʳ ,   n = round(x) ,   r = x − n ∈ [−½, ½], exactly
 *
 * 2ʳ = 1 + r · q(r) with q of degree 5, fitted to a relative error of 2e-9. exponent.ts finds n and makes 2ⁿ of it, divided by SCALE:
 * the coefficients of q are multiplied by it.
 *
 * Softmax does not need eˣ: with log₂e in the factor on the scores, 2ˣ gives the same and saves 2 % of a call, as there is no
 * multiple of ln 2 to subtract.
 */
import { integerOf, log2e, magic, powerOfTwo, SCALE, scale, UNDERFLOW, UNDERFLOW_OF_E } from "./exponent";
import { madd } from "./simd";

// Byte offsets of the constants, which V8 loads faster from static data than it rebuilds literals.
const LOWEST = 0;
const Q5 = 4;
const Q4 = 8;
const Q3 = 12;
const Q2 = 16;
const Q1 = 20;
const Q0 = 24;
const LOWEST_OF_E = 28;
const CONSTANTS = memory.data<f32>([
  UNDERFLOW,
  0.00015353350504 * SCALE,
  0.0013398877345 * SCALE,
  0.00961843691766 * SCALE,
  0.0555033236742 * SCALE,
  0.24022647738457 * SCALE,
  0.6931471824646 * SCALE,
  UNDERFLOW_OF_E,
]);

// @ts-ignore: decorator
@inline
function constant(offset: usize): v128 {
  return v128.load32_splat(CONSTANTS + offset);
}

/** (1 + r · q(r)) · SCALE. Pairs of terms side by side: a shorter chain of products than one by one (Estrin 1960). */
// @ts-ignore: decorator
@inline
function scaledPower(r: v128): v128 {
  const r2 = f32x4.mul(r, r);
  const q01 = madd(constant(Q1), r, constant(Q0));
  const q23 = madd(constant(Q3), r, constant(Q2));
  const q45 = madd(constant(Q5), r, constant(Q4));
  const q = madd(madd(q45, r2, q23), r2, q01);
  return madd(q, r, scale());
}

/** 2ˣ for x ≤ 0, ≤ 1.5 ulp above −99.5. exp2Neg4(0) is exactly 1; from −99.5 down, and for −∞, exactly 0; NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function exp2Neg4(x: v128): v128 {
  const bounded = f32x4.pmax(x, constant(LOWEST));
  const shifted = f32x4.add(bounded, magic());
  const r = f32x4.sub(bounded, integerOf(shifted));
  return f32x4.mul(scaledPower(r), powerOfTwo(shifted));
}

/**
 * eˣ for x ≤ 0, by 2^(x · log₂e): the product is rounded once where multiply-adds are fused, which costs |x| · 2⁻²⁵ of the result, and
 * twice elsewhere. Exactly 1 for 0; below −68.97, and for −∞, exactly 0; NaN stays NaN.
 */
// @ts-ignore: decorator
@inline
export function expByExp2Neg4(x: v128): v128 {
  const bounded = f32x4.pmax(x, constant(LOWEST_OF_E));
  const shifted = madd(bounded, log2e(), magic());
  const r = madd(bounded, log2e(), f32x4.sub(magic(), shifted));
  return f32x4.mul(scaledPower(r), powerOfTwo(shifted));
}

/** exp2Neg4 of one number, with the same bits as in a vector. */
export function exp2Neg1(x: f32): f32 {
  return f32x4.extract_lane(exp2Neg4(f32x4.splat(x)), 0);
}
