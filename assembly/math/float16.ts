/** IEEE 754 binary16 to binary32, and back. */

const TWO_POW_112 = memory.data<f32>([5.192296858534828e33]);
const MASKS = memory.data<u32>([0x7fff, 0x8000, 0x7bff, 0x7f800000]);

/**
 * Widens `count` numbers, all exactly; NaN stays NaN.
 * The source may lie inside the destination if both end at the same address: writing never overtakes reading.
 */
export function widenFloat16(srcPtr: usize, dstPtr: usize, count: usize): void {
  for (; count >= 4; count -= 4, srcPtr += 8, dstPtr += 16) v128.store(dstPtr, widen4(v128.load_ext<u16>(srcPtr)));
  for (; count > 0; count--, srcPtr += 2, dstPtr += 4) {
    store<f32>(dstPtr, f32x4.extract_lane(widen4(i32x4.splat(load<u16>(srcPtr))), 0));
  }
}

/**
 *     s eeeee mmmmmmmmmm  →  s 000eeeee mmmmmmmmmm0000000000000 · 2¹¹²
 *
 * The product moves the exponent from bias 15 to bias 127 and makes subnormals normal. The largest exponent means Infinity or NaN in
 * both formats and is restored.
 */
// @ts-ignore: decorator
@inline
function widen4(half: v128): v128 {
  const magnitude = v128.and(half, v128.load32_splat(MASKS));
  const sign = i32x4.shl(v128.and(half, v128.load32_splat(MASKS, 4)), 16);
  const value = f32x4.mul(i32x4.shl(magnitude, 13), v128.load32_splat(TWO_POW_112));
  const special = v128.and(i32x4.gt_s(magnitude, v128.load32_splat(MASKS, 8)), v128.load32_splat(MASKS, 12));
  return v128.or(v128.or(value, special), sign);
}

/** In binary32, 2¹⁶, which is infinite in binary16; the smallest normal number of binary16; 1/2, whose last bit is 2⁻²⁴. */
const BOUNDS = memory.data<u32>([0x47800000, 0x38800000, 0x3f000000]);
/** The sign; the change of bias and, below the last bit, just less than half of it; the last bit; quiet; infinity. */
const BITS = memory.data<u32>([0x80000000, 0xc8000fff, 1, 0x200, 0x7c00]);

/**
 * Rounds `count` numbers to the nearest, ties to even; beyond the range to infinity. NaN stays NaN, quiet and with its sign.
 * The destination may begin where the source does: reading stays ahead of writing.
 */
export function narrowFloat16(srcPtr: usize, dstPtr: usize, count: usize): void {
  for (; count >= 4; count -= 4, srcPtr += 16, dstPtr += 8) v128.store64_lane(dstPtr, narrow4(v128.load(srcPtr)), 0);
  for (; count > 0; count--, srcPtr += 4, dstPtr += 2) v128.store16_lane(dstPtr, narrow4(v128.load32_splat(srcPtr)), 0);
}

/**
 * A normal number moves to bias 15 by integer arithmetic, which rounds and carries into the exponent; a subnormal one is rounded by the
 * addition of 1/2, which shifts it so that its last bit is binary16's.
 */
// @ts-ignore: decorator
@inline
function narrow4(x: v128): v128 {
  const sign = v128.and(x, v128.load32_splat(BITS));
  const magnitude = v128.xor(x, sign);
  const isOdd = v128.and(i32x4.shr_u(magnitude, 13), v128.load32_splat(BITS, 8));
  const rounded = i32x4.add(i32x4.add(magnitude, v128.load32_splat(BITS, 4)), isOdd);
  const normal = i32x4.shr_u(rounded, 13);
  const half = v128.load32_splat(BOUNDS, 8);
  const subnormal = i32x4.sub(f32x4.add(magnitude, half), half);
  const finite = v128.bitselect(subnormal, normal, i32x4.lt_s(magnitude, v128.load32_splat(BOUNDS, 4)));
  const quiet = v128.and(f32x4.ne(x, x), v128.load32_splat(BITS, 12));
  const special = v128.or(quiet, v128.load32_splat(BITS, 16));
  const bits = v128.bitselect(finite, special, i32x4.lt_s(magnitude, v128.load32_splat(BOUNDS)));
  const signed = v128.or(bits, i32x4.shr_u(sign, 16));
  return i16x8.narrow_i32x4_u(signed, signed);
}
