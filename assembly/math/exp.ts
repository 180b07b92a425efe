/**
 * Powers of e of four lanes, for numbers up to 0.
 *
 *     eˣ = 2ⁿ · eʳ ,   n = round(x · log₂e) ,   r = x − n · ln 2 ∈ [−0.347, 0.347]
 *
 * ln 2 comes in two parts (Cody & Waite 1980), the first short enough that its product with n is exact. eʳ = 1 + r + r² · q(r)
 * with q of degree 4, fitted by Remez' exchange to a relative error of 2.2e-8. exponent.ts finds n and makes 2ⁿ of it.
 */
import { integerOf, log2e, magic, powerOfTwo, scale, UNDERFLOW_OF_E } from "./exponent";
import { madd } from "./simd";

// Byte offsets of the constants, which V8 loads faster from static data than it rebuilds literals.
const LOWEST = 0;
const LN2_HIGH = 4; // negated, 16 bits
const LN2_LOW = 8; // negated
const Q4 = 12;
const Q3 = 16;
const Q2 = 20;
const Q1 = 24;
const Q0 = 28;
const CONSTANTS = memory.data<f32>([
  UNDERFLOW_OF_E,
  -0.693145751953125,
  -1.4286068203094172e-6,
  0.0013865760993212461,
  0.00835834164172411,
  0.04166702181100845,
  0.16666607558727264,
  0.5,
]);

// @ts-ignore: decorator
@inline
function constant(offset: usize): v128 {
  return v128.load32_splat(CONSTANTS + offset);
}

/** x, bounded from below by a number whose power is 0; NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function boundedExponent(x: v128): v128 {
  return f32x4.pmax(x, constant(LOWEST));
}

/** n + MAGIC */
// @ts-ignore: decorator
@inline
export function shiftedExponent(x: v128): v128 {
  return madd(x, log2e(), magic());
}

/** r */
// @ts-ignore: decorator
@inline
export function remainder(x: v128, shifted: v128): v128 {
  const n = integerOf(shifted);
  return madd(n, constant(LN2_LOW), madd(n, constant(LN2_HIGH), x));
}

/** q(r) · r² + r = eʳ − 1. Pairs of terms side by side: a shorter chain of products than one by one (Estrin 1960). */
// @ts-ignore: decorator
@inline
export function expMinusOne(r: v128): v128 {
  const r2 = f32x4.mul(r, r);
  const q01 = madd(constant(Q1), r, constant(Q0));
  const q23 = madd(constant(Q3), r, constant(Q2));
  const q = madd(madd(constant(Q4), r2, q23), r2, q01);
  return madd(q, r2, r);
}

/** (1 + e) · 2ⁿ, from n + MAGIC; exactly 0 for n = −100. */
// @ts-ignore: decorator
@inline
export function onePlusTimesPower(e: v128, shifted: v128): v128 {
  return f32x4.mul(madd(e, scale(), scale()), powerOfTwo(shifted));
}

/** eˣ for x ≤ 0; exactly 1 for 0, exactly 0 below −68.97 and for −∞; NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function expNeg4(x: v128): v128 {
  const bounded = boundedExponent(x);
  const shifted = shiftedExponent(bounded);
  return onePlusTimesPower(expMinusOne(remainder(bounded, shifted)), shifted);
}

/** e^(x + low), like expNeg4; `low` is a correction to the last bits of x. */
// @ts-ignore: decorator
@inline
export function expSumNeg4(x: v128, low: v128): v128 {
  const bounded = boundedExponent(x);
  const shifted = shiftedExponent(bounded);
  return onePlusTimesPower(expMinusOne(f32x4.add(remainder(bounded, shifted), low)), shifted);
}
