/**
 * C = A·B for one strip: a few rows that are packed together, times panels of columns.
 *
 *     C[r, c] = Σ_s A[s, r] · B[s, c]          r < rows, c < 8 · panels, s in order 0 … steps − 1
 *
 * Attention computes scores with it: rows are queries, columns keys, steps channels. Linear attention multiplies queries by
 * sums. The sum over s is never split: an element has the same bits whether its row is computed with five others or alone.
 *
 * Its twin accumulateRows.ts adds to C; multiplyStripInt8.ts multiplies integers.
 */
import { IS_WIDE, madd } from "../math/simd";
import { PANEL_BYTES, ROW_BYTES } from "./layout";

/** Eight elements of a row of C. */
// @ts-ignore: decorator
@inline
function storeSums(ptr: usize, sum0123: v128, sum4567: v128): void {
  v128.store(ptr, sum0123);
  v128.store(ptr, sum4567, 16);
}

/**
 *                       B panel [steps, 8]
 *                       cols 0123    cols 4567
 *     A strip    row 0  acc0x0123    acc0x4567      each step s: load 8 columns' element s,
 *     [steps,    row 1  acc1x0123    acc1x4567      splat row r's element s, multiply, add
 *      8]        …
 *                row 5  acc5x0123    acc5x4567
 *
 * Six rows take 12 accumulators, 2 vectors of B and 1 splat of A: all 15 registers that V8 has. STRIP_ROWS in
 * `src/runtime/builds.ts` has each build's best height; `docs/decisions/0001-blocks-strips-and-tiles.md` tells how to measure it.
 * With registers of 256 bits, two panels at once are the columns 0 to f.
 *
 * @param rows    rows of the tile, a literal: 1, 4 or 6
 * @param isWide  a literal: whether it takes two panels at once, in registers of 256 bits; then `panels` is even
 * @param aPtr    packed rows [steps, 8], or the first that is wanted of them: read number by number
 * @param bPtr    packed columns [panels, steps, 8]; 16-byte aligned
 * @param cPtr    `rows` rows, ROW_BYTES apart; 8 · panels elements of each are written. Must not overlap A or B.
 * @param steps   ≥ 1
 * @param panels  panels of B, ≥ 1
 */
// @ts-ignore: decorator
@inline
function multiplyTile(rows: i32, isWide: bool, aPtr: usize, bPtr: usize, cPtr: usize, steps: usize, panels: usize): void {
  assert(steps > 0 && panels > 0, "multiplyTile: steps and panels must be positive");
  assert(((bPtr | cPtr) & 15) == 0, "multiplyTile: pointers must be 16-byte aligned");
  const panelBytes = steps * PANEL_BYTES;
  const bEnd = bPtr + panels * panelBytes;
  let secondCPtr = cPtr + PANEL_BYTES; // moves with cPtr: V8 pairs stores by their address expression

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

    let rowPtr = aPtr;
    const panelEnd = bPtr + panelBytes;
    do {
      const b0123 = v128.load(bPtr);
      const b4567 = v128.load(bPtr, 16);
      const b89ab = isWide ? v128.load(bPtr + panelBytes) : b0123;
      const bcdef = isWide ? v128.load(bPtr + panelBytes, 16) : b4567;
      let a = v128.load32_splat(rowPtr);
      acc0x0123 = madd(a, b0123, acc0x0123);
      acc0x4567 = madd(a, b4567, acc0x4567);
      if (isWide) acc0x89ab = madd(a, b89ab, acc0x89ab);
      if (isWide) acc0xcdef = madd(a, bcdef, acc0xcdef);
      if (rows > 1) {
        a = v128.load32_splat(rowPtr, 4);
        acc1x0123 = madd(a, b0123, acc1x0123);
        acc1x4567 = madd(a, b4567, acc1x4567);
        if (isWide) acc1x89ab = madd(a, b89ab, acc1x89ab);
        if (isWide) acc1xcdef = madd(a, bcdef, acc1xcdef);
        a = v128.load32_splat(rowPtr, 8);
        acc2x0123 = madd(a, b0123, acc2x0123);
        acc2x4567 = madd(a, b4567, acc2x4567);
        if (isWide) acc2x89ab = madd(a, b89ab, acc2x89ab);
        if (isWide) acc2xcdef = madd(a, bcdef, acc2xcdef);
        a = v128.load32_splat(rowPtr, 12);
        acc3x0123 = madd(a, b0123, acc3x0123);
        acc3x4567 = madd(a, b4567, acc3x4567);
        if (isWide) acc3x89ab = madd(a, b89ab, acc3x89ab);
        if (isWide) acc3xcdef = madd(a, bcdef, acc3xcdef);
      }
      if (rows > 4) {
        a = v128.load32_splat(rowPtr, 16);
        acc4x0123 = madd(a, b0123, acc4x0123);
        acc4x4567 = madd(a, b4567, acc4x4567);
        if (isWide) acc4x89ab = madd(a, b89ab, acc4x89ab);
        if (isWide) acc4xcdef = madd(a, bcdef, acc4xcdef);
        a = v128.load32_splat(rowPtr, 20);
        acc5x0123 = madd(a, b0123, acc5x0123);
        acc5x4567 = madd(a, b4567, acc5x4567);
        if (isWide) acc5x89ab = madd(a, b89ab, acc5x89ab);
        if (isWide) acc5xcdef = madd(a, bcdef, acc5xcdef);
      }
      rowPtr += PANEL_BYTES;
      bPtr += PANEL_BYTES;
    } while (bPtr < panelEnd);

    storeSums(cPtr, acc0x0123, acc0x4567);
    if (isWide) storeSums(secondCPtr, acc0x89ab, acc0xcdef);
    if (rows > 1) {
      storeSums(cPtr + 1 * ROW_BYTES, acc1x0123, acc1x4567);
      if (isWide) storeSums(secondCPtr + 1 * ROW_BYTES, acc1x89ab, acc1xcdef);
      storeSums(cPtr + 2 * ROW_BYTES, acc2x0123, acc2x4567);
      if (isWide) storeSums(secondCPtr + 2 * ROW_BYTES, acc2x89ab, acc2xcdef);
      storeSums(cPtr + 3 * ROW_BYTES, acc3x0123, acc3x4567);
      if (isWide) storeSums(secondCPtr + 3 * ROW_BYTES, acc3x89ab, acc3xcdef);
    }
    if (rows > 4) {
      storeSums(cPtr + 4 * ROW_BYTES, acc4x0123, acc4x4567);
      if (isWide) storeSums(secondCPtr + 4 * ROW_BYTES, acc4x89ab, acc4xcdef);
      storeSums(cPtr + 5 * ROW_BYTES, acc5x0123, acc5x4567);
      if (isWide) storeSums(secondCPtr + 5 * ROW_BYTES, acc5x89ab, acc5xcdef);
    }
    if (isWide) bPtr += panelBytes;
    cPtr += isWide ? 2 * PANEL_BYTES : PANEL_BYTES;
    secondCPtr += 2 * PANEL_BYTES;
  }
}

/** All panels, in the wide build two at once while two remain. Parameters as above. */
// @ts-ignore: decorator
@inline
function multiplyPanels(rows: i32, aPtr: usize, bPtr: usize, cPtr: usize, steps: usize, panels: usize): void {
  if (IS_WIDE) {
    const even = panels & ~1;
    if (even) multiplyTile(rows, true, aPtr, bPtr, cPtr, steps, even);
    if (even == panels) return;
    bPtr += even * steps * PANEL_BYTES;
    cPtr += even * PANEL_BYTES;
    panels = 1;
  }
  multiplyTile(rows, false, aPtr, bPtr, cPtr, steps, panels);
}

/**
 * One row against four panels at a time: with only two accumulators each step would wait for the last, and loads with it. Reads
 * B as fast as memory delivers it. Columns are digits of base 32. Parameters as above.
 *
 *              B panel 0               B panel 1               B panel 2               B panel 3
 *     A row 0  acc0x0123  acc0x4567    acc0x89ab  acc0xcdef    acc0xghij  acc0xklmn    acc0xopqr  acc0xstuv
 */
// @ts-ignore: decorator
@inline
function multiplyTile1x32(aPtr: usize, bPtr: usize, cPtr: usize, steps: usize, panels: usize): void {
  const panelBytes = steps * PANEL_BYTES;
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
      acc0x0123 = madd(a, v128.load(b0Ptr), acc0x0123);
      acc0x4567 = madd(a, v128.load(b0Ptr, 16), acc0x4567);
      acc0x89ab = madd(a, v128.load(b1Ptr), acc0x89ab);
      acc0xcdef = madd(a, v128.load(b1Ptr, 16), acc0xcdef);
      acc0xghij = madd(a, v128.load(b2Ptr), acc0xghij);
      acc0xklmn = madd(a, v128.load(b2Ptr, 16), acc0xklmn);
      acc0xopqr = madd(a, v128.load(b3Ptr), acc0xopqr);
      acc0xstuv = madd(a, v128.load(b3Ptr, 16), acc0xstuv);
      rowPtr += PANEL_BYTES;
      b0Ptr += PANEL_BYTES;
      b1Ptr += PANEL_BYTES;
      b2Ptr += PANEL_BYTES;
      b3Ptr += PANEL_BYTES;
    } while (b0Ptr < panelEnd);

    storeSums(cPtr, acc0x0123, acc0x4567);
    storeSums(cPtr + 1 * PANEL_BYTES, acc0x89ab, acc0xcdef);
    storeSums(cPtr + 2 * PANEL_BYTES, acc0xghij, acc0xklmn);
    storeSums(cPtr + 3 * PANEL_BYTES, acc0xopqr, acc0xstuv);
    cPtr += 4 * PANEL_BYTES;
    bPtr += 4 * panelBytes;
  }
  if (panels > 0) multiplyTile(1, false, aPtr, bPtr, cPtr, steps, panels);
}

/** C = A·B by the tile for `tileRows` rows: 1, 4 or 6. Parameters as above. */
export function multiplyStrip(tileRows: usize, aPtr: usize, bPtr: usize, cPtr: usize, steps: usize, panels: usize): void {
  if (tileRows == 6) multiplyPanels(6, aPtr, bPtr, cPtr, steps, panels);
  else if (tileRows == 4) multiplyPanels(4, aPtr, bPtr, cPtr, steps, panels);
  else multiplyTile1x32(aPtr, bPtr, cPtr, steps, panels);
}
