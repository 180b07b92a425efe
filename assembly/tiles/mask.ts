/** Visibility on scores: what a mask or a bias of −∞ hides, and what bounds hide within a block. */
import { minusInfinity } from "../math/simd";
import { firstLanes } from "../math/lanes";
import { floorPanel, PANEL, PANEL_BYTES } from "./layout";
import { KeyRange } from "../attention/keyRange";
import { inUnit4 } from "../math/scoreUnit";

/** Writes −∞ to the scores of keys `from` to `to` − 1; `scoresPtr` is the place of key 0. */
export function hideKeys(scoresPtr: usize, from: usize, to: usize): void {
  for (let j = from; j < to; j++) store<f32>(scoresPtr + (j << 2), -Infinity);
}

/** Hides what lies outside of `range` among the keys `first` to `last` − 1, which score at `scoresPtr` onwards. */
export function applyRange(range: KeyRange, scoresPtr: usize, first: usize, last: usize): void {
  const origin = scoresPtr - (first << 2);
  hideKeys(origin, max(first, range.sinkEnd), min(last, range.from));
  hideKeys(origin, max(first, range.end), min(last, range.extraStart));
  hideKeys(origin, max(first, range.to), last);
}

// @ts-ignore: decorator
@inline
function biased(score: v128, bias: v128, units: v128): v128 {
  const invisible = minusInfinity();
  return v128.bitselect(invisible, f32x4.add(score, inUnit4(bias, units)), f32x4.eq(bias, invisible));
}

/**
 * s → s + bias · unit of `keys` keys, −∞ where the bias is −∞ whatever s is. Reads up to 12 bytes beyond the bias's end, and changes no
 * score beyond.
 *
 * @param keyStride  1, or 0 where one number serves every key
 * @param unit       as in Strip
 */
export function addBias(scoresPtr: usize, biasPtr: usize, keyStride: usize, keys: usize, unit: f64): void {
  const wholeEnd = scoresPtr + ((keys & ~3) << 2);
  const step = keyStride << 4;
  const units = f32x4.splat(<f32>unit);
  for (; scoresPtr < wholeEnd; scoresPtr += 16, biasPtr += step) {
    const bias = keyStride ? v128.load(biasPtr) : v128.load32_splat(biasPtr);
    v128.store(scoresPtr, biased(v128.load(scoresPtr), bias, units));
  }
  const rest = keys & 3;
  if (rest == 0) return;
  const bias = keyStride ? v128.load(biasPtr) : v128.load32_splat(biasPtr);
  const scores = v128.load(scoresPtr);
  v128.store(scoresPtr, v128.bitselect(biased(scores, bias, units), scores, firstLanes(rest)));
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
