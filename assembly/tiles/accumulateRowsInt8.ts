/**
 * accumulateRows for elements of 8 and 16 bits: sums in int32, exact in any order, times the scale of the row.
 *
 *     C[r, c] += aScale[r] · Σ_s A[r, s] · B[s, c]
 *
 * A step is a pair: of int16 in A, of int8 in B, see pairs.ts.
 */
import { addPairs, PAIR_PANEL_BYTES } from "./pairs";
import { IS_WIDE, madd } from "../math/simd";
import { PANEL_BYTES, ROW_BYTES } from "./layout";
import { touchLines } from "./touch";

/** Adds the sums of eight elements of a row to C. */
// @ts-ignore: decorator
@inline
function addSums(ptr: usize, sum0123: v128, sum4567: v128, aScalePtr: usize): void {
  const c0123 = madd(f32x4.convert_i32x4_s(sum0123), v128.load32_splat(aScalePtr), v128.load(ptr));
  const c4567 = madd(f32x4.convert_i32x4_s(sum4567), v128.load32_splat(aScalePtr), v128.load(ptr, 16));
  v128.store(ptr, c0123);
  v128.store(ptr, c4567, 16);
}

/**
 *                       B panel [steps, 8, 2]
 *                       cols 0123    cols 4567
 *     A          row 0  acc0x0123    acc0x4567      each step s: load 8 columns' pair s,
 *     [rows,     row 1  acc1x0123    acc1x4567      splat row r's pair s, multiply, add both products
 *      steps, 2] …
 *                row 5  acc5x0123    acc5x4567
 *
 * @param rows         rows of the tile, a literal: 1, 4 or 6
 * @param isWide       a literal: whether it takes two panels at once, in registers of 256 bits; then `panels` is even
 * @param aPtr         row 0's first pair, int16; rows are ROW_BYTES apart
 * @param aScalesPtr   the scale of each row
 * @param bPtr         step 0 of panel 0, int8; 16-byte aligned
 * @param bPanelBytes  bytes between panels
 * @param cPtr         accumulators [panels, rows, 8], read and written; 16-byte aligned
 * @param steps        pairs, ≥ 1
 * @param panels       panels of B, ≥ 1
 */
// @ts-ignore: decorator
@inline
function accumulateTile(
  rows: i32,
  isWide: bool,
  aPtr: usize,
  aScalesPtr: usize,
  bPtr: usize,
  bPanelBytes: usize,
  cPtr: usize,
  steps: usize,
  panels: usize,
): void {
  assert(steps > 0 && panels > 0, "accumulateTile: steps and panels must be positive");
  assert(((bPtr | cPtr) & 15) == 0, "accumulateTile: pointers must be 16-byte aligned");
  const aEnd = aPtr + (steps << 2);
  const cPanelBytes = <usize>rows * PANEL_BYTES;
  const cEnd = cPtr + panels * cPanelBytes;
  let secondCPtr = cPtr + cPanelBytes; // moves with cPtr: V8 pairs stores by their address expression

  while (cPtr < cEnd) {
    let acc0x0123 = f32x4.splat(0);
    let acc0x4567 = f32x4.splat(0);
    let acc1x0123 = f32x4.splat(0);
    let acc1x4567 = f32x4.splat(0);
    let acc2x0123 = f32x4.splat(0);
    let acc2x4567 = f32x4.splat(0);
    let acc3x0123 = f32x4.splat(0);
    let acc3x4567 = f32x4.splat(0);
    let acc4x0123 = f32x4.splat(0);
    let acc4x4567 = f32x4.splat(0);
    let acc5x0123 = f32x4.splat(0);
    let acc5x4567 = f32x4.splat(0);
    let acc0x89ab = f32x4.splat(0);
    let acc0xcdef = f32x4.splat(0);
    let acc1x89ab = f32x4.splat(0);
    let acc1xcdef = f32x4.splat(0);
    let acc2x89ab = f32x4.splat(0);
    let acc2xcdef = f32x4.splat(0);
    let acc3x89ab = f32x4.splat(0);
    let acc3xcdef = f32x4.splat(0);
    let acc4x89ab = f32x4.splat(0);
    let acc4xcdef = f32x4.splat(0);
    let acc5x89ab = f32x4.splat(0);
    let acc5xcdef = f32x4.splat(0);

    touchLines(bPtr, steps * PAIR_PANEL_BYTES);
    if (isWide) touchLines(bPtr + bPanelBytes, steps * PAIR_PANEL_BYTES);
    let rowPtr = aPtr;
    let panelPtr = bPtr;
    do {
      const b0123 = v128.load8x8_s(panelPtr);
      const b4567 = v128.load8x8_s(panelPtr, 8);
      const b89ab = isWide ? v128.load8x8_s(panelPtr + bPanelBytes) : b0123;
      const bcdef = isWide ? v128.load8x8_s(panelPtr + bPanelBytes, 8) : b4567;
      let a = v128.load32_splat(rowPtr);
      acc0x0123 = addPairs(a, b0123, acc0x0123);
      acc0x4567 = addPairs(a, b4567, acc0x4567);
      if (isWide) acc0x89ab = addPairs(a, b89ab, acc0x89ab);
      if (isWide) acc0xcdef = addPairs(a, bcdef, acc0xcdef);
      if (rows > 1) {
        a = v128.load32_splat(rowPtr, ROW_BYTES);
        acc1x0123 = addPairs(a, b0123, acc1x0123);
        acc1x4567 = addPairs(a, b4567, acc1x4567);
        if (isWide) acc1x89ab = addPairs(a, b89ab, acc1x89ab);
        if (isWide) acc1xcdef = addPairs(a, bcdef, acc1xcdef);
        a = v128.load32_splat(rowPtr, 2 * ROW_BYTES);
        acc2x0123 = addPairs(a, b0123, acc2x0123);
        acc2x4567 = addPairs(a, b4567, acc2x4567);
        if (isWide) acc2x89ab = addPairs(a, b89ab, acc2x89ab);
        if (isWide) acc2xcdef = addPairs(a, bcdef, acc2xcdef);
        a = v128.load32_splat(rowPtr, 3 * ROW_BYTES);
        acc3x0123 = addPairs(a, b0123, acc3x0123);
        acc3x4567 = addPairs(a, b4567, acc3x4567);
        if (isWide) acc3x89ab = addPairs(a, b89ab, acc3x89ab);
        if (isWide) acc3xcdef = addPairs(a, bcdef, acc3xcdef);
      }
      if (rows > 4) {
        a = v128.load32_splat(rowPtr, 4 * ROW_BYTES);
        acc4x0123 = addPairs(a, b0123, acc4x0123);
        acc4x4567 = addPairs(a, b4567, acc4x4567);
        if (isWide) acc4x89ab = addPairs(a, b89ab, acc4x89ab);
        if (isWide) acc4xcdef = addPairs(a, bcdef, acc4xcdef);
        a = v128.load32_splat(rowPtr, 5 * ROW_BYTES);
        acc5x0123 = addPairs(a, b0123, acc5x0123);
        acc5x4567 = addPairs(a, b4567, acc5x4567);
        if (isWide) acc5x89ab = addPairs(a, b89ab, acc5x89ab);
        if (isWide) acc5xcdef = addPairs(a, bcdef, acc5xcdef);
      }
      rowPtr += 4;
      panelPtr += PAIR_PANEL_BYTES;
    } while (rowPtr < aEnd);

    addSums(cPtr, acc0x0123, acc0x4567, aScalesPtr);
    if (rows > 1) {
      addSums(cPtr + 1 * PANEL_BYTES, acc1x0123, acc1x4567, aScalesPtr + 4);
      addSums(cPtr + 2 * PANEL_BYTES, acc2x0123, acc2x4567, aScalesPtr + 8);
      addSums(cPtr + 3 * PANEL_BYTES, acc3x0123, acc3x4567, aScalesPtr + 12);
    }
    if (rows > 4) {
      addSums(cPtr + 4 * PANEL_BYTES, acc4x0123, acc4x4567, aScalesPtr + 16);
      addSums(cPtr + 5 * PANEL_BYTES, acc5x0123, acc5x4567, aScalesPtr + 20);
    }
    if (isWide) {
      addSums(secondCPtr, acc0x89ab, acc0xcdef, aScalesPtr);
      if (rows > 1) {
        addSums(secondCPtr + 1 * PANEL_BYTES, acc1x89ab, acc1xcdef, aScalesPtr + 4);
        addSums(secondCPtr + 2 * PANEL_BYTES, acc2x89ab, acc2xcdef, aScalesPtr + 8);
        addSums(secondCPtr + 3 * PANEL_BYTES, acc3x89ab, acc3xcdef, aScalesPtr + 12);
      }
      if (rows > 4) {
        addSums(secondCPtr + 4 * PANEL_BYTES, acc4x89ab, acc4xcdef, aScalesPtr + 16);
        addSums(secondCPtr + 5 * PANEL_BYTES, acc5x89ab, acc5xcdef, aScalesPtr + 20);
      }
    }
    cPtr += isWide ? 2 * cPanelBytes : cPanelBytes;
    bPtr += isWide ? 2 * bPanelBytes : bPanelBytes;
    secondCPtr += 2 * cPanelBytes;
  }
}

/** All panels, in the wide build two at once while two remain. Parameters as above. */
// @ts-ignore: decorator
@inline
function accumulatePanels(
  rows: i32,
  aPtr: usize,
  aScalesPtr: usize,
  bPtr: usize,
  bPanelBytes: usize,
  cPtr: usize,
  steps: usize,
  panels: usize,
): void {
  if (IS_WIDE) {
    const even = panels & ~1;
    if (even) accumulateTile(rows, true, aPtr, aScalesPtr, bPtr, bPanelBytes, cPtr, steps, even);
    if (even == panels) return;
    bPtr += even * bPanelBytes;
    cPtr += even * (<usize>rows * PANEL_BYTES);
    panels = 1;
  }
  accumulateTile(rows, false, aPtr, aScalesPtr, bPtr, bPanelBytes, cPtr, steps, panels);
}

/** One row, four panels at a time; see multiplyStrip.ts for the picture and the reason. Parameters as above. */
// @ts-ignore: decorator
@inline
function accumulateTile1x32(
  aPtr: usize,
  aScalesPtr: usize,
  bPtr: usize,
  bPanelBytes: usize,
  cPtr: usize,
  steps: usize,
  panels: usize,
): void {
  const aEnd = aPtr + (steps << 2);
  for (; panels >= 4; panels -= 4) {
    let acc0x0123 = f32x4.splat(0);
    let acc0x4567 = f32x4.splat(0);
    let acc0x89ab = f32x4.splat(0);
    let acc0xcdef = f32x4.splat(0);
    let acc0xghij = f32x4.splat(0);
    let acc0xklmn = f32x4.splat(0);
    let acc0xopqr = f32x4.splat(0);
    let acc0xstuv = f32x4.splat(0);

    let rowPtr = aPtr;
    let b0Ptr = bPtr;
    let b1Ptr = b0Ptr + bPanelBytes;
    let b2Ptr = b1Ptr + bPanelBytes;
    let b3Ptr = b2Ptr + bPanelBytes;
    do {
      const a = v128.load32_splat(rowPtr);
      acc0x0123 = addPairs(a, v128.load8x8_s(b0Ptr), acc0x0123);
      acc0x4567 = addPairs(a, v128.load8x8_s(b0Ptr, 8), acc0x4567);
      acc0x89ab = addPairs(a, v128.load8x8_s(b1Ptr), acc0x89ab);
      acc0xcdef = addPairs(a, v128.load8x8_s(b1Ptr, 8), acc0xcdef);
      acc0xghij = addPairs(a, v128.load8x8_s(b2Ptr), acc0xghij);
      acc0xklmn = addPairs(a, v128.load8x8_s(b2Ptr, 8), acc0xklmn);
      acc0xopqr = addPairs(a, v128.load8x8_s(b3Ptr), acc0xopqr);
      acc0xstuv = addPairs(a, v128.load8x8_s(b3Ptr, 8), acc0xstuv);
      rowPtr += 4;
      b0Ptr += PAIR_PANEL_BYTES;
      b1Ptr += PAIR_PANEL_BYTES;
      b2Ptr += PAIR_PANEL_BYTES;
      b3Ptr += PAIR_PANEL_BYTES;
    } while (rowPtr < aEnd);

    addSums(cPtr, acc0x0123, acc0x4567, aScalesPtr);
    addSums(cPtr + 1 * PANEL_BYTES, acc0x89ab, acc0xcdef, aScalesPtr);
    addSums(cPtr + 2 * PANEL_BYTES, acc0xghij, acc0xklmn, aScalesPtr);
    addSums(cPtr + 3 * PANEL_BYTES, acc0xopqr, acc0xstuv, aScalesPtr);
    cPtr += 4 * PANEL_BYTES;
    bPtr += 4 * bPanelBytes;
  }
  if (panels > 0) accumulateTile(1, false, aPtr, aScalesPtr, bPtr, bPanelBytes, cPtr, steps, panels);
}

/** C += A·B by the tile for `tileRows` rows: 1, 4 or 6. Parameters as above. */
export function accumulateRowsInt8(
  tileRows: usize,
  aPtr: usize,
  aScalesPtr: usize,
  bPtr: usize,
  bPanelBytes: usize,
  cPtr: usize,
  steps: usize,
  panels: usize,
): void {
  if (tileRows == 6) accumulatePanels(6, aPtr, aScalesPtr, bPtr, bPanelBytes, cPtr, steps, panels);
  else if (tileRows == 4) accumulatePanels(4, aPtr, aScalesPtr, bPtr, bPanelBytes, cPtr, steps, panels);
  else accumulateTile1x32(aPtr, aScalesPtr, bPtr, bPanelBytes, cPtr, steps, panels);
}
