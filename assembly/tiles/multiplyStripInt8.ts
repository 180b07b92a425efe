/**
 * multiplyStrip for elements of 8 and 16 bits: sums in int32, exact in any order, times the scales of row and column.
 *
 *     C[r, c] = aScale[r] · bScale[c] · Σ_s A[s, r] · B[s, c]
 *
 * A step is a pair: of int16 in A, of int8 in B, see pairs.ts. For the columns that share a register, and the reason, see
 * multiplyStrip.ts.
 */
import { addPairs, PAIR_PANEL_BYTES } from "./pairs";
import { IS_WIDE } from "../math/simd";
import { PANEL_BYTES, ROW_BYTES } from "./layout";
import { touchLines } from "./touch";

/** Eight elements of a row of C from their sums. */
// @ts-ignore: decorator
@inline
function storeSums(ptr: usize, sum0123: v128, sum4567: v128, aScalePtr: usize, bScalesPtr: usize): void {
  const aScale = v128.load32_splat(aScalePtr);
  // the product of the scales may be infinite
  const c0123 = f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(sum0123), aScale), v128.load(bScalesPtr));
  const c4567 = f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(sum4567), aScale), v128.load(bScalesPtr, 16));
  v128.store(ptr, c0123);
  v128.store(ptr, c4567, 16);
}

/**
 *                       B panel [steps, 8, 2]
 *                       cols 0123    cols 4567
 *     A strip    row 0  acc0x0123    acc0x4567      each step s: load 8 columns' pair s,
 *     [steps,    row 1  acc1x0123    acc1x4567      splat row r's pair s, multiply, add both products
 *      8, 2]     …
 *                row 5  acc5x0123    acc5x4567
 *
 * @param rows        rows of the tile, a literal: 1, 4 or 6
 * @param isWide      a literal: whether it takes two panels at once, in registers of 256 bits; then `panels` is even
 * @param aPtr        packed rows [steps, 8, 2], int16; 16-byte aligned
 * @param aScalesPtr  the scale of each row
 * @param bPtr        packed columns [panels, steps, 8, 2], int8; 16-byte aligned
 * @param bScalesPtr  the scale of each column
 * @param cPtr        `rows` rows, ROW_BYTES apart; 8 · panels elements of each are written. Must not overlap the others.
 * @param steps       pairs, ≥ 1
 * @param panels      panels of B, ≥ 1
 */
// @ts-ignore: decorator
@inline
function multiplyTile(
  rows: i32,
  isWide: bool,
  aPtr: usize,
  aScalesPtr: usize,
  bPtr: usize,
  bScalesPtr: usize,
  cPtr: usize,
  steps: usize,
  panels: usize,
): void {
  assert(steps > 0 && panels > 0, "multiplyTile: steps and panels must be positive");
  assert(((aPtr | bPtr | cPtr) & 15) == 0, "multiplyTile: pointers must be 16-byte aligned");
  const panelBytes = steps * PAIR_PANEL_BYTES;
  const bEnd = bPtr + panels * panelBytes;
  let secondCPtr = cPtr + PANEL_BYTES; // moves with cPtr: V8 pairs stores by their address expression
  let secondScalesPtr = bScalesPtr + PANEL_BYTES;

  while (bPtr < bEnd) {
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

    touchLines(bPtr, isWide ? 2 * panelBytes : panelBytes);
    let rowPtr = aPtr;
    const panelEnd = bPtr + panelBytes;
    do {
      const b0123 = v128.load8x8_s(bPtr);
      const b4567 = v128.load8x8_s(bPtr, 8);
      const b89ab = isWide ? v128.load8x8_s(bPtr + panelBytes) : b0123;
      const bcdef = isWide ? v128.load8x8_s(bPtr + panelBytes, 8) : b4567;
      let a = v128.load32_splat(rowPtr);
      acc0x0123 = addPairs(a, b0123, acc0x0123);
      acc0x4567 = addPairs(a, b4567, acc0x4567);
      if (isWide) acc0x89ab = addPairs(a, b89ab, acc0x89ab);
      if (isWide) acc0xcdef = addPairs(a, bcdef, acc0xcdef);
      if (rows > 1) {
        a = v128.load32_splat(rowPtr, 4);
        acc1x0123 = addPairs(a, b0123, acc1x0123);
        acc1x4567 = addPairs(a, b4567, acc1x4567);
        if (isWide) acc1x89ab = addPairs(a, b89ab, acc1x89ab);
        if (isWide) acc1xcdef = addPairs(a, bcdef, acc1xcdef);
        a = v128.load32_splat(rowPtr, 8);
        acc2x0123 = addPairs(a, b0123, acc2x0123);
        acc2x4567 = addPairs(a, b4567, acc2x4567);
        if (isWide) acc2x89ab = addPairs(a, b89ab, acc2x89ab);
        if (isWide) acc2xcdef = addPairs(a, bcdef, acc2xcdef);
        a = v128.load32_splat(rowPtr, 12);
        acc3x0123 = addPairs(a, b0123, acc3x0123);
        acc3x4567 = addPairs(a, b4567, acc3x4567);
        if (isWide) acc3x89ab = addPairs(a, b89ab, acc3x89ab);
        if (isWide) acc3xcdef = addPairs(a, bcdef, acc3xcdef);
      }
      if (rows > 4) {
        a = v128.load32_splat(rowPtr, 16);
        acc4x0123 = addPairs(a, b0123, acc4x0123);
        acc4x4567 = addPairs(a, b4567, acc4x4567);
        if (isWide) acc4x89ab = addPairs(a, b89ab, acc4x89ab);
        if (isWide) acc4xcdef = addPairs(a, bcdef, acc4xcdef);
        a = v128.load32_splat(rowPtr, 20);
        acc5x0123 = addPairs(a, b0123, acc5x0123);
        acc5x4567 = addPairs(a, b4567, acc5x4567);
        if (isWide) acc5x89ab = addPairs(a, b89ab, acc5x89ab);
        if (isWide) acc5xcdef = addPairs(a, bcdef, acc5xcdef);
      }
      rowPtr += PANEL_BYTES;
      bPtr += PAIR_PANEL_BYTES;
    } while (bPtr < panelEnd);

    storeSums(cPtr, acc0x0123, acc0x4567, aScalesPtr, bScalesPtr);
    if (isWide) storeSums(secondCPtr, acc0x89ab, acc0xcdef, aScalesPtr, secondScalesPtr);
    if (rows > 1) {
      storeSums(cPtr + 1 * ROW_BYTES, acc1x0123, acc1x4567, aScalesPtr + 4, bScalesPtr);
      if (isWide) storeSums(secondCPtr + 1 * ROW_BYTES, acc1x89ab, acc1xcdef, aScalesPtr + 4, secondScalesPtr);
      storeSums(cPtr + 2 * ROW_BYTES, acc2x0123, acc2x4567, aScalesPtr + 8, bScalesPtr);
      if (isWide) storeSums(secondCPtr + 2 * ROW_BYTES, acc2x89ab, acc2xcdef, aScalesPtr + 8, secondScalesPtr);
      storeSums(cPtr + 3 * ROW_BYTES, acc3x0123, acc3x4567, aScalesPtr + 12, bScalesPtr);
      if (isWide) storeSums(secondCPtr + 3 * ROW_BYTES, acc3x89ab, acc3xcdef, aScalesPtr + 12, secondScalesPtr);
    }
    if (rows > 4) {
      storeSums(cPtr + 4 * ROW_BYTES, acc4x0123, acc4x4567, aScalesPtr + 16, bScalesPtr);
      if (isWide) storeSums(secondCPtr + 4 * ROW_BYTES, acc4x89ab, acc4xcdef, aScalesPtr + 16, secondScalesPtr);
      storeSums(cPtr + 5 * ROW_BYTES, acc5x0123, acc5x4567, aScalesPtr + 20, bScalesPtr);
      if (isWide) storeSums(secondCPtr + 5 * ROW_BYTES, acc5x89ab, acc5xcdef, aScalesPtr + 20, secondScalesPtr);
    }
    if (isWide) bPtr += panelBytes;
    cPtr += isWide ? 2 * PANEL_BYTES : PANEL_BYTES;
    bScalesPtr += isWide ? 2 * PANEL_BYTES : PANEL_BYTES;
    secondCPtr += 2 * PANEL_BYTES;
    secondScalesPtr += 2 * PANEL_BYTES;
  }
}

/** All panels, in the wide build two at once while two remain. Parameters as above. */
// @ts-ignore: decorator
@inline
function multiplyPanels(
  rows: i32,
  aPtr: usize,
  aScalesPtr: usize,
  bPtr: usize,
  bScalesPtr: usize,
  cPtr: usize,
  steps: usize,
  panels: usize,
): void {
  if (IS_WIDE) {
    const even = panels & ~1;
    if (even) multiplyTile(rows, true, aPtr, aScalesPtr, bPtr, bScalesPtr, cPtr, steps, even);
    if (even == panels) return;
    bPtr += even * steps * PAIR_PANEL_BYTES;
    bScalesPtr += even * PANEL_BYTES;
    cPtr += even * PANEL_BYTES;
    panels = 1;
  }
  multiplyTile(rows, false, aPtr, aScalesPtr, bPtr, bScalesPtr, cPtr, steps, panels);
}

/** One row against four panels at a time, as in multiplyStrip.ts. Parameters as above. */
// @ts-ignore: decorator
@inline
function multiplyTile1x32(
  aPtr: usize,
  aScalesPtr: usize,
  bPtr: usize,
  bScalesPtr: usize,
  cPtr: usize,
  steps: usize,
  panels: usize,
): void {
  const panelBytes = steps * PAIR_PANEL_BYTES;
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
    let b1Ptr = b0Ptr + panelBytes;
    let b2Ptr = b1Ptr + panelBytes;
    let b3Ptr = b2Ptr + panelBytes;
    const panelEnd = b1Ptr;
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
      rowPtr += PANEL_BYTES;
      b0Ptr += PAIR_PANEL_BYTES;
      b1Ptr += PAIR_PANEL_BYTES;
      b2Ptr += PAIR_PANEL_BYTES;
      b3Ptr += PAIR_PANEL_BYTES;
    } while (b0Ptr < panelEnd);

    storeSums(cPtr, acc0x0123, acc0x4567, aScalesPtr, bScalesPtr);
    storeSums(cPtr + 1 * PANEL_BYTES, acc0x89ab, acc0xcdef, aScalesPtr, bScalesPtr + 1 * PANEL_BYTES);
    storeSums(cPtr + 2 * PANEL_BYTES, acc0xghij, acc0xklmn, aScalesPtr, bScalesPtr + 2 * PANEL_BYTES);
    storeSums(cPtr + 3 * PANEL_BYTES, acc0xopqr, acc0xstuv, aScalesPtr, bScalesPtr + 3 * PANEL_BYTES);
    cPtr += 4 * PANEL_BYTES;
    bScalesPtr += 4 * PANEL_BYTES;
    bPtr += 4 * panelBytes;
  }
  if (panels > 0) multiplyTile(1, false, aPtr, aScalesPtr, bPtr, bScalesPtr, cPtr, steps, panels);
}

/** C = A·B by the tile for `tileRows` rows: 1, 4 or 6. Parameters as above. */
export function multiplyStripInt8(
  tileRows: usize,
  aPtr: usize,
  aScalesPtr: usize,
  bPtr: usize,
  bScalesPtr: usize,
  cPtr: usize,
  steps: usize,
  panels: usize,
): void {
  if (tileRows == 6) multiplyPanels(6, aPtr, aScalesPtr, bPtr, bScalesPtr, cPtr, steps, panels);
  else if (tileRows == 4) multiplyPanels(4, aPtr, aScalesPtr, bPtr, bScalesPtr, cPtr, steps, panels);
  else multiplyTile1x32(aPtr, aScalesPtr, bPtr, bScalesPtr, cPtr, steps, panels);
}
