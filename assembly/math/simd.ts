/** The only file that knows which vector instructions a build may use, and the vector's shape. */

/** Whether this build may use relaxed SIMD. */
// @ts-ignore: decorator
@inline
export const IS_RELAXED: bool = ASC_FEATURE_RELAXED_SIMD;

/**
 * Whether V8 fuses two neighbouring instructions into one of 256 bits, so that tiles have room for twice as many columns. V8
 * pairs stores to p and p + 16, with the operations that feed them, if both addresses are one variable plus a literal offset, and
 * if each pair's loads come before both stores.
 */
// @ts-ignore: decorator
@inline
export const IS_WIDE: bool = IS_WIDE_BUILD != 0;

/** a · b + c in each lane: fused in the `relaxed` build, rounded twice elsewhere. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (IS_RELAXED) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** Largest lane. A maximum here never holds NaN, so −∞ may win over it. */
// @ts-ignore: decorator
@inline
export function maxLane(x: v128): f32 {
  const pair = f32x4.pmax(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return max<f32>(f32x4.extract_lane(pair, 0), f32x4.extract_lane(pair, 1));
}

/** (lane 0 + lane 2) + (lane 1 + lane 3): one fixed tree for every sum over lanes. */
// @ts-ignore: decorator
@inline
export function sumLanes(x: v128): f32 {
  const pair = f32x4.add(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1);
}

/**
 * −∞, as static data. V8 13.6 to 15 rebuilds a vector literal at every use in a loop, while a load costs nothing: constants other
 * than zero live in static data throughout the kernels.
 */
const INFINITIES = memory.data<f32>([-Infinity]);

// @ts-ignore: decorator
@inline
export function minusInfinity(): v128 {
  return v128.load32_splat(INFINITIES);
}
