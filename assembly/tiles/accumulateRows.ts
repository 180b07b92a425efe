/**
 * C += A·B for the rows of one strip, times panels of columns.
 *
 *     C[r, c] += Σ_s A[r, s] · B[s, c]          r < rows, c < 8 · panels, s in order 0 … steps − 1, one accumulator per element
 *
 * Attention weighs values with it: rows are queries, steps are keys. Matrix products add up blocks of steps with it.
 *
 * Its twin multiplyStrip.ts begins with 0 and has packed rows; accumulateRowsInt8.ts multiplies integers.
 */
import { IS_WIDE, madd } from "../math/simd";
import { PANEL_BYTES, ROW_BYTES } from "./layout";

/**
 *                       B panel [steps, 8]
 *                       cols 0123    cols 4567
 *     A          row 0  acc0x0123    acc0x4567      each step s: load 8 columns' element s,
 *     [rows,     row 1  acc1x0123    acc1x4567      splat row r's element s, multiply, add
 *      steps]    …
 *                row 5  acc5x0123    acc5x4567
 *
 * Every step is multiplied, even if A is 0: B must be finite, else use `accumulateVisible`. Registers and heights are as in
 * multiplyStrip.ts.
 *
 * @param rows         rows of the tile, a literal: 1, 4 or 6
 * @param isWide       a literal: whether it takes two panels at once, in registers of 256 bits; then `panels` is even
 * @param aPtr         row 0's first element; rows are ROW_BYTES apart
 * @param bPtr         step 0 of panel 0; 16-byte aligned
 * @param bPanelBytes  bytes between panels
 * @param cPtr         accumulators [panels, rows, 8], read and written; 16-byte aligned
 * @param steps        ≥ 1
 * @param panels       panels of B, ≥ 1
 */
// @ts-ignore: decorator
@inline
function accumulateTile(
  rows: i32,
  isWide: bool,
  aPtr: usize,
  bPtr: usize,
  bPanelBytes: usize,
  cPtr: usize,
  steps: usize,
  panels: usize,
): void {
  assert(steps > 0 && panels > 0, "accumulateTile: steps and panels must be positive");
  assert(((bPtr | cPtr) & 15) == 0, "accumulateTile: pointers must be 16-byte aligned");
  const aEnd = aPtr + (steps << 2);
  const zero = f32x4.splat(0);
  const cPanelBytes = <usize>rows * PANEL_BYTES;
  const cEnd = cPtr + panels * cPanelBytes;
  let secondCPtr = cPtr + cPanelBytes; // moves with cPtr: V8 pairs stores by their address expression

  while (cPtr < cEnd) {
    let acc0x0123 = v128.load(cPtr);
    let acc0x4567 = v128.load(cPtr, 16);
    let acc1x0123 = rows > 1 ? v128.load(cPtr, 1 * PANEL_BYTES) : zero;
    let acc1x4567 = rows > 1 ? v128.load(cPtr, 1 * PANEL_BYTES + 16) : zero;
    let acc2x0123 = rows > 1 ? v128.load(cPtr, 2 * PANEL_BYTES) : zero;
    let acc2x4567 = rows > 1 ? v128.load(cPtr, 2 * PANEL_BYTES + 16) : zero;
    let acc3x0123 = rows > 1 ? v128.load(cPtr, 3 * PANEL_BYTES) : zero;
    let acc3x4567 = rows > 1 ? v128.load(cPtr, 3 * PANEL_BYTES + 16) : zero;
    let acc4x0123 = rows > 4 ? v128.load(cPtr, 4 * PANEL_BYTES) : zero;
    let acc4x4567 = rows > 4 ? v128.load(cPtr, 4 * PANEL_BYTES + 16) : zero;
    let acc5x0123 = rows > 4 ? v128.load(cPtr, 5 * PANEL_BYTES) : zero;
    let acc5x4567 = rows > 4 ? v128.load(cPtr, 5 * PANEL_BYTES + 16) : zero;
    let acc0x89ab = isWide ? v128.load(secondCPtr) : zero;
    let acc0xcdef = isWide ? v128.load(secondCPtr, 16) : zero;
    let acc1x89ab = isWide && rows > 1 ? v128.load(secondCPtr, 1 * PANEL_BYTES) : zero;
    let acc1xcdef = isWide && rows > 1 ? v128.load(secondCPtr, 1 * PANEL_BYTES + 16) : zero;
    let acc2x89ab = isWide && rows > 1 ? v128.load(secondCPtr, 2 * PANEL_BYTES) : zero;
    let acc2xcdef = isWide && rows > 1 ? v128.load(secondCPtr, 2 * PANEL_BYTES + 16) : zero;
    let acc3x89ab = isWide && rows > 1 ? v128.load(secondCPtr, 3 * PANEL_BYTES) : zero;
    let acc3xcdef = isWide && rows > 1 ? v128.load(secondCPtr, 3 * PANEL_BYTES + 16) : zero;
    let acc4x89ab = isWide && rows > 4 ? v128.load(secondCPtr, 4 * PANEL_BYTES) : zero;
    let acc4xcdef = isWide && rows > 4 ? v128.load(secondCPtr, 4 * PANEL_BYTES + 16) : zero;
    let acc5x89ab = isWide && rows > 4 ? v128.load(secondCPtr, 5 * PANEL_BYTES) : zero;
    let acc5xcdef = isWide && rows > 4 ? v128.load(secondCPtr, 5 * PANEL_BYTES + 16) : zero;

    let rowPtr = aPtr;
    let panelPtr = bPtr;
    do {
      const b0123 = v128.load(panelPtr);
      const b4567 = v128.load(panelPtr, 16);
      const b89ab = isWide ? v128.load(panelPtr + bPanelBytes) : b0123;
      const bcdef = isWide ? v128.load(panelPtr + bPanelBytes, 16) : b4567;
      let a = v128.load32_splat(rowPtr);
      acc0x0123 = madd(a, b0123, acc0x0123);
      acc0x4567 = madd(a, b4567, acc0x4567);
      if (isWide) acc0x89ab = madd(a, b89ab, acc0x89ab);
      if (isWide) acc0xcdef = madd(a, bcdef, acc0xcdef);
      if (rows > 1) {
        a = v128.load32_splat(rowPtr, ROW_BYTES);
        acc1x0123 = madd(a, b0123, acc1x0123);
        acc1x4567 = madd(a, b4567, acc1x4567);
        if (isWide) acc1x89ab = madd(a, b89ab, acc1x89ab);
        if (isWide) acc1xcdef = madd(a, bcdef, acc1xcdef);
        a = v128.load32_splat(rowPtr, 2 * ROW_BYTES);
        acc2x0123 = madd(a, b0123, acc2x0123);
        acc2x4567 = madd(a, b4567, acc2x4567);
        if (isWide) acc2x89ab = madd(a, b89ab, acc2x89ab);
        if (isWide) acc2xcdef = madd(a, bcdef, acc2xcdef);
        a = v128.load32_splat(rowPtr, 3 * ROW_BYTES);
        acc3x0123 = madd(a, b0123, acc3x0123);
        acc3x4567 = madd(a, b4567, acc3x4567);
        if (isWide) acc3x89ab = madd(a, b89ab, acc3x89ab);
        if (isWide) acc3xcdef = madd(a, bcdef, acc3xcdef);
      }
      if (rows > 4) {
        a = v128.load32_splat(rowPtr, 4 * ROW_BYTES);
        acc4x0123 = madd(a, b0123, acc4x0123);
        acc4x4567 = madd(a, b4567, acc4x4567);
        if (isWide) acc4x89ab = madd(a, b89ab, acc4x89ab);
        if (isWide) acc4xcdef = madd(a, bcdef, acc4xcdef);
        a = v128.load32_splat(rowPtr, 5 * ROW_BYTES);
        acc5x0123 = madd(a, b0123, acc5x0123);
        acc5x4567 = madd(a, b4567, acc5x4567);
        if (isWide) acc5x89ab = madd(a, b89ab, acc5x89ab);
        if (isWide) acc5xcdef = madd(a, bcdef, acc5xcdef);
      }
      rowPtr += 4;
      panelPtr += PANEL_BYTES;
    } while (rowPtr < aEnd);

    v128.store(cPtr, acc0x0123);
    v128.store(cPtr, acc0x4567, 16);
    if (rows > 1) {
      v128.store(cPtr, acc1x0123, 1 * PANEL_BYTES);
      v128.store(cPtr, acc1x4567, 1 * PANEL_BYTES + 16);
      v128.store(cPtr, acc2x0123, 2 * PANEL_BYTES);
      v128.store(cPtr, acc2x4567, 2 * PANEL_BYTES + 16);
      v128.store(cPtr, acc3x0123, 3 * PANEL_BYTES);
      v128.store(cPtr, acc3x4567, 3 * PANEL_BYTES + 16);
    }
    if (rows > 4) {
      v128.store(cPtr, acc4x0123, 4 * PANEL_BYTES);
      v128.store(cPtr, acc4x4567, 4 * PANEL_BYTES + 16);
      v128.store(cPtr, acc5x0123, 5 * PANEL_BYTES);
      v128.store(cPtr, acc5x4567, 5 * PANEL_BYTES + 16);
    }
    if (isWide) {
      v128.store(secondCPtr, acc0x89ab);
      v128.store(secondCPtr, acc0xcdef, 16);
      if (rows > 1) {
        v128.store(secondCPtr, acc1x89ab, 1 * PANEL_BYTES);
        v128.store(secondCPtr, acc1xcdef, 1 * PANEL_BYTES + 16);
        v128.store(secondCPtr, acc2x89ab, 2 * PANEL_BYTES);
        v128.store(secondCPtr, acc2xcdef, 2 * PANEL_BYTES + 16);
        v128.store(secondCPtr, acc3x89ab, 3 * PANEL_BYTES);
        v128.store(secondCPtr, acc3xcdef, 3 * PANEL_BYTES + 16);
      }
      if (rows > 4) {
        v128.store(secondCPtr, acc4x89ab, 4 * PANEL_BYTES);
        v128.store(secondCPtr, acc4xcdef, 4 * PANEL_BYTES + 16);
        v128.store(secondCPtr, acc5x89ab, 5 * PANEL_BYTES);
        v128.store(secondCPtr, acc5xcdef, 5 * PANEL_BYTES + 16);
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
function accumulatePanels(rows: i32, aPtr: usize, bPtr: usize, bPanelBytes: usize, cPtr: usize, steps: usize, panels: usize): void {
  if (IS_WIDE) {
    const even = panels & ~1;
    if (even) accumulateTile(rows, true, aPtr, bPtr, bPanelBytes, cPtr, steps, even);
    if (even == panels) return;
    bPtr += even * bPanelBytes;
    cPtr += even * (<usize>rows * PANEL_BYTES);
    panels = 1;
  }
  accumulateTile(rows, false, aPtr, bPtr, bPanelBytes, cPtr, steps, panels);
}

/** One row, four panels at a time; see multiplyStrip.ts for the picture and the reason. Parameters as above. */
// @ts-ignore: decorator
@inline
function accumulateTile1x32(aPtr: usize, bPtr: usize, bPanelBytes: usize, cPtr: usize, steps: usize, panels: usize): void {
  const aEnd = aPtr + (steps << 2);
  for (; panels >= 4; panels -= 4) {
    let acc0x0123 = v128.load(cPtr);
    let acc0x4567 = v128.load(cPtr, 16);
    let acc0x89ab = v128.load(cPtr, 1 * PANEL_BYTES);
    let acc0xcdef = v128.load(cPtr, 1 * PANEL_BYTES + 16);
    let acc0xghij = v128.load(cPtr, 2 * PANEL_BYTES);
    let acc0xklmn = v128.load(cPtr, 2 * PANEL_BYTES + 16);
    let acc0xopqr = v128.load(cPtr, 3 * PANEL_BYTES);
    let acc0xstuv = v128.load(cPtr, 3 * PANEL_BYTES + 16);

    let rowPtr = aPtr;
    let b0Ptr = bPtr;
    let b1Ptr = b0Ptr + bPanelBytes;
    let b2Ptr = b1Ptr + bPanelBytes;
    let b3Ptr = b2Ptr + bPanelBytes;
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
      rowPtr += 4;
      b0Ptr += PANEL_BYTES;
      b1Ptr += PANEL_BYTES;
      b2Ptr += PANEL_BYTES;
      b3Ptr += PANEL_BYTES;
    } while (rowPtr < aEnd);

    v128.store(cPtr, acc0x0123);
    v128.store(cPtr, acc0x4567, 16);
    v128.store(cPtr, acc0x89ab, 1 * PANEL_BYTES);
    v128.store(cPtr, acc0xcdef, 1 * PANEL_BYTES + 16);
    v128.store(cPtr, acc0xghij, 2 * PANEL_BYTES);
    v128.store(cPtr, acc0xklmn, 2 * PANEL_BYTES + 16);
    v128.store(cPtr, acc0xopqr, 3 * PANEL_BYTES);
    v128.store(cPtr, acc0xstuv, 3 * PANEL_BYTES + 16);
    cPtr += 4 * PANEL_BYTES;
    bPtr += 4 * bPanelBytes;
  }
  if (panels > 0) accumulateTile(1, false, aPtr, bPtr, bPanelBytes, cPtr, steps, panels);
}

/** C += A·B by the tile for `tileRows` rows: 1, 4 or 6. Parameters as above. */
export function accumulateRows(
  tileRows: usize,
  aPtr: usize,
  bPtr: usize,
  bPanelBytes: usize,
  cPtr: usize,
  steps: usize,
  panels: usize,
): void {
  if (tileRows == 6) accumulatePanels(6, aPtr, bPtr, bPanelBytes, cPtr, steps, panels);
  else if (tileRows == 4) accumulatePanels(4, aPtr, bPtr, bPanelBytes, cPtr, steps, panels);
  else accumulateTile1x32(aPtr, bPtr, bPanelBytes, cPtr, steps, panels);
}
