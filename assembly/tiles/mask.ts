/** Visibility on scores: what a mask or a bias of −∞ hides, and what bounds hide within a block. */
import { minusInfinity } from "../math/simd";
import { PANEL_BYTES } from "./layout";
import { scaleFinite4 } from "../math/scaleFinite";

/** Writes −∞ to the scores of keys `from` to `to` − 1; `scoresPtr` is the address of key 0's. */
export function hideKeys(scoresPtr: usize, from: usize, to: usize): void {
  for (let j = from; j < to; j++) store<f32>(scoresPtr + (j << 2), -Infinity);
}

/**
 * s → s + bias · factor, −∞ where the bias is −∞ whatever s is. Reads the bias in whole panels, up to 28 bytes beyond its end.
 *
 * @param keyStride  1, or 0 where one number serves every key
 * @param factor     what a score of 1 stands as
 */
export function addScaledBias(scoresPtr: usize, biasPtr: usize, keyStride: usize, bytes: usize, factor: f64): void {
  const end = scoresPtr + bytes;
  const step = keyStride << 4;
  const invisible = minusInfinity();
  const factors = f32x4.splat(<f32>factor);
  for (; scoresPtr < end; scoresPtr += 16, biasPtr += step) {
    const bias = keyStride ? v128.load(biasPtr) : v128.load32_splat(biasPtr);
    const sum = f32x4.add(v128.load(scoresPtr), scaleFinite4(bias, factors));
    v128.store(scoresPtr, v128.bitselect(invisible, sum, f32x4.eq(bias, invisible)));
  }
}

/** s → −∞ where the mask's byte is 0. Reads the mask in whole panels, up to 7 bytes beyond its end. `keyStride` as above. */
export function applyMask(scoresPtr: usize, maskPtr: usize, keyStride: usize, bytes: usize): void {
  const end = scoresPtr + bytes;
  if (!keyStride) {
    if (!load<u8>(maskPtr)) hideKeys(scoresPtr, 0, bytes >> 2);
    return;
  }
  const invisible = minusInfinity();
  const zero = i32x4.splat(0);
  for (; scoresPtr < end; scoresPtr += PANEL_BYTES, maskPtr += PANEL_BYTES >> 2) {
    const flags = v128.load_ext<u8>(maskPtr);
    const hidden0123 = i32x4.eq(i32x4.extend_low_i16x8_u(flags), zero);
    const hidden4567 = i32x4.eq(i32x4.extend_high_i16x8_u(flags), zero);
    v128.store(scoresPtr, v128.bitselect(invisible, v128.load(scoresPtr), hidden0123));
    v128.store(scoresPtr, v128.bitselect(invisible, v128.load(scoresPtr, 16), hidden4567), 16);
  }
}
