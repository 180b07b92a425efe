/**
 * Integers for floats: x ≈ scale · n, with the scale that maps the largest |x| of a row to the largest integer.
 *
 *     keys and values   int8, one scale per key and head        when they enter a cache
 *     queries           int16, one scale per row                once per strip
 *     weights           int16, one scale per row and block      block by block, the scales of the values multiplied in
 *
 * Products of int16 and int8 are summed in int32: 32767 · 127 · 512 keys of a block fit, and queries use fewer bits if headDim is
 * above 512.
 */
import { pairsOf } from "./pairs";
import { PANEL_BYTES } from "./layout";

const INT8_LIMIT: f32 = 127;
const INT16_LIMIT: f32 = 32767;
const LIMITS = memory.data<f32>([INT8_LIMIT, INT16_LIMIT]);

/**
 * Four numbers in steps, as int32; 0 / 0 becomes 0. Divides, because 1 / step may be infinite; clamps to ±limit, because subnormal
 * steps are inexact.
 */
// @ts-ignore: decorator
@inline
function inSteps(x: v128, step: v128, limit: v128): v128 {
  const n = f32x4.nearest(f32x4.div(x, step));
  return i32x4.trunc_sat_f32x4_s(f32x4.max(f32x4.min(n, limit), f32x4.neg(limit)));
}

/** Largest absolute value of a row; NaN if one is NaN. */
function largest(ptr: usize, count: usize): f32 {
  const end = ptr + (count << 2);
  const wholeEnd = ptr + ((count & ~3) << 2);
  let most = f32x4.splat(0);
  for (; ptr < wholeEnd; ptr += 16) most = f32x4.max(most, f32x4.abs(v128.load(ptr)));
  for (; ptr < end; ptr += 4) most = f32x4.max(most, f32x4.abs(v128.load32_splat(ptr)));
  most = f32x4.max(most, v128.shuffle<f32>(most, most, 2, 3, 0, 1));
  return max<f32>(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1));
}

/** Narrows four int32 to the first four bytes. */
// @ts-ignore: decorator
@inline
function asBytes(n: v128): v128 {
  const n16 = i16x8.narrow_i32x4_s(n, n);
  return i8x16.narrow_i16x8_s(n16, n16);
}

/** Rounds a row of floats to bytes; returns its scale, NaN if a number is not finite. */
export function quantizeRow(rowPtr: usize, count: usize, bytesPtr: usize): f32 {
  const most = largest(rowPtr, count);
  if (!(most < Infinity)) return NaN;
  const scale = most / INT8_LIMIT;
  const scales = f32x4.splat(scale);
  const limit = v128.load32_splat(LIMITS);
  const wholeEnd = bytesPtr + (count & ~3);
  for (; bytesPtr < wholeEnd; bytesPtr += 4, rowPtr += 16) {
    v128.store32_lane(bytesPtr, asBytes(inSteps(v128.load(rowPtr), scales, limit)), 0);
  }
  for (let rest = count & 3; rest > 0; rest--, bytesPtr++, rowPtr += 4) {
    v128.store8_lane(bytesPtr, asBytes(inSteps(v128.load32_splat(rowPtr), scales, limit)), 0);
  }
  return scale;
}

/** Bytes as floats, times their scale. */
export function widenRow(bytesPtr: usize, count: usize, scale: f32, rowPtr: usize): void {
  for (const end = bytesPtr + count; bytesPtr < end; bytesPtr++, rowPtr += 4) store<f32>(rowPtr, <f32>load<i8>(bytesPtr) * scale);
}

/**
 * Rounds a panel of queries [headDim, 8] to pairs [⌈headDim / 2⌉, 8] of int16 in place; the scale of each row goes to
 * `scalesPtr` [8]. A row with NaN or infinity has a scale that makes all its scores NaN. If headDim is odd, the last pairs hold
 * arbitrary numbers: 32 bytes beyond the panel are read, and keys have 0 there.
 */
export function quantizeQueries(panelPtr: usize, headDim: usize, scalesPtr: usize): void {
  let most0123 = f32x4.splat(0);
  let most4567 = most0123;
  const end = panelPtr + headDim * PANEL_BYTES;
  for (let ptr = panelPtr; ptr < end; ptr += PANEL_BYTES) {
    most0123 = f32x4.max(most0123, f32x4.abs(v128.load(ptr)));
    most4567 = f32x4.max(most4567, f32x4.abs(v128.load(ptr, 16)));
  }
  const limit = f32x4.splat(min(INT16_LIMIT, <f32>(i32.MAX_VALUE / (<i32>INT8_LIMIT * 2 * <i32>pairsOf(headDim)))));
  const step0123 = f32x4.div(most0123, limit);
  const step4567 = f32x4.div(most4567, limit);
  v128.store(scalesPtr, step0123);
  v128.store(scalesPtr, step4567, 16);
  let pairPtr = panelPtr;
  for (let ptr = panelPtr; ptr < end; ptr += 2 * PANEL_BYTES, pairPtr += PANEL_BYTES) {
    const even0123 = inSteps(v128.load(ptr), step0123, limit);
    const even4567 = inSteps(v128.load(ptr, 16), step4567, limit);
    const odd0123 = inSteps(v128.load(ptr, PANEL_BYTES), step0123, limit);
    const odd4567 = inSteps(v128.load(ptr, PANEL_BYTES + 16), step4567, limit);
    v128.store(pairPtr, pairUp(even0123, odd0123));
    v128.store(pairPtr, pairUp(even4567, odd4567), 16);
  }
}

/** Four pairs of int16 from their even and their odd members. */
// @ts-ignore: decorator
@inline
function pairUp(even: v128, odd: v128): v128 {
  const narrow = i16x8.narrow_i32x4_s(even, odd); // four even, four odd
  return v128.shuffle<i16>(narrow, narrow, 0, 4, 1, 5, 2, 6, 3, 7);
}

/**
 * Rounds a row of weights, times the scale of each key's values, to int16 in place; returns the scale.
 *
 * @param count  a multiple of 8
 */
export function quantizeWeights(weightsPtr: usize, valueScalesPtr: usize, count: usize): f32 {
  const bytes = count << 2;
  let most = f32x4.splat(0);
  for (let byte: usize = 0; byte < bytes; byte += 16) {
    const w = f32x4.mul(v128.load(weightsPtr + byte), v128.load(valueScalesPtr + byte));
    v128.store(weightsPtr + byte, w);
    most = f32x4.pmax(most, w);
  }
  most = f32x4.pmax(most, v128.shuffle<f32>(most, most, 2, 3, 0, 1));
  const scale = max<f32>(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)) / INT16_LIMIT;
  const step = f32x4.splat(scale);
  const limit = v128.load32_splat(LIMITS, 4);
  let outPtr = weightsPtr;
  for (let byte: usize = 0; byte < bytes; byte += 32, outPtr += 16) {
    const low = inSteps(v128.load(weightsPtr + byte), step, limit);
    const high = inSteps(v128.load(weightsPtr + byte, 16), step, limit);
    v128.store(outPtr, i16x8.narrow_i32x4_s(low, high));
  }
  return scale;
}
