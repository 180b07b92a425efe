/**
 * Weighted sums of value rows for one strip.
 *
 *     O[r, c] += Σ_j P[r, j] · V[j, c]          r < rows, j in order, one accumulator per element
 */
import { addProducts, load0123, load4567, stepBytes } from "./element";
import { IS_WIDE, madd } from "../math/simd";
import { PANEL_BYTES, SCORE_ROW } from "./layout";
import { touchLines } from "./touch";

/** acc + sum · scale, for a sum of integers. */
// @ts-ignore: decorator
@inline
function addScaled(sum: v128, scalePtr: usize, acc: v128): v128 {
  return madd(f32x4.convert_i32x4_s(sum), v128.load32_splat(scalePtr), acc);
}

/**
 *                       V panel [keys, 8]
 *                       cols 0123    cols 4567
 *     P          row 0  acc0x0123    acc0x4567      each step j: load key j's 8 columns,
 *     [rows,     row 1  acc1x0123    acc1x4567      splat row r's weight of j, multiply, add
 *      keys]     …
 *                row 5  acc5x0123    acc5x4567
 *
 * Every key is multiplied, also where its weight is 0: V must be finite, or else `addValuesByRow`.
 *
 * @param isInt8       a literal: whether values are pairs of int8 and weights pairs of int16, see element.ts
 * @param rows         rows of the tile, a literal: 1, 4 or 6; register use and speed as in the score tile
 * @param isWide       a literal: whether it takes two panels at once, in registers of 256 bits; then `panels` is even
 * @param weightsPtr   weight of the first key in row 0; rows are SCORE_ROW bytes apart
 * @param scalesPtr    for int8: what a weight of 1 stands for in each row
 * @param vPanelPtr    first key in panel 0; 16-byte aligned
 * @param vPanelBytes  bytes between panels
 * @param accPtr       accumulators [panels, rows, 8], read and written; 16-byte aligned
 * @param panels       column panels, ≥ 1
 * @param steps        keys, or pairs of them, ≥ 1
 */
// @ts-ignore: decorator
@inline
function valueTile(
  isInt8: bool,
  rows: i32,
  isWide: bool,
  weightsPtr: usize,
  scalesPtr: usize,
  vPanelPtr: usize,
  vPanelBytes: usize,
  accPtr: usize,
  panels: usize,
  steps: usize,
): void {
  assert(panels > 0 && steps > 0, "valueTile: panels and steps must be positive");
  assert(((vPanelPtr | accPtr) & 15) == 0, "valueTile: pointers must be 16-byte aligned");
  const weightsEnd = weightsPtr + (steps << 2);
  const zero = f32x4.splat(0);
  const accPanelBytes = <usize>rows * PANEL_BYTES;
  const accEnd = accPtr + panels * accPanelBytes;

  let secondPtr = accPtr + accPanelBytes; // walks beside accPtr, as in the score tile

  while (accPtr < accEnd) {
    let acc0x0123 = !isInt8 ? v128.load(accPtr) : zero;
    let acc0x4567 = !isInt8 ? v128.load(accPtr, 16) : zero;
    let acc1x0123 = rows > 1 && !isInt8 ? v128.load(accPtr, 1 * PANEL_BYTES) : zero;
    let acc1x4567 = rows > 1 && !isInt8 ? v128.load(accPtr, 1 * PANEL_BYTES + 16) : zero;
    let acc2x0123 = rows > 1 && !isInt8 ? v128.load(accPtr, 2 * PANEL_BYTES) : zero;
    let acc2x4567 = rows > 1 && !isInt8 ? v128.load(accPtr, 2 * PANEL_BYTES + 16) : zero;
    let acc3x0123 = rows > 1 && !isInt8 ? v128.load(accPtr, 3 * PANEL_BYTES) : zero;
    let acc3x4567 = rows > 1 && !isInt8 ? v128.load(accPtr, 3 * PANEL_BYTES + 16) : zero;
    let acc4x0123 = rows > 4 && !isInt8 ? v128.load(accPtr, 4 * PANEL_BYTES) : zero;
    let acc4x4567 = rows > 4 && !isInt8 ? v128.load(accPtr, 4 * PANEL_BYTES + 16) : zero;
    let acc5x0123 = rows > 4 && !isInt8 ? v128.load(accPtr, 5 * PANEL_BYTES) : zero;
    let acc5x4567 = rows > 4 && !isInt8 ? v128.load(accPtr, 5 * PANEL_BYTES + 16) : zero;
    let acc0x89ab = isWide && !isInt8 ? v128.load(secondPtr) : zero;
    let acc0xcdef = isWide && !isInt8 ? v128.load(secondPtr, 16) : zero;
    let acc1x89ab = isWide && rows > 1 && !isInt8 ? v128.load(secondPtr, 1 * PANEL_BYTES) : zero;
    let acc1xcdef = isWide && rows > 1 && !isInt8 ? v128.load(secondPtr, 1 * PANEL_BYTES + 16) : zero;
    let acc2x89ab = isWide && rows > 1 && !isInt8 ? v128.load(secondPtr, 2 * PANEL_BYTES) : zero;
    let acc2xcdef = isWide && rows > 1 && !isInt8 ? v128.load(secondPtr, 2 * PANEL_BYTES + 16) : zero;
    let acc3x89ab = isWide && rows > 1 && !isInt8 ? v128.load(secondPtr, 3 * PANEL_BYTES) : zero;
    let acc3xcdef = isWide && rows > 1 && !isInt8 ? v128.load(secondPtr, 3 * PANEL_BYTES + 16) : zero;
    let acc4x89ab = isWide && rows > 4 && !isInt8 ? v128.load(secondPtr, 4 * PANEL_BYTES) : zero;
    let acc4xcdef = isWide && rows > 4 && !isInt8 ? v128.load(secondPtr, 4 * PANEL_BYTES + 16) : zero;
    let acc5x89ab = isWide && rows > 4 && !isInt8 ? v128.load(secondPtr, 5 * PANEL_BYTES) : zero;
    let acc5xcdef = isWide && rows > 4 && !isInt8 ? v128.load(secondPtr, 5 * PANEL_BYTES + 16) : zero;

    if (isInt8) touchLines(vPanelPtr, steps * stepBytes(isInt8));
    if (isInt8 && isWide) touchLines(vPanelPtr + vPanelBytes, steps * stepBytes(isInt8));
    let pPtr = weightsPtr;
    let vPtr = vPanelPtr;
    do {
      const v0123 = load0123(isInt8, vPtr);
      const v4567 = load4567(isInt8, vPtr);
      const v89ab = isWide ? load0123(isInt8, vPtr + vPanelBytes) : v0123;
      const vcdef = isWide ? load4567(isInt8, vPtr + vPanelBytes) : v4567;
      let p = v128.load32_splat(pPtr);
      acc0x0123 = addProducts(isInt8, p, v0123, acc0x0123);
      acc0x4567 = addProducts(isInt8, p, v4567, acc0x4567);
      if (isWide) acc0x89ab = addProducts(isInt8, p, v89ab, acc0x89ab);
      if (isWide) acc0xcdef = addProducts(isInt8, p, vcdef, acc0xcdef);
      if (rows > 1) {
        p = v128.load32_splat(pPtr, SCORE_ROW);
        acc1x0123 = addProducts(isInt8, p, v0123, acc1x0123);
        acc1x4567 = addProducts(isInt8, p, v4567, acc1x4567);
        if (isWide) acc1x89ab = addProducts(isInt8, p, v89ab, acc1x89ab);
        if (isWide) acc1xcdef = addProducts(isInt8, p, vcdef, acc1xcdef);
        p = v128.load32_splat(pPtr, 2 * SCORE_ROW);
        acc2x0123 = addProducts(isInt8, p, v0123, acc2x0123);
        acc2x4567 = addProducts(isInt8, p, v4567, acc2x4567);
        if (isWide) acc2x89ab = addProducts(isInt8, p, v89ab, acc2x89ab);
        if (isWide) acc2xcdef = addProducts(isInt8, p, vcdef, acc2xcdef);
        p = v128.load32_splat(pPtr, 3 * SCORE_ROW);
        acc3x0123 = addProducts(isInt8, p, v0123, acc3x0123);
        acc3x4567 = addProducts(isInt8, p, v4567, acc3x4567);
        if (isWide) acc3x89ab = addProducts(isInt8, p, v89ab, acc3x89ab);
        if (isWide) acc3xcdef = addProducts(isInt8, p, vcdef, acc3xcdef);
      }
      if (rows > 4) {
        p = v128.load32_splat(pPtr, 4 * SCORE_ROW);
        acc4x0123 = addProducts(isInt8, p, v0123, acc4x0123);
        acc4x4567 = addProducts(isInt8, p, v4567, acc4x4567);
        if (isWide) acc4x89ab = addProducts(isInt8, p, v89ab, acc4x89ab);
        if (isWide) acc4xcdef = addProducts(isInt8, p, vcdef, acc4xcdef);
        p = v128.load32_splat(pPtr, 5 * SCORE_ROW);
        acc5x0123 = addProducts(isInt8, p, v0123, acc5x0123);
        acc5x4567 = addProducts(isInt8, p, v4567, acc5x4567);
        if (isWide) acc5x89ab = addProducts(isInt8, p, v89ab, acc5x89ab);
        if (isWide) acc5xcdef = addProducts(isInt8, p, vcdef, acc5xcdef);
      }
      pPtr += 4;
      vPtr += stepBytes(isInt8);
    } while (pPtr < weightsEnd);

    if (isInt8) acc0x0123 = addScaled(acc0x0123, scalesPtr, v128.load(accPtr));
    if (isInt8) acc0x4567 = addScaled(acc0x4567, scalesPtr, v128.load(accPtr, 16));
    v128.store(accPtr, acc0x0123);
    v128.store(accPtr, acc0x4567, 16);
    if (rows > 1) {
      if (isInt8) acc1x0123 = addScaled(acc1x0123, scalesPtr + 4, v128.load(accPtr, 1 * PANEL_BYTES));
      if (isInt8) acc1x4567 = addScaled(acc1x4567, scalesPtr + 4, v128.load(accPtr, 1 * PANEL_BYTES + 16));
      v128.store(accPtr, acc1x0123, 1 * PANEL_BYTES);
      v128.store(accPtr, acc1x4567, 1 * PANEL_BYTES + 16);
      if (isInt8) acc2x0123 = addScaled(acc2x0123, scalesPtr + 8, v128.load(accPtr, 2 * PANEL_BYTES));
      if (isInt8) acc2x4567 = addScaled(acc2x4567, scalesPtr + 8, v128.load(accPtr, 2 * PANEL_BYTES + 16));
      v128.store(accPtr, acc2x0123, 2 * PANEL_BYTES);
      v128.store(accPtr, acc2x4567, 2 * PANEL_BYTES + 16);
      if (isInt8) acc3x0123 = addScaled(acc3x0123, scalesPtr + 12, v128.load(accPtr, 3 * PANEL_BYTES));
      if (isInt8) acc3x4567 = addScaled(acc3x4567, scalesPtr + 12, v128.load(accPtr, 3 * PANEL_BYTES + 16));
      v128.store(accPtr, acc3x0123, 3 * PANEL_BYTES);
      v128.store(accPtr, acc3x4567, 3 * PANEL_BYTES + 16);
    }
    if (rows > 4) {
      if (isInt8) acc4x0123 = addScaled(acc4x0123, scalesPtr + 16, v128.load(accPtr, 4 * PANEL_BYTES));
      if (isInt8) acc4x4567 = addScaled(acc4x4567, scalesPtr + 16, v128.load(accPtr, 4 * PANEL_BYTES + 16));
      v128.store(accPtr, acc4x0123, 4 * PANEL_BYTES);
      v128.store(accPtr, acc4x4567, 4 * PANEL_BYTES + 16);
      if (isInt8) acc5x0123 = addScaled(acc5x0123, scalesPtr + 20, v128.load(accPtr, 5 * PANEL_BYTES));
      if (isInt8) acc5x4567 = addScaled(acc5x4567, scalesPtr + 20, v128.load(accPtr, 5 * PANEL_BYTES + 16));
      v128.store(accPtr, acc5x0123, 5 * PANEL_BYTES);
      v128.store(accPtr, acc5x4567, 5 * PANEL_BYTES + 16);
    }
    if (isWide) {
      if (isInt8) acc0x89ab = addScaled(acc0x89ab, scalesPtr, v128.load(secondPtr));
      if (isInt8) acc0xcdef = addScaled(acc0xcdef, scalesPtr, v128.load(secondPtr, 16));
      v128.store(secondPtr, acc0x89ab);
      v128.store(secondPtr, acc0xcdef, 16);
      if (rows > 1) {
        if (isInt8) acc1x89ab = addScaled(acc1x89ab, scalesPtr + 4, v128.load(secondPtr, 1 * PANEL_BYTES));
        if (isInt8) acc1xcdef = addScaled(acc1xcdef, scalesPtr + 4, v128.load(secondPtr, 1 * PANEL_BYTES + 16));
        v128.store(secondPtr, acc1x89ab, 1 * PANEL_BYTES);
        v128.store(secondPtr, acc1xcdef, 1 * PANEL_BYTES + 16);
        if (isInt8) acc2x89ab = addScaled(acc2x89ab, scalesPtr + 8, v128.load(secondPtr, 2 * PANEL_BYTES));
        if (isInt8) acc2xcdef = addScaled(acc2xcdef, scalesPtr + 8, v128.load(secondPtr, 2 * PANEL_BYTES + 16));
        v128.store(secondPtr, acc2x89ab, 2 * PANEL_BYTES);
        v128.store(secondPtr, acc2xcdef, 2 * PANEL_BYTES + 16);
        if (isInt8) acc3x89ab = addScaled(acc3x89ab, scalesPtr + 12, v128.load(secondPtr, 3 * PANEL_BYTES));
        if (isInt8) acc3xcdef = addScaled(acc3xcdef, scalesPtr + 12, v128.load(secondPtr, 3 * PANEL_BYTES + 16));
        v128.store(secondPtr, acc3x89ab, 3 * PANEL_BYTES);
        v128.store(secondPtr, acc3xcdef, 3 * PANEL_BYTES + 16);
      }
      if (rows > 4) {
        if (isInt8) acc4x89ab = addScaled(acc4x89ab, scalesPtr + 16, v128.load(secondPtr, 4 * PANEL_BYTES));
        if (isInt8) acc4xcdef = addScaled(acc4xcdef, scalesPtr + 16, v128.load(secondPtr, 4 * PANEL_BYTES + 16));
        v128.store(secondPtr, acc4x89ab, 4 * PANEL_BYTES);
        v128.store(secondPtr, acc4xcdef, 4 * PANEL_BYTES + 16);
        if (isInt8) acc5x89ab = addScaled(acc5x89ab, scalesPtr + 20, v128.load(secondPtr, 5 * PANEL_BYTES));
        if (isInt8) acc5xcdef = addScaled(acc5xcdef, scalesPtr + 20, v128.load(secondPtr, 5 * PANEL_BYTES + 16));
        v128.store(secondPtr, acc5x89ab, 5 * PANEL_BYTES);
        v128.store(secondPtr, acc5xcdef, 5 * PANEL_BYTES + 16);
      }
    }
    accPtr += isWide ? 2 * accPanelBytes : accPanelBytes;
    vPanelPtr += isWide ? 2 * vPanelBytes : vPanelBytes;
    secondPtr += 2 * accPanelBytes;
  }
}

/** All panels, in the wide build two at once as long as there are two. Parameters as above. */
// @ts-ignore: decorator
@inline
function addPanels(
  isInt8: bool,
  rows: i32,
  weightsPtr: usize,
  scalesPtr: usize,
  vPanelPtr: usize,
  vPanelBytes: usize,
  accPtr: usize,
  panels: usize,
  steps: usize,
): void {
  if (IS_WIDE) {
    const even = panels & ~1;
    if (even) valueTile(isInt8, rows, true, weightsPtr, scalesPtr, vPanelPtr, vPanelBytes, accPtr, even, steps);
    if (even == panels) return;
    vPanelPtr += even * vPanelBytes;
    accPtr += even * (<usize>rows * PANEL_BYTES);
    panels = 1;
  }
  valueTile(isInt8, rows, false, weightsPtr, scalesPtr, vPanelPtr, vPanelBytes, accPtr, panels, steps);
}

/** One row, four panels at a time, for the reason given at scoreTile1x32. Parameters as above. */
// @ts-ignore: decorator
@inline
function valueTile1x32(
  isInt8: bool,
  weightsPtr: usize,
  scalesPtr: usize,
  vPanelPtr: usize,
  vPanelBytes: usize,
  accPtr: usize,
  panels: usize,
  steps: usize,
): void {
  const zero = f32x4.splat(0);
  const weightsEnd = weightsPtr + (steps << 2);
  for (; panels >= 4; panels -= 4) {
    let acc0x0123 = isInt8 ? zero : v128.load(accPtr);
    let acc0x4567 = isInt8 ? zero : v128.load(accPtr, 16);
    let acc1x0123 = isInt8 ? zero : v128.load(accPtr, 1 * PANEL_BYTES); // of panel 1
    let acc1x4567 = isInt8 ? zero : v128.load(accPtr, 1 * PANEL_BYTES + 16);
    let acc2x0123 = isInt8 ? zero : v128.load(accPtr, 2 * PANEL_BYTES);
    let acc2x4567 = isInt8 ? zero : v128.load(accPtr, 2 * PANEL_BYTES + 16);
    let acc3x0123 = isInt8 ? zero : v128.load(accPtr, 3 * PANEL_BYTES);
    let acc3x4567 = isInt8 ? zero : v128.load(accPtr, 3 * PANEL_BYTES + 16);

    let pPtr = weightsPtr;
    let v0Ptr = vPanelPtr;
    let v1Ptr = v0Ptr + vPanelBytes;
    let v2Ptr = v1Ptr + vPanelBytes;
    let v3Ptr = v2Ptr + vPanelBytes;
    do {
      const p = v128.load32_splat(pPtr);
      acc0x0123 = addProducts(isInt8, p, load0123(isInt8, v0Ptr), acc0x0123);
      acc0x4567 = addProducts(isInt8, p, load4567(isInt8, v0Ptr), acc0x4567);
      acc1x0123 = addProducts(isInt8, p, load0123(isInt8, v1Ptr), acc1x0123);
      acc1x4567 = addProducts(isInt8, p, load4567(isInt8, v1Ptr), acc1x4567);
      acc2x0123 = addProducts(isInt8, p, load0123(isInt8, v2Ptr), acc2x0123);
      acc2x4567 = addProducts(isInt8, p, load4567(isInt8, v2Ptr), acc2x4567);
      acc3x0123 = addProducts(isInt8, p, load0123(isInt8, v3Ptr), acc3x0123);
      acc3x4567 = addProducts(isInt8, p, load4567(isInt8, v3Ptr), acc3x4567);
      pPtr += 4;
      v0Ptr += stepBytes(isInt8);
      v1Ptr += stepBytes(isInt8);
      v2Ptr += stepBytes(isInt8);
      v3Ptr += stepBytes(isInt8);
    } while (pPtr < weightsEnd);

    if (isInt8) acc0x0123 = addScaled(acc0x0123, scalesPtr, v128.load(accPtr));
    if (isInt8) acc0x4567 = addScaled(acc0x4567, scalesPtr, v128.load(accPtr, 16));
    v128.store(accPtr, acc0x0123);
    v128.store(accPtr, acc0x4567, 16);
    if (isInt8) acc1x0123 = addScaled(acc1x0123, scalesPtr, v128.load(accPtr, 1 * PANEL_BYTES));
    if (isInt8) acc1x4567 = addScaled(acc1x4567, scalesPtr, v128.load(accPtr, 1 * PANEL_BYTES + 16));
    v128.store(accPtr, acc1x0123, 1 * PANEL_BYTES);
    v128.store(accPtr, acc1x4567, 1 * PANEL_BYTES + 16);
    if (isInt8) acc2x0123 = addScaled(acc2x0123, scalesPtr, v128.load(accPtr, 2 * PANEL_BYTES));
    if (isInt8) acc2x4567 = addScaled(acc2x4567, scalesPtr, v128.load(accPtr, 2 * PANEL_BYTES + 16));
    v128.store(accPtr, acc2x0123, 2 * PANEL_BYTES);
    v128.store(accPtr, acc2x4567, 2 * PANEL_BYTES + 16);
    if (isInt8) acc3x0123 = addScaled(acc3x0123, scalesPtr, v128.load(accPtr, 3 * PANEL_BYTES));
    if (isInt8) acc3x4567 = addScaled(acc3x4567, scalesPtr, v128.load(accPtr, 3 * PANEL_BYTES + 16));
    v128.store(accPtr, acc3x0123, 3 * PANEL_BYTES);
    v128.store(accPtr, acc3x4567, 3 * PANEL_BYTES + 16);
    accPtr += 4 * PANEL_BYTES;
    vPanelPtr += 4 * vPanelBytes;
  }
  if (panels > 0) valueTile(isInt8, 1, false, weightsPtr, scalesPtr, vPanelPtr, vPanelBytes, accPtr, panels, steps);
}

/** The tile of the given height. Parameters as above. */
// @ts-ignore: decorator
@inline
function addStrip(
  isInt8: bool,
  tileRows: usize,
  weightsPtr: usize,
  scalesPtr: usize,
  vPanelPtr: usize,
  vPanelBytes: usize,
  accPtr: usize,
  panels: usize,
  steps: usize,
): void {
  if (tileRows == 6) addPanels(isInt8, 6, weightsPtr, scalesPtr, vPanelPtr, vPanelBytes, accPtr, panels, steps);
  else if (tileRows == 4) addPanels(isInt8, 4, weightsPtr, scalesPtr, vPanelPtr, vPanelBytes, accPtr, panels, steps);
  else valueTile1x32(isInt8, weightsPtr, scalesPtr, vPanelPtr, vPanelBytes, accPtr, panels, steps);
}

/** Adds the values of `keys` keys. Parameters as above. */
export function addValues(
  tileRows: usize,
  weightsPtr: usize,
  vPanelPtr: usize,
  vPanelBytes: usize,
  accPtr: usize,
  panels: usize,
  keys: usize,
): void {
  addStrip(false, tileRows, weightsPtr, 0, vPanelPtr, vPanelBytes, accPtr, panels, keys);
}

/** The same for values in int8. */
export function addValuesInt8(
  tileRows: usize,
  weightsPtr: usize,
  scalesPtr: usize,
  vPanelPtr: usize,
  vPanelBytes: usize,
  accPtr: usize,
  panels: usize,
  pairs: usize,
): void {
  addStrip(true, tileRows, weightsPtr, scalesPtr, vPanelPtr, vPanelBytes, accPtr, panels, pairs);
}
