/** Hyperbolic tangent of four lanes, by the exponential; see `exp.ts`. */
import { expMinusOne, remainder, shiftedExponent } from "./exp";
import { powerOfTwo, scale } from "./exponent";
import { madd } from "./simd";

// Byte offsets of the constants, which V8 loads faster from static data than it rebuilds literals.
const ONE = 0;
const TWO = 4;
const MINUS_TWO = 8;
const SIGN = 12;
const LOWEST = 16; // of −2|x|: from −18 down y is −1
const CONSTANTS = memory.data<f32>([1, 2, -2, -0.0, -40]);

// @ts-ignore: decorator
@inline
function constant(offset: usize): v128 {
  return v128.load32_splat(CONSTANTS + offset);
}

/**
 * tanh x, ≤ 3 ulp, odd to the bit; ±∞ gives ±1, NaN stays NaN.
 * By y = e^(−2|x|) − 1, formed without cancellation: tanh |x| = −y / (2 + y).
 */
// @ts-ignore: decorator
@inline
export function tanh4(x: v128): v128 {
  const u = f32x4.pmax(f32x4.mul(f32x4.abs(x), constant(MINUS_TWO)), constant(LOWEST));
  const shifted = shiftedExponent(u);
  const power = f32x4.mul(powerOfTwo(shifted), scale());
  const r = remainder(u, shifted);
  const y = madd(expMinusOne(r), power, f32x4.sub(power, constant(ONE)));
  const magnitude = f32x4.abs(f32x4.div(y, f32x4.add(y, constant(TWO))));
  return v128.bitselect(x, magnitude, constant(SIGN));
}
