/**
 * Which keys a row may see. What bounds can say (causal, window, sink tokens, lengths) is said by bounds, which limit the loops;
 * what they can't say (a boolean mask, a bias of −∞) turns single scores into −∞.
 */
import { minusInfinity } from "./simd";
import { PANEL_BYTES } from "./layout";
import { AttentionParams, SequenceParams } from "./params";

/** Keys before this one the causal mask and the key length leave to a row at `position`. */
// @ts-ignore: decorator
@inline
function keyLimit(p: AttentionParams, sequence: SequenceParams, position: i32): i32 {
  return max(0, p.causal ? min(sequence.keyLength, position + 1) : sequence.keyLength);
}

// @ts-ignore: decorator
@inline
function windowFrom(p: AttentionParams, position: i32): i32 {
  return p.windowLeft < 0 ? 0 : max(0, position - p.windowLeft);
}

// @ts-ignore: decorator
@inline
function windowTo(p: AttentionParams, limit: i32, position: i32): i32 {
  return p.windowRight < 0 ? limit : min(limit, position + p.windowRight + 1);
}

/**
 * A set of keys [0, sinkEnd) ∪ [from, to) with sinkEnd < from, or sinkEnd = 0. None: to = 0.
 *
 *     0       sinkEnd        from            to
 *     █████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒█████████████████
 */
@unmanaged
export class KeyRange {
  sinkEnd: usize;
  from: usize;
  to: usize;

  /** The keys that row `i` of a sequence may see, as far as bounds say it. */
  @inline
  setRow(p: AttentionParams, sequence: SequenceParams, i: i32): void {
    this.setSpan(p, sequence, i, i);
  }

  /** The keys that any of the rows `first` to `last` may see: both ends of the window move with the row. */
  setSpan(p: AttentionParams, sequence: SequenceParams, first: i32, last: i32): void {
    last = min(last, sequence.queryLength - 1);
    let limit = 0;
    let from = 0;
    let to = 0;
    if (first <= last) {
      limit = keyLimit(p, sequence, last + sequence.queryOffset);
      from = windowFrom(p, first + sequence.queryOffset);
      to = windowTo(p, limit, last + sequence.queryOffset);
    }
    const sinkEnd = min(p.sinkTokens, limit);
    const windowIsEmpty = from >= to;
    const isOneRange = windowIsEmpty || sinkEnd >= from;
    this.sinkEnd = isOneRange ? 0 : sinkEnd;
    this.from = isOneRange ? 0 : from;
    this.to = windowIsEmpty ? sinkEnd : max(to, sinkEnd);
  }
}

/** Writes −∞ to the scores of keys `from` to `to` − 1; `scoresPtr` is the place of key 0. */
function hideKeys(scoresPtr: usize, from: usize, to: usize): void {
  for (let j = from; j < to; j++) store<f32>(scoresPtr + (j << 2), -Infinity);
}

/** Hides what lies outside of `range` among the keys `first` to `last` − 1, which score at `scoresPtr` onwards. */
export function applyRange(range: KeyRange, scoresPtr: usize, first: usize, last: usize): void {
  const origin = scoresPtr - (first << 2);
  hideKeys(origin, max(first, range.sinkEnd), min(last, range.from));
  hideKeys(origin, max(first, range.to), last);
}

/**
 * s → s + bias, −∞ where the bias is −∞ whatever s is. Reads the bias in whole panels, up to 28 bytes beyond its end.
 *
 * @param keyStride  1, or 0 where one number serves every key
 */
export function addBias(scoresPtr: usize, biasPtr: usize, keyStride: usize, bytes: usize): void {
  const end = scoresPtr + bytes;
  const step = keyStride << 4;
  const invisible = minusInfinity();
  for (; scoresPtr < end; scoresPtr += 16, biasPtr += step) {
    const bias = keyStride ? v128.load(biasPtr) : v128.load32_splat(biasPtr);
    const sum = f32x4.add(v128.load(scoresPtr), bias);
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
