/**
 * x · factor, kept finite if x is finite. The lowest float32 is often a bias: multiplied by log₂e it must not become −∞, which
 * hides a key. Infinities and NaN stay what they are.
 */

// Static data: see `minusInfinity` in simd.ts.
const LARGEST = memory.data<f32>([f32.MAX_VALUE]);
const LOWEST = memory.data<f32>([-f32.MAX_VALUE]);
const INFINITY = memory.data<f32>([Infinity]);

// @ts-ignore: decorator
@inline
export function scaleFinite4(x: v128, factors: v128): v128 {
  const product = f32x4.mul(x, factors);
  const finite = f32x4.pmin(f32x4.pmax(product, v128.load32_splat(LOWEST)), v128.load32_splat(LARGEST));
  return v128.bitselect(x, finite, f32x4.eq(f32x4.abs(x), v128.load32_splat(INFINITY)));
}

/** The same for one number. */
export function scaleFinite(x: f32, factor: f64): f32 {
  return abs(x) == Infinity ? x : <f32>max<f64>(-f32.MAX_VALUE, min<f64>(f32.MAX_VALUE, <f64>x * factor));
}
