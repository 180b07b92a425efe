/** Powers of e of four lanes, for numbers of either sign; see `exp.ts`. */
import { expMinusOne, lowestExponent, remainder, shiftedExponent } from "./exp";
import { powerOfTwo } from "./exponent";
import { onePlusTimes } from "./simd";

// Byte offsets of the constants.
const HIGHEST = 0; // from here on the result is infinite
const LAST_POWER = 4; // 127 + MAGIC of exponent.ts: 2¹²⁷ is the largest power in float32
const CONSTANTS = memory.data<f32>([89, 12583166]);

/** eˣ, ≤ 2 ulp; exactly 1 for 0, exactly 0 below −87.33 and for −∞, +∞ beyond the largest float32; NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function expAny4(x: v128): v128 {
  const bounded = f32x4.pmin(x, v128.load32_splat(CONSTANTS, HIGHEST));
  const shifted = shiftedExponent(bounded);
  const last = v128.load32_splat(CONSTANTS, LAST_POWER);
  const power = onePlusTimes(expMinusOne(remainder(bounded, shifted)), powerOfTwo(f32x4.pmin(shifted, last)));
  const doubled = f32x4.add(power, v128.and(power, f32x4.gt(shifted, last)));
  return v128.andnot(doubled, f32x4.lt(x, lowestExponent()));
}

/** expAny4 of one number, with the same bits as in a vector. */
export function expAny1(x: f32): f32 {
  return f32x4.extract_lane(expAny4(f32x4.splat(x)), 0);
}
