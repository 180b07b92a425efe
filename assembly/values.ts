/**
 * Weighted sums of value rows for one strip, and what happens to the accumulators between blocks.
 *
 *     O[r, c] += Σ_j P[r, j] · V[j, c]          r < rows, j in order, one accumulator per element
 *
 * The accumulators lie as the tile walks them: [⌈valueDim / 8⌉, rows, 8].
 */
import { addProducts, load0123, load4567, stepBytes } from "./element";
import { madd } from "./simd";
import { PANEL, PANEL_BYTES, SCORE_ROW } from "./layout";

/** What the sums of a panel begin with: those so far, or 0 where integers are added to them at the end. */
// @ts-ignore: decorator
@inline
function firstSum(isInt8: bool, accPtr: usize): v128 {
  return isInt8 ? i32x4.splat(0) : v128.load(accPtr);
}

/** Eight sums of a row back to their place. */
// @ts-ignore: decorator
@inline
function storeSums(isInt8: bool, accPtr: usize, sum0123: v128, sum4567: v128, scalePtr: usize): void {
  if (isInt8) {
    const scale = v128.load32_splat(scalePtr);
    sum0123 = madd(f32x4.convert_i32x4_s(sum0123), scale, v128.load(accPtr));
    sum4567 = madd(f32x4.convert_i32x4_s(sum4567), scale, v128.load(accPtr, 16));
  }
  v128.store(accPtr, sum0123);
  v128.store(accPtr, sum4567, 16);
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
  const accEnd = accPtr + panels * (<usize>rows * PANEL_BYTES);

  while (accPtr < accEnd) {
    let acc0x0123 = firstSum(isInt8, accPtr);
    let acc0x4567 = firstSum(isInt8, accPtr + 16);
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
    if (rows > 1) {
      acc1x0123 = firstSum(isInt8, accPtr + 1 * PANEL_BYTES);
      acc1x4567 = firstSum(isInt8, accPtr + 1 * PANEL_BYTES + 16);
      acc2x0123 = firstSum(isInt8, accPtr + 2 * PANEL_BYTES);
      acc2x4567 = firstSum(isInt8, accPtr + 2 * PANEL_BYTES + 16);
      acc3x0123 = firstSum(isInt8, accPtr + 3 * PANEL_BYTES);
      acc3x4567 = firstSum(isInt8, accPtr + 3 * PANEL_BYTES + 16);
    }
    if (rows > 4) {
      acc4x0123 = firstSum(isInt8, accPtr + 4 * PANEL_BYTES);
      acc4x4567 = firstSum(isInt8, accPtr + 4 * PANEL_BYTES + 16);
      acc5x0123 = firstSum(isInt8, accPtr + 5 * PANEL_BYTES);
      acc5x4567 = firstSum(isInt8, accPtr + 5 * PANEL_BYTES + 16);
    }

    let pPtr = weightsPtr;
    let vPtr = vPanelPtr;
    do {
      const v0123 = load0123(isInt8, vPtr);
      const v4567 = load4567(isInt8, vPtr);
      let p = v128.load32_splat(pPtr);
      acc0x0123 = addProducts(isInt8, p, v0123, acc0x0123);
      acc0x4567 = addProducts(isInt8, p, v4567, acc0x4567);
      if (rows > 1) {
        p = v128.load32_splat(pPtr, SCORE_ROW);
        acc1x0123 = addProducts(isInt8, p, v0123, acc1x0123);
        acc1x4567 = addProducts(isInt8, p, v4567, acc1x4567);
        p = v128.load32_splat(pPtr, 2 * SCORE_ROW);
        acc2x0123 = addProducts(isInt8, p, v0123, acc2x0123);
        acc2x4567 = addProducts(isInt8, p, v4567, acc2x4567);
        p = v128.load32_splat(pPtr, 3 * SCORE_ROW);
        acc3x0123 = addProducts(isInt8, p, v0123, acc3x0123);
        acc3x4567 = addProducts(isInt8, p, v4567, acc3x4567);
      }
      if (rows > 4) {
        p = v128.load32_splat(pPtr, 4 * SCORE_ROW);
        acc4x0123 = addProducts(isInt8, p, v0123, acc4x0123);
        acc4x4567 = addProducts(isInt8, p, v4567, acc4x4567);
        p = v128.load32_splat(pPtr, 5 * SCORE_ROW);
        acc5x0123 = addProducts(isInt8, p, v0123, acc5x0123);
        acc5x4567 = addProducts(isInt8, p, v4567, acc5x4567);
      }
      pPtr += 4;
      vPtr += stepBytes(isInt8);
    } while (pPtr < weightsEnd);

    storeSums(isInt8, accPtr, acc0x0123, acc0x4567, scalesPtr);
    if (rows > 1) {
      storeSums(isInt8, accPtr + 1 * PANEL_BYTES, acc1x0123, acc1x4567, scalesPtr + 4);
      storeSums(isInt8, accPtr + 2 * PANEL_BYTES, acc2x0123, acc2x4567, scalesPtr + 8);
      storeSums(isInt8, accPtr + 3 * PANEL_BYTES, acc3x0123, acc3x4567, scalesPtr + 12);
    }
    if (rows > 4) {
      storeSums(isInt8, accPtr + 4 * PANEL_BYTES, acc4x0123, acc4x4567, scalesPtr + 16);
      storeSums(isInt8, accPtr + 5 * PANEL_BYTES, acc5x0123, acc5x4567, scalesPtr + 20);
    }
    accPtr += <usize>rows * PANEL_BYTES;
    vPanelPtr += vPanelBytes;
  }
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
  const weightsEnd = weightsPtr + (steps << 2);
  for (; panels >= 4; panels -= 4) {
    let acc0x0123 = firstSum(isInt8, accPtr);
    let acc0x4567 = firstSum(isInt8, accPtr + 16);
    let acc1x0123 = firstSum(isInt8, accPtr + 1 * PANEL_BYTES); // of panel 1
    let acc1x4567 = firstSum(isInt8, accPtr + 1 * PANEL_BYTES + 16);
    let acc2x0123 = firstSum(isInt8, accPtr + 2 * PANEL_BYTES);
    let acc2x4567 = firstSum(isInt8, accPtr + 2 * PANEL_BYTES + 16);
    let acc3x0123 = firstSum(isInt8, accPtr + 3 * PANEL_BYTES);
    let acc3x4567 = firstSum(isInt8, accPtr + 3 * PANEL_BYTES + 16);

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

    storeSums(isInt8, accPtr, acc0x0123, acc0x4567, scalesPtr);
    storeSums(isInt8, accPtr + 1 * PANEL_BYTES, acc1x0123, acc1x4567, scalesPtr);
    storeSums(isInt8, accPtr + 2 * PANEL_BYTES, acc2x0123, acc2x4567, scalesPtr);
    storeSums(isInt8, accPtr + 3 * PANEL_BYTES, acc3x0123, acc3x4567, scalesPtr);
    accPtr += 4 * PANEL_BYTES;
    vPanelPtr += 4 * vPanelBytes;
  }
  if (panels > 0) valueTile(isInt8, 1, weightsPtr, scalesPtr, vPanelPtr, vPanelBytes, accPtr, panels, steps);
}

function valueTile6x8(weightsPtr: usize, vPanelPtr: usize, vPanelBytes: usize, accPtr: usize, panels: usize, keys: usize): void {
  valueTile(false, 6, weightsPtr, 0, vPanelPtr, vPanelBytes, accPtr, panels, keys);
}

function valueTile4x8(weightsPtr: usize, vPanelPtr: usize, vPanelBytes: usize, accPtr: usize, panels: usize, keys: usize): void {
  valueTile(false, 4, weightsPtr, 0, vPanelPtr, vPanelBytes, accPtr, panels, keys);
}

function valueTileOfOne(weightsPtr: usize, vPanelPtr: usize, vPanelBytes: usize, accPtr: usize, panels: usize, keys: usize): void {
  valueTile1x32(false, weightsPtr, 0, vPanelPtr, vPanelBytes, accPtr, panels, keys);
}

function valueTile6x8Int8(
  weightsPtr: usize,
  scalesPtr: usize,
  vPanelPtr: usize,
  vPanelBytes: usize,
  accPtr: usize,
  panels: usize,
  pairs: usize,
): void {
  valueTile(true, 6, weightsPtr, scalesPtr, vPanelPtr, vPanelBytes, accPtr, panels, pairs);
}

function valueTile4x8Int8(
  weightsPtr: usize,
  scalesPtr: usize,
  vPanelPtr: usize,
  vPanelBytes: usize,
  accPtr: usize,
  panels: usize,
  pairs: usize,
): void {
  valueTile(true, 4, weightsPtr, scalesPtr, vPanelPtr, vPanelBytes, accPtr, panels, pairs);
}

function valueTileOfOneInt8(
  weightsPtr: usize,
  scalesPtr: usize,
  vPanelPtr: usize,
  vPanelBytes: usize,
  accPtr: usize,
  panels: usize,
  pairs: usize,
): void {
  valueTile1x32(true, weightsPtr, scalesPtr, vPanelPtr, vPanelBytes, accPtr, panels, pairs);
}

/** The tile of the given height; parameters as above. */
export function addValues(
  tileRows: usize,
  weightsPtr: usize,
  vPanelPtr: usize,
  vPanelBytes: usize,
  accPtr: usize,
  panels: usize,
  keys: usize,
): void {
  if (tileRows == 6) valueTile6x8(weightsPtr, vPanelPtr, vPanelBytes, accPtr, panels, keys);
  else if (tileRows == 4) valueTile4x8(weightsPtr, vPanelPtr, vPanelBytes, accPtr, panels, keys);
  else valueTileOfOne(weightsPtr, vPanelPtr, vPanelBytes, accPtr, panels, keys);
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
  if (tileRows == 6) valueTile6x8Int8(weightsPtr, scalesPtr, vPanelPtr, vPanelBytes, accPtr, panels, pairs);
  else if (tileRows == 4) valueTile4x8Int8(weightsPtr, scalesPtr, vPanelPtr, vPanelBytes, accPtr, panels, pairs);
  else valueTileOfOneInt8(weightsPtr, scalesPtr, vPanelPtr, vPanelBytes, accPtr, panels, pairs);
}

/**
 * One row of the same sum with the same bits, leaving out each key whose score is −∞: for blocks in which V is not finite, where
 * 0 · NaN would carry an invisible key into the row.
 *
 * @param scoresPtr    the row's scores before the exponential
 * @param weightsPtr   the row's weights
 * @param accPtr       the row's accumulators in panel 0
 * @param accBytes     bytes from a panel's accumulators to the next one's
 */
export function addValuesByRow(
  scoresPtr: usize,
  weightsPtr: usize,
  vPanelPtr: usize,
  vPanelBytes: usize,
  accPtr: usize,
  accBytes: usize,
  panels: usize,
  keys: usize,
): void {
  for (let panel: usize = 0; panel < panels; panel++) {
    let acc0123 = v128.load(accPtr);
    let acc4567 = v128.load(accPtr, 16);
    let vPtr = vPanelPtr;
    for (let j: usize = 0; j < keys; j++, vPtr += PANEL_BYTES) {
      if (load<f32>(scoresPtr + (j << 2)) == -Infinity) continue;
      const p = v128.load32_splat(weightsPtr + (j << 2));
      acc0123 = madd(p, v128.load(vPtr), acc0123);
      acc4567 = madd(p, v128.load(vPtr, 16), acc4567);
    }
    v128.store(accPtr, acc0123);
    v128.store(accPtr, acc4567, 16);
    accPtr += accBytes;
    vPanelPtr += vPanelBytes;
  }
}

/** Multiplies one row of accumulators by `factor`: the running maximum has risen. Parameters as above. */
export function rescaleRow(accPtr: usize, accBytes: usize, panels: usize, factor: f32): void {
  const factors = f32x4.splat(factor);
  for (let panel: usize = 0; panel < panels; panel++, accPtr += accBytes) {
    v128.store(accPtr, f32x4.mul(v128.load(accPtr), factors));
    v128.store(accPtr, f32x4.mul(v128.load(accPtr, 16), factors), 16);
  }
}

/** out[c] = acc[c] · factor + 0 for one row of valueDim columns. The sum turns −0 into +0. Clobbers the accumulators. */
export function finishRow(accPtr: usize, accBytes: usize, outPtr: usize, valueDim: usize, factor: f32): void {
  const factors = f32x4.splat(factor);
  for (let column: usize = 0; column < valueDim; column += PANEL, accPtr += accBytes, outPtr += PANEL_BYTES) {
    const out0123 = madd(v128.load(accPtr), factors, f32x4.splat(0));
    const out4567 = madd(v128.load(accPtr, 16), factors, f32x4.splat(0));
    if (column + PANEL <= valueDim) {
      v128.store(outPtr, out0123);
      v128.store(outPtr, out4567, 16);
    } else {
      v128.store(accPtr, out0123);
      v128.store(accPtr, out4567, 16);
      memory.copy(outPtr, accPtr, (valueDim - column) << 2);
    }
  }
}
