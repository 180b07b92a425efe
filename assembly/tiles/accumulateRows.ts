/**
 * C += A·B for the rows of one strip, times panels of columns.
 *
 *     accumulateRows      C[r, c] += Σ_s A[r, s] · B[s, c]          r < rows, c < 8 · panels, s in order 0 … steps − 1
 *     accumulateChains    the same, where every CHAIN steps are a sum from 0, which is then added to C
 *
 * Attention weighs values with the first: rows are queries, steps are keys, and an element is one chain of multiply-adds from block to
 * block. Matrix products use the second: the shorter a chain, the smaller its rounding errors.
 *
 * Its twin multiplyStrip.ts begins with 0 and has packed rows; accumulateRowsInt8.ts multiplies integers.
 */
import { IS_WIDE, madd } from "../math/simd";
import { CHAIN, PANEL_BYTES, ROW_BYTES } from "./layout";

// @ts-ignore: decorator
@inline
const CHAIN_BYTES: usize = CHAIN << 2;

/** Panels that a single row takes at a time. */
// @ts-ignore: decorator
@inline
const FEW_PANELS: usize = 4;

/** Eight elements of a row of C: the sums, or what there is plus the sums. */
// @ts-ignore: decorator
@inline
function storeSums(adds: bool, cPtr: usize, sum0123: v128, sum4567: v128): void {
  if (adds) {
    sum0123 = f32x4.add(v128.load(cPtr), sum0123);
    sum4567 = f32x4.add(v128.load(cPtr, 16), sum4567);
  }
  v128.store(cPtr, sum0123);
  v128.store(cPtr, sum4567, 16);
}

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
 * @param continues    a literal: whether the sums go on from C; else chains begin with 0 and are added to C
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
  continues: bool,
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
    let rowPtr = aPtr;
    let panelPtr = bPtr;
    do {
      const chainEnd = continues ? aEnd : min(rowPtr + CHAIN_BYTES, aEnd);
      let acc0x0123 = continues ? v128.load(cPtr) : zero;
      let acc0x4567 = continues ? v128.load(cPtr, 16) : zero;
      let acc1x0123 = continues && rows > 1 ? v128.load(cPtr, 1 * PANEL_BYTES) : zero;
      let acc1x4567 = continues && rows > 1 ? v128.load(cPtr, 1 * PANEL_BYTES + 16) : zero;
      let acc2x0123 = continues && rows > 1 ? v128.load(cPtr, 2 * PANEL_BYTES) : zero;
      let acc2x4567 = continues && rows > 1 ? v128.load(cPtr, 2 * PANEL_BYTES + 16) : zero;
      let acc3x0123 = continues && rows > 1 ? v128.load(cPtr, 3 * PANEL_BYTES) : zero;
      let acc3x4567 = continues && rows > 1 ? v128.load(cPtr, 3 * PANEL_BYTES + 16) : zero;
      let acc4x0123 = continues && rows > 4 ? v128.load(cPtr, 4 * PANEL_BYTES) : zero;
      let acc4x4567 = continues && rows > 4 ? v128.load(cPtr, 4 * PANEL_BYTES + 16) : zero;
      let acc5x0123 = continues && rows > 4 ? v128.load(cPtr, 5 * PANEL_BYTES) : zero;
      let acc5x4567 = continues && rows > 4 ? v128.load(cPtr, 5 * PANEL_BYTES + 16) : zero;
      let acc0x89ab = continues && isWide ? v128.load(secondCPtr) : zero;
      let acc0xcdef = continues && isWide ? v128.load(secondCPtr, 16) : zero;
      let acc1x89ab = continues && isWide && rows > 1 ? v128.load(secondCPtr, 1 * PANEL_BYTES) : zero;
      let acc1xcdef = continues && isWide && rows > 1 ? v128.load(secondCPtr, 1 * PANEL_BYTES + 16) : zero;
      let acc2x89ab = continues && isWide && rows > 1 ? v128.load(secondCPtr, 2 * PANEL_BYTES) : zero;
      let acc2xcdef = continues && isWide && rows > 1 ? v128.load(secondCPtr, 2 * PANEL_BYTES + 16) : zero;
      let acc3x89ab = continues && isWide && rows > 1 ? v128.load(secondCPtr, 3 * PANEL_BYTES) : zero;
      let acc3xcdef = continues && isWide && rows > 1 ? v128.load(secondCPtr, 3 * PANEL_BYTES + 16) : zero;
      let acc4x89ab = continues && isWide && rows > 4 ? v128.load(secondCPtr, 4 * PANEL_BYTES) : zero;
      let acc4xcdef = continues && isWide && rows > 4 ? v128.load(secondCPtr, 4 * PANEL_BYTES + 16) : zero;
      let acc5x89ab = continues && isWide && rows > 4 ? v128.load(secondCPtr, 5 * PANEL_BYTES) : zero;
      let acc5xcdef = continues && isWide && rows > 4 ? v128.load(secondCPtr, 5 * PANEL_BYTES + 16) : zero;

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
      } while (rowPtr < chainEnd);

      storeSums(!continues, cPtr, acc0x0123, acc0x4567);
      if (rows > 1) {
        storeSums(!continues, cPtr + 1 * PANEL_BYTES, acc1x0123, acc1x4567);
        storeSums(!continues, cPtr + 2 * PANEL_BYTES, acc2x0123, acc2x4567);
        storeSums(!continues, cPtr + 3 * PANEL_BYTES, acc3x0123, acc3x4567);
      }
      if (rows > 4) {
        storeSums(!continues, cPtr + 4 * PANEL_BYTES, acc4x0123, acc4x4567);
        storeSums(!continues, cPtr + 5 * PANEL_BYTES, acc5x0123, acc5x4567);
      }
      if (isWide) {
        storeSums(!continues, secondCPtr, acc0x89ab, acc0xcdef);
        if (rows > 1) {
          storeSums(!continues, secondCPtr + 1 * PANEL_BYTES, acc1x89ab, acc1xcdef);
          storeSums(!continues, secondCPtr + 2 * PANEL_BYTES, acc2x89ab, acc2xcdef);
          storeSums(!continues, secondCPtr + 3 * PANEL_BYTES, acc3x89ab, acc3xcdef);
        }
        if (rows > 4) {
          storeSums(!continues, secondCPtr + 4 * PANEL_BYTES, acc4x89ab, acc4xcdef);
          storeSums(!continues, secondCPtr + 5 * PANEL_BYTES, acc5x89ab, acc5xcdef);
        }
      }
    } while (!continues && rowPtr < aEnd);
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
  continues: bool,
  aPtr: usize,
  bPtr: usize,
  bPanelBytes: usize,
  cPtr: usize,
  steps: usize,
  panels: usize,
): void {
  if (IS_WIDE) {
    const even = panels & ~1;
    if (even) accumulateTile(rows, true, continues, aPtr, bPtr, bPanelBytes, cPtr, steps, even);
    if (even == panels) return;
    bPtr += even * bPanelBytes;
    cPtr += even * (<usize>rows * PANEL_BYTES);
    panels = 1;
  }
  accumulateTile(rows, false, continues, aPtr, bPtr, bPanelBytes, cPtr, steps, panels);
}

/** One row, four panels at a time; see multiplyStrip.ts for the picture and the reason. Parameters as above. */
// @ts-ignore: decorator
@inline
function accumulateTile1x32(aPtr: usize, bPtr: usize, bPanelBytes: usize, cPtr: usize, steps: usize, panels: usize): void {
  const aEnd = aPtr + (steps << 2);
  for (; panels >= FEW_PANELS; panels -= FEW_PANELS) {
    let rowPtr = aPtr;
    let b0Ptr = bPtr;
    let b1Ptr = b0Ptr + bPanelBytes;
    let b2Ptr = b1Ptr + bPanelBytes;
    let b3Ptr = b2Ptr + bPanelBytes;
    let acc0x0123 = v128.load(cPtr);
    let acc0x4567 = v128.load(cPtr, 16);
    let acc0x89ab = v128.load(cPtr, 1 * PANEL_BYTES);
    let acc0xcdef = v128.load(cPtr, 1 * PANEL_BYTES + 16);
    let acc0xghij = v128.load(cPtr, 2 * PANEL_BYTES);
    let acc0xklmn = v128.load(cPtr, 2 * PANEL_BYTES + 16);
    let acc0xopqr = v128.load(cPtr, 3 * PANEL_BYTES);
    let acc0xstuv = v128.load(cPtr, 3 * PANEL_BYTES + 16);

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

    storeSums(false, cPtr, acc0x0123, acc0x4567);
    storeSums(false, cPtr + 1 * PANEL_BYTES, acc0x89ab, acc0xcdef);
    storeSums(false, cPtr + 2 * PANEL_BYTES, acc0xghij, acc0xklmn);
    storeSums(false, cPtr + 3 * PANEL_BYTES, acc0xopqr, acc0xstuv);
    cPtr += FEW_PANELS * PANEL_BYTES;
    bPtr += FEW_PANELS * bPanelBytes;
  }
  if (panels > 0) accumulateTile(1, false, true, aPtr, bPtr, bPanelBytes, cPtr, steps, panels);
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
  if (tileRows == 6) accumulatePanels(6, true, aPtr, bPtr, bPanelBytes, cPtr, steps, panels);
  else if (tileRows == 4) accumulatePanels(4, true, aPtr, bPtr, bPanelBytes, cPtr, steps, panels);
  else accumulateTile1x32(aPtr, bPtr, bPanelBytes, cPtr, steps, panels);
}

/**
 * C += A·B in chains, by the same tiles. Their ends count from the first step. Parameters as above.
 *
 * @param sumsPtr  room for a chain of FEW_PANELS panels, if there is one row
 */
export function accumulateChains(
  tileRows: usize,
  aPtr: usize,
  bPtr: usize,
  bPanelBytes: usize,
  cPtr: usize,
  steps: usize,
  panels: usize,
  sumsPtr: usize,
): void {
  if (tileRows == 6) accumulatePanels(6, false, aPtr, bPtr, bPanelBytes, cPtr, steps, panels);
  else if (tileRows == 4) accumulatePanels(4, false, aPtr, bPtr, bPanelBytes, cPtr, steps, panels);
  else accumulateRowInChains(aPtr, bPtr, bPanelBytes, cPtr, steps, panels, sumsPtr);
}

/** One row: each chain in a call of its own, since V8 11.3 is slower with a loop of chains around the tile's: see decision 7. */
function accumulateRowInChains(
  aPtr: usize,
  bPtr: usize,
  bPanelBytes: usize,
  cPtr: usize,
  steps: usize,
  panels: usize,
  sumsPtr: usize,
): void {
  for (let panel: usize = 0; panel < panels; panel += FEW_PANELS) {
    const few = min(FEW_PANELS, panels - panel);
    for (let step: usize = 0; step < steps; step += CHAIN) {
      memory.fill(sumsPtr, 0, FEW_PANELS * PANEL_BYTES);
      accumulateRows(1, aPtr + (step << 2), bPtr + step * PANEL_BYTES, bPanelBytes, sumsPtr, min(CHAIN, steps - step), few);
      for (let offset: usize = 0; offset < few * PANEL_BYTES; offset += PANEL_BYTES) {
        storeSums(true, cPtr + offset, v128.load(sumsPtr + offset), v128.load(sumsPtr + offset, 16));
      }
    }
    cPtr += FEW_PANELS * PANEL_BYTES;
    bPtr += FEW_PANELS * bPanelBytes;
  }
}
