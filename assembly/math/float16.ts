/** IEEE 754 binary16 to binary32. */

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
