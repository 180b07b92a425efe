/**
 * Rotates keys back by one angle for each pair of channels, as keys of a cache move to earlier positions.
 *
 *     (a, b) → (a cos θ + b sin θ, b cos θ − a sin θ)
 *
 * A pair i is the channels start + i and start + pairs + i, or start + 2i and start + 2i + 1 where they are interleaved.
 */
import { quantizeRow, widenRow } from "../tiles/quantize";

/**
 * Rotates rows [rows, headDim] in place.
 *
 * @param scales   [rows] of rows of int8, which are rotated as integers and rounded again; 0 for rows of float32
 * @param cos      f32[pairs], as sin
 * @param scratch  room for a row of float32, for rows of int8
 */
export function rotateKeys(
  rowPtr: usize,
  scales: usize,
  rows: usize,
  headDim: usize,
  start: usize,
  pairs: usize,
  isInterleaved: i32,
  cos: usize,
  sin: usize,
  scratch: usize,
): void {
  for (let row: usize = 0; row < rows; row++) {
    if (!scales) {
      rotateRow(rowPtr + (start << 2), pairs, isInterleaved, cos, sin);
      rowPtr += headDim << 2;
      continue;
    }
    const scale = scales + (row << 2);
    widenRow(rowPtr, headDim, 1, scratch);
    rotateRow(scratch + (start << 2), pairs, isInterleaved, cos, sin);
    store<f32>(scale, load<f32>(scale) * quantizeRow(scratch, headDim, rowPtr));
    rowPtr += headDim;
  }
}

/** Products and sums in float64, so that each number is rounded once. */
function rotateRow(ptr: usize, pairs: usize, isInterleaved: i32, cosPtr: usize, sinPtr: usize): void {
  const step: usize = isInterleaved ? 8 : 4;
  const distance: usize = isInterleaved ? 4 : pairs << 2;
  for (const end = cosPtr + (pairs << 2); cosPtr < end; cosPtr += 4, sinPtr += 4, ptr += step) {
    const cos: f64 = load<f32>(cosPtr);
    const sin: f64 = load<f32>(sinPtr);
    const a: f64 = load<f32>(ptr);
    const b: f64 = load<f32>(ptr + distance);
    store<f32>(ptr, <f32>(a * cos + b * sin));
    store<f32>(ptr + distance, <f32>(b * cos - a * sin));
  }
}
