/** Hides scores: by a mask, by a bias of −∞, and by bounds within a block. */
import { minusInfinity } from "../math/simd";
import { firstLanes } from "../math/lanes";
import { floorPanel, PANEL, PANEL_BYTES } from "./layout";
import { scaleFinite4 } from "../math/scaleFinite";

/** Writes −∞ to the scores of keys `from` to `to` − 1; `scoresPtr` is the address of key 0's. */
export function hideKeys(scoresPtr: usize, from: usize, to: usize): void {
  for (let j = from; j < to; j++) store<f32>(scoresPtr + (j << 2), -Infinity);
}

/** score + bias, −∞ where the bias is −∞, even if the score is NaN. */
// @ts-ignore: decorator
@inline
export function biased(score: v128, bias: v128): v128 {
  const invisible = minusInfinity();
  return v128.bitselect(invisible, f32x4.add(score, bias), f32x4.eq(bias, invisible));
}

/**
 * s → s + bias · factor of `keys` keys, −∞ where the bias is −∞, even if s is NaN. Reads up to 12 bytes beyond the bias's end, and changes
 * no score beyond.
 *
 * @param keyStride  1, or 0 if one number serves every key
 * @param factor     the factor on scores
 */
export function addScaledBias(scoresPtr: usize, biasPtr: usize, keyStride: usize, keys: usize, factor: f64): void {
  const wholeEnd = scoresPtr + ((keys & ~3) << 2);
  const step = keyStride << 4;
  const factors = f32x4.splat(<f32>factor);
  for (; scoresPtr < wholeEnd; scoresPtr += 16, biasPtr += step) {
    const bias = keyStride ? v128.load(biasPtr) : v128.load32_splat(biasPtr);
    v128.store(scoresPtr, biased(v128.load(scoresPtr), scaleFinite4(bias, factors)));
  }
  const rest = keys & 3;
  if (rest == 0) return;
  const bias = keyStride ? v128.load(biasPtr) : v128.load32_splat(biasPtr);
  const scores = v128.load(scoresPtr);
  v128.store(scoresPtr, v128.bitselect(biased(scores, scaleFinite4(bias, factors)), scores, firstLanes(rest)));
}

/** s → −∞ where the mask's byte is 0, of `keys` keys. `keyStride` as above. */
export function applyMask(scoresPtr: usize, maskPtr: usize, keyStride: usize, keys: usize): void {
  if (!keyStride) {
    if (!load<u8>(maskPtr)) hideKeys(scoresPtr, 0, keys);
    return;
  }
  const wholeEnd = scoresPtr + (floorPanel(keys) << 2);
  const invisible = minusInfinity();
  const zero = i32x4.splat(0);
  for (; scoresPtr < wholeEnd; scoresPtr += PANEL_BYTES, maskPtr += PANEL) {
    const flags = v128.load_ext<u8>(maskPtr);
    const hidden0123 = i32x4.eq(i32x4.extend_low_i16x8_u(flags), zero);
    const hidden4567 = i32x4.eq(i32x4.extend_high_i16x8_u(flags), zero);
    v128.store(scoresPtr, v128.bitselect(invisible, v128.load(scoresPtr), hidden0123));
    v128.store(scoresPtr, v128.bitselect(invisible, v128.load(scoresPtr, 16), hidden4567), 16);
  }
  for (let rest = keys % PANEL; rest > 0; rest--, scoresPtr += 4, maskPtr++) {
    if (!load<u8>(maskPtr)) store<f32>(scoresPtr, -Infinity);
  }
}
