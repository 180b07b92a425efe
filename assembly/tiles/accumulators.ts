/**
 * Operations on the sums of a strip besides `accumulateRows`, row by row. The sums lie in the order of its tiles:
 * [⌈columns / 8⌉, rows, 8].
 */
import { madd } from "../math/simd";
import { PANEL, PANEL_BYTES } from "./layout";

/**
 * One row of `accumulateRows` with the same bits, skipping each step whose score is −∞: for blocks in which B, the values, is not
 * finite, where 0 · NaN would carry an invisible key into the row.
 *
 * @param scoresPtr    the row's scores before the exponential
 * @param aPtr         the row's weights
 * @param bPtr         as in accumulateRows.ts, like all parameters not described here
 * @param cPtr         the row's accumulators in panel 0
 * @param cPanelBytes  bytes from one panel's accumulators to the next panel's
 */
export function accumulateVisible(
  scoresPtr: usize,
  aPtr: usize,
  bPtr: usize,
  bPanelBytes: usize,
  cPtr: usize,
  cPanelBytes: usize,
  steps: usize,
  panels: usize,
): void {
  for (let panel: usize = 0; panel < panels; panel++) {
    let acc0123 = v128.load(cPtr);
    let acc4567 = v128.load(cPtr, 16);
    let panelPtr = bPtr;
    for (let s: usize = 0; s < steps; s++, panelPtr += PANEL_BYTES) {
      if (load<f32>(scoresPtr + (s << 2)) == -Infinity) continue;
      const a = v128.load32_splat(aPtr + (s << 2));
      acc0123 = madd(a, v128.load(panelPtr), acc0123);
      acc4567 = madd(a, v128.load(panelPtr, 16), acc4567);
    }
    v128.store(cPtr, acc0123);
    v128.store(cPtr, acc4567, 16);
    cPtr += cPanelBytes;
    bPtr += bPanelBytes;
  }
}

/** Multiplies one row of accumulators by `factor` when the running maximum has risen. Parameters as above. */
export function rescaleRow(accPtr: usize, accBytes: usize, panels: usize, factor: f32): void {
  const factors = f32x4.splat(factor);
  for (let panel: usize = 0; panel < panels; panel++, accPtr += accBytes) {
    const acc0123 = f32x4.mul(v128.load(accPtr), factors);
    const acc4567 = f32x4.mul(v128.load(accPtr, 16), factors);
    v128.store(accPtr, acc0123);
    v128.store(accPtr, acc4567, 16);
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
