/** Powers of e of four lanes, for numbers of either sign; see `exp.ts`. */
import { boundedExponent, expMinusOne, onePlusTimesPower, remainder, shiftedExponent } from "./exp";

/** From here on the result is infinite. */
const HIGHEST = memory.data<f32>([89]);

/** eˣ, ≤ 2 ulp; exactly 1 for 0, exactly 0 below −68.97 and for −∞, +∞ beyond the largest float32; NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function expAny4(x: v128): v128 {
  const bounded = f32x4.pmin(boundedExponent(x), v128.load32_splat(HIGHEST));
  const shifted = shiftedExponent(bounded);
  return onePlusTimesPower(expMinusOne(remainder(bounded, shifted)), shifted);
}

/** expAny4 of one number, with the same bits as in a vector. */
export function expAny1(x: f32): f32 {
  return f32x4.extract_lane(expAny4(f32x4.splat(x)), 0);
}
