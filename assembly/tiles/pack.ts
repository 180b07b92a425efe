/**
 * Panels: rows and columns laid out in the order in which the tiles read them.
 *
 *     queries  [headDim, 8]                       one strip, scale applied
 *     keys     [⌈keys / 8⌉, headDim, 8]           one block
 *     values   [⌈valueDim / 8⌉, keys, 8]          one block
 *
 * Rows missing from the last panel repeat the last row; missing columns are 0: nothing beyond the end is read.
 */
import { madd } from "../math/simd";
import { floorPanel, PANEL, PANEL_BYTES, ROW_BYTES } from "./layout";

/**
 * Writes four rows of `channels` numbers as four neighbouring columns.
 *
 * @param stepBytes  a literal: bytes from channel to channel
 * @param isScaled   a literal: whether all numbers are multiplied by `scale`
 */
// @ts-ignore: decorator
@inline
function transposeQuad(
  row0: usize,
  row1: usize,
  row2: usize,
  row3: usize,
  toPtr: usize,
  stepBytes: usize,
  channels: usize,
  isScaled: bool,
  scale: f32,
): void {
  const scales = f32x4.splat(scale);
  let rest = channels;
  for (; rest >= 4; rest -= 4) {
    const a = isScaled ? f32x4.mul(v128.load(row0), scales) : v128.load(row0);
    const b = isScaled ? f32x4.mul(v128.load(row1), scales) : v128.load(row1);
    const c = isScaled ? f32x4.mul(v128.load(row2), scales) : v128.load(row2);
    const d = isScaled ? f32x4.mul(v128.load(row3), scales) : v128.load(row3);
    const ab01 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
    const ab23 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    const cd01 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    const cd23 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    v128.store(toPtr, v128.shuffle<f64>(ab01, cd01, 0, 2));
    v128.store(toPtr + stepBytes, v128.shuffle<f64>(ab01, cd01, 1, 3));
    v128.store(toPtr + 2 * stepBytes, v128.shuffle<f64>(ab23, cd23, 0, 2));
    v128.store(toPtr + 3 * stepBytes, v128.shuffle<f64>(ab23, cd23, 1, 3));
    row0 += 16;
    row1 += 16;
    row2 += 16;
    row3 += 16;
    toPtr += 4 * stepBytes;
  }
  for (; rest > 0; rest--) {
    store<f32>(toPtr, isScaled ? load<f32>(row0) * scale : load<f32>(row0));
    store<f32>(toPtr, isScaled ? load<f32>(row1) * scale : load<f32>(row1), 4);
    store<f32>(toPtr, isScaled ? load<f32>(row2) * scale : load<f32>(row2), 8);
    store<f32>(toPtr, isScaled ? load<f32>(row3) * scale : load<f32>(row3), 12);
    row0 += 4;
    row1 += 4;
    row2 += 4;
    row3 += 4;
    toPtr += stepBytes;
  }
}

/** Packs four rows into a panel, times `scale`. */
export function packQuad(row0: usize, row1: usize, row2: usize, row3: usize, panelPtr: usize, channels: usize, scale: f32): void {
  transposeQuad(row0, row1, row2, row3, panelPtr, PANEL_BYTES, channels, true, scale);
}

/**
 * Copies the rows `rows` of a transposed matrix to rows ROW_BYTES apart.
 *
 * @param fromPtr    the first of them in step 0; steps are `stepBytes` apart
 * @param steps      numbers of a row; up to three more are written
 */
export function transposeRows(fromPtr: usize, stepBytes: usize, rows: usize, steps: usize, toPtr: usize): void {
  const last = fromPtr + (steps - 1) * stepBytes;
  for (let step: usize = 0; step < steps; step += 4, toPtr += 16, fromPtr += 4 * stepBytes) {
    transposeQuad(
      fromPtr,
      min(fromPtr + stepBytes, last),
      min(fromPtr + 2 * stepBytes, last),
      min(fromPtr + 3 * stepBytes, last),
      toPtr,
      ROW_BYTES,
      rows,
      false,
      1,
    );
  }
}

/** Packs one panel of up to 8 rows, whose addresses are at `rowsPtr`, `rowsStep` bytes apart: a strip of queries. */
export function packRows(rowsPtr: usize, rowsStep: usize, rows: usize, panelPtr: usize, channels: usize, scale: f32): void {
  for (let quad: usize = 0; quad < rows; quad += 4) {
    packQuad(
      load<usize>(rowsPtr + min(quad, rows - 1) * rowsStep),
      load<usize>(rowsPtr + min(quad + 1, rows - 1) * rowsStep),
      load<usize>(rowsPtr + min(quad + 2, rows - 1) * rowsStep),
      load<usize>(rowsPtr + min(quad + 3, rows - 1) * rowsStep),
      panelPtr + (quad << 2),
      channels,
      scale,
    );
  }
}

/** x → x · factor in one column of a panel: `channels` numbers, PANEL_BYTES apart. */
export function scaleColumn(columnPtr: usize, channels: usize, factor: f32): void {
  const end = columnPtr + channels * PANEL_BYTES;
  for (; columnPtr < end; columnPtr += PANEL_BYTES) store<f32>(columnPtr, load<f32>(columnPtr) * factor);
}

/** x → x + row · factor in one column of a panel: `channels` numbers, PANEL_BYTES apart. */
export function addToColumn(columnPtr: usize, rowPtr: usize, channels: usize, factor: f32): void {
  const end = columnPtr + channels * PANEL_BYTES;
  for (; columnPtr < end; columnPtr += PANEL_BYTES, rowPtr += 4) {
    store<f32>(columnPtr, load<f32>(columnPtr) + load<f32>(rowPtr) * factor);
  }
}

/** One column of a panel: `channels` numbers, PANEL_BYTES apart. */
function packColumn(rowPtr: usize, columnPtr: usize, channels: usize): void {
  for (const end = rowPtr + (channels << 2); rowPtr < end; rowPtr += 4, columnPtr += PANEL_BYTES) {
    store<f32>(columnPtr, load<f32>(rowPtr));
  }
}

/**
 * Packs `keys` rows, `rowBytes` apart, as keys from `first` on into the panels at `panelsPtr`. Earlier keys stay; beyond the last
 * key the rest of its panel is written too.
 */
export function packKeys(kPtr: usize, rowBytes: usize, first: usize, keys: usize, headDim: usize, panelsPtr: usize): void {
  const end = first + keys;
  const last = kPtr + (keys - 1) * rowBytes;
  let j = first;
  for (; j < end && j % PANEL != 0; j++, kPtr += rowBytes) {
    packColumn(kPtr, panelsPtr + floorPanel(j) * (headDim << 2) + ((j % PANEL) << 2), headDim);
  }
  for (; j < end; j += PANEL) {
    const panelPtr = panelsPtr + j * (headDim << 2);
    for (let column: usize = 0; column < PANEL; column += 4, kPtr += 4 * rowBytes) {
      packQuad(
        min(kPtr, last),
        min(kPtr + rowBytes, last),
        min(kPtr + 2 * rowBytes, last),
        min(kPtr + 3 * rowBytes, last),
        panelPtr + (column << 2),
        headDim,
        1,
      );
    }
  }
}

/**
 * Packs `keys` rows, `rowBytes` apart, as values from `first` on into the panels at `panelsPtr`, `panelBytes` apart; tells whether
 * all of them are finite.
 */
export function packValues(
  vPtr: usize,
  rowBytes: usize,
  first: usize,
  keys: usize,
  valueDim: usize,
  panelsPtr: usize,
  panelBytes: usize,
): bool {
  const zero = f32x4.splat(0);
  let zeros0123 = zero; // 0 · v summed: NaN as soon as one v is not finite
  let zeros4567 = zero;
  const tail = (valueDim % PANEL) << 2;
  const end = first + keys;
  for (let j = first; j < end; j++, vPtr += rowBytes) {
    let rowPtr = vPtr;
    let panelPtr = panelsPtr + j * PANEL_BYTES;
    const wholeEnd = rowPtr + (valueDim << 2) - tail;
    for (; rowPtr < wholeEnd; rowPtr += PANEL_BYTES, panelPtr += panelBytes) {
      const v0123 = v128.load(rowPtr);
      const v4567 = v128.load(rowPtr, 16);
      v128.store(panelPtr, v0123);
      v128.store(panelPtr, v4567, 16);
      zeros0123 = madd(v0123, zero, zeros0123);
      zeros4567 = madd(v4567, zero, zeros4567);
    }
    if (tail == 0) continue;
    memory.fill(panelPtr, 0, PANEL_BYTES);
    for (let byte: usize = 0; byte < tail; byte += 4) store<f32>(panelPtr + byte, load<f32>(rowPtr + byte));
    zeros0123 = madd(v128.load(panelPtr), zero, zeros0123);
    zeros4567 = madd(v128.load(panelPtr, 16), zero, zeros4567);
  }
  const zeros = f32x4.add(zeros0123, zeros4567);
  return !v128.any_true(f32x4.ne(zeros, zeros));
}

/** Unpacks key `j` of the panels at `panelsPtr` to a row. */
export function unpackKey(panelsPtr: usize, j: usize, headDim: usize, rowPtr: usize): void {
  let columnPtr = panelsPtr + floorPanel(j) * (headDim << 2) + ((j % PANEL) << 2);
  for (const end = rowPtr + (headDim << 2); rowPtr < end; rowPtr += 4, columnPtr += PANEL_BYTES) {
    store<f32>(rowPtr, load<f32>(columnPtr));
  }
}

/** Unpacks the values of key `j` in the panels at `panelsPtr`, `panelBytes` apart, to a row. */
export function unpackValue(panelsPtr: usize, panelBytes: usize, j: usize, valueDim: usize, rowPtr: usize): void {
  let panelPtr = panelsPtr + j * PANEL_BYTES;
  for (let column: usize = 0; column < valueDim; column += PANEL, panelPtr += panelBytes, rowPtr += PANEL_BYTES) {
    memory.copy(rowPtr, panelPtr, min(PANEL, valueDim - column) << 2);
  }
}
