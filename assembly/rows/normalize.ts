/**
 * Normalization of rows.
 *
 *     layer norm  out = (x − mean) / √(variance + eps) · weight + bias      Ba, Kiros & Hinton 2016, arXiv:1607.06450
 *     RMS norm    out = x / √(mean of x² + eps) · weight                    Zhang & Sennrich 2019, arXiv:1910.07467
 *
 * Sums are kept in float64, where the square of a float32 is exact and no row overflows: lane j mod 8 sums the elements j, j + 8, …
 * The mean is subtracted in two parts, its float32 and the rest, so that small deviations from a large mean lose nothing and a
 * row of equal numbers gives exactly the bias.
 */
import { firstLanes, lowerLanes, storeLanes, upperLanes } from "../math/lanes";
import { PANEL, PANEL_BYTES } from "../tiles/layout";
import { madd } from "../math/simd";

/** Normalization of rows. */
@unmanaged
export class NormalizeParams {
  x: usize;
  /** May be x. */
  out: usize;
  // [length], 0 where absent
  weight: usize;
  bias: usize;
  rows: usize;
  /** Elements of a row. */
  length: usize;
  /** Added to the mean square. */
  eps: f32;
  /** 1: the mean is subtracted first, as layer norm does. */
  isCentered: i32;
}

export function normalizeUnits(params: usize): usize {
  return changetype<NormalizeParams>(params).rows;
}

/** The rows `first` to `end` − 1. */
export function normalize(params: usize, _workspace: usize, first: usize, end: usize): void {
  const p = changetype<NormalizeParams>(params);
  for (let row = first; row < end; row++) {
    const offset = (row * p.length) << 2;
    const src = p.x + offset;
    const mean = p.isCentered ? sumRow(src, p.length) / <f64>p.length : 0;
    const high = <f32>mean;
    const low = <f32>(mean - <f64>high);
    const variance = sumOfSquares(src, p.length, high, low) / <f64>p.length;
    const factor = <f32>(1 / sqrt<f64>(variance + <f64>p.eps));
    const dst = p.out + offset;
    if (p.weight && p.bias) normalizeRow(src, dst, p.length, high, low, factor, p.weight, p.bias, true, true);
    else if (p.weight) normalizeRow(src, dst, p.length, high, low, factor, p.weight, 0, true, false);
    else if (p.bias) normalizeRow(src, dst, p.length, high, low, factor, 0, p.bias, false, true);
    else normalizeRow(src, dst, p.length, high, low, factor, 0, 0, false, false);
  }
}

// @ts-ignore: decorator
@inline
function upperPair(x: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 2, 3));
}

// @ts-ignore: decorator
@inline
function sumPairs(sum01: v128, sum23: v128, sum45: v128, sum67: v128): f64 {
  const pair = f64x2.add(f64x2.add(sum01, sum45), f64x2.add(sum23, sum67));
  return f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
}

// @ts-ignore: decorator
@inline
function square(x: v128): v128 {
  return f64x2.mul(x, x);
}

/** Reads up to 28 bytes beyond the row, to no effect. */
function sumRow(ptr: usize, count: usize): f64 {
  const wholeEnd = ptr + ((count & ~(PANEL - 1)) << 2);
  let sum01 = f64x2.splat(0);
  let sum23 = sum01;
  let sum45 = sum01;
  let sum67 = sum01;
  for (; ptr < wholeEnd; ptr += PANEL_BYTES) {
    const x0123 = v128.load(ptr);
    const x4567 = v128.load(ptr, 16);
    sum01 = f64x2.add(sum01, f64x2.promote_low_f32x4(x0123));
    sum23 = f64x2.add(sum23, upperPair(x0123));
    sum45 = f64x2.add(sum45, f64x2.promote_low_f32x4(x4567));
    sum67 = f64x2.add(sum67, upperPair(x4567));
  }
  const rest = count & (PANEL - 1);
  const x0123 = v128.and(v128.load(ptr), firstLanes(lowerLanes(rest)));
  const x4567 = v128.and(v128.load(ptr, 16), firstLanes(upperLanes(rest)));
  sum01 = f64x2.add(sum01, f64x2.promote_low_f32x4(x0123));
  sum23 = f64x2.add(sum23, upperPair(x0123));
  sum45 = f64x2.add(sum45, f64x2.promote_low_f32x4(x4567));
  sum67 = f64x2.add(sum67, upperPair(x4567));
  return sumPairs(sum01, sum23, sum45, sum67);
}

/** Σ ((x − high) − low)². Reads up to 28 bytes beyond the row, to no effect. */
function sumOfSquares(ptr: usize, count: usize, high: f32, low: f32): f64 {
  const wholeEnd = ptr + ((count & ~(PANEL - 1)) << 2);
  const highs = f32x4.splat(high);
  const lows = f32x4.splat(low);
  let sum01 = f64x2.splat(0);
  let sum23 = sum01;
  let sum45 = sum01;
  let sum67 = sum01;
  for (; ptr < wholeEnd; ptr += PANEL_BYTES) {
    const d0123 = f32x4.sub(f32x4.sub(v128.load(ptr), highs), lows);
    const d4567 = f32x4.sub(f32x4.sub(v128.load(ptr, 16), highs), lows);
    sum01 = f64x2.add(sum01, square(f64x2.promote_low_f32x4(d0123)));
    sum23 = f64x2.add(sum23, square(upperPair(d0123)));
    sum45 = f64x2.add(sum45, square(f64x2.promote_low_f32x4(d4567)));
    sum67 = f64x2.add(sum67, square(upperPair(d4567)));
  }
  const rest = count & (PANEL - 1);
  const d0123 = v128.and(f32x4.sub(f32x4.sub(v128.load(ptr), highs), lows), firstLanes(lowerLanes(rest)));
  const d4567 = v128.and(f32x4.sub(f32x4.sub(v128.load(ptr, 16), highs), lows), firstLanes(upperLanes(rest)));
  sum01 = f64x2.add(sum01, square(f64x2.promote_low_f32x4(d0123)));
  sum23 = f64x2.add(sum23, square(upperPair(d0123)));
  sum45 = f64x2.add(sum45, square(f64x2.promote_low_f32x4(d4567)));
  sum67 = f64x2.add(sum67, square(upperPair(d4567)));
  return sumPairs(sum01, sum23, sum45, sum67);
}

/** ((x − high) − low) · factor · weight + bias. `dst` may be `src`; reads up to 12 bytes beyond each row, to no effect. */
// @ts-ignore: decorator
@inline
function normalizeRow(
  src: usize,
  dst: usize,
  count: usize,
  high: f32,
  low: f32,
  factor: f32,
  weight: usize,
  bias: usize,
  hasWeight: bool,
  hasBias: bool,
): void {
  const highs = f32x4.splat(high);
  const lows = f32x4.splat(low);
  const factors = f32x4.splat(factor);
  const bytes = count << 2;
  for (let at: usize = 0; at < bytes; at += 16) {
    let y = f32x4.mul(f32x4.sub(f32x4.sub(v128.load(src + at), highs), lows), factors);
    if (hasWeight && hasBias) y = madd(y, v128.load(weight + at), v128.load(bias + at));
    else if (hasWeight) y = f32x4.mul(y, v128.load(weight + at));
    else if (hasBias) y = f32x4.add(y, v128.load(bias + at));
    storeLanes(dst + at, y, lowerLanes((bytes - at) >> 2));
  }
}
