/**
 * Matrix product, blocked as in Goto & van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication", and BLIS, on the tiles
 * of accumulateRows.ts.
 *
 *     out[i, j] = activation(Σ_k a[i, k] · b[k, j] + bias[j])          k in chains of 128, one accumulator per element
 *
 *     for each unit: some rows × 256 or 512 columns of out
 *       for each block of 512 k            pack b's columns, unless they are packed
 *         for each strip of 6 rows         gather a's rows → tiles
 *       write the rows                     bias, activation
 *
 * A block of b, at most 1 MiB, stays in L2 while all strips of the unit pass; a panel of it, and the strip of a, stay in L1. Neither the
 * number of rows nor the size of a unit affects an element's sum.
 */
import { MatmulEntry, MatmulParams } from "../abi/matmulParams";
import { touchLines } from "../tiles/touch";
import { accumulateChains } from "../tiles/accumulateRows";
import { activateRow } from "../rows/activations";
import { packKeys, packValues, transposeRows } from "../tiles/pack";
import { ceilPanel, K_BLOCK, MAX_STRIP_ROWS, PANEL, PANEL_BYTES, ROW_BYTES, tileRowsFor, wholeLines } from "../tiles/layout";

/**
 * If at most this many rows use a block of a packed matrix, they wait for memory, so all of its lines are touched at once. Sapphire
 * Rapids, 8 × 4096 × 4096: 17.6 without and 23.8 GFLOP/s with it; up to 4 rows the tiles alone read faster.
 */
// @ts-ignore: decorator
@inline
const FEW_ROWS: usize = 48;

/** Parts of a thread's workspace. */
@unmanaged
class ProductWorkspace {
  /** Rows of a, [MAX_STRIP_ROWS, K_BLOCK]. */
  strip: usize;
  /** [panels, tileRows, 8] of each strip. */
  accumulators: usize;
  /** [panels, K_BLOCK, 8]; unused where b is packed. */
  panels: usize;
}

// @ts-ignore: decorator
@inline
function panelBlockBytes(p: MatmulParams): u64 {
  return p.isPacked ? 0 : <u64>p.unitColumns * (min(K_BLOCK, p.depth) << 2);
}

// @ts-ignore: decorator
@inline
function accumulatorBytes(p: MatmulParams): u64 {
  return <u64>stripsOf(p, p.unitRows) * MAX_STRIP_ROWS * (p.unitColumns << 2);
}

// @ts-ignore: decorator
@inline
function stripsOf(p: MatmulParams, rows: usize): usize {
  return (rows + p.stripRows - 1) / p.stripRows;
}

/** Bytes of a thread's workspace; a float, see attentionWorkspaceBytes. */
export function matmulWorkspaceBytes(params: usize): f64 {
  const p = changetype<MatmulParams>(params);
  return <f64>(
    (wholeLines(offsetof<ProductWorkspace>()) +
      wholeLines(MAX_STRIP_ROWS * ROW_BYTES) +
      wholeLines(accumulatorBytes(p)) +
      wholeLines(panelBlockBytes(p)))
  );
}

/** Lays out a workspace. */
export function matmulPlace(params: usize, ptr: usize): void {
  const p = changetype<MatmulParams>(params);
  const workspace = changetype<ProductWorkspace>(ptr);
  workspace.strip = ptr + <usize>wholeLines(offsetof<ProductWorkspace>());
  workspace.accumulators = workspace.strip + <usize>wholeLines(MAX_STRIP_ROWS * ROW_BYTES);
  workspace.panels = workspace.accumulators + <usize>wholeLines(accumulatorBytes(p));
}

/** Number of column blocks of an entry. The units are [entries, column blocks, row blocks]. */
export function matmulUnits(params: usize): usize {
  const p = changetype<MatmulParams>(params);
  return p.numEntries * columnBlocks(p) * rowBlocks(p);
}

// @ts-ignore: decorator
@inline
function columnBlocks(p: MatmulParams): usize {
  return (p.columns + p.unitColumns - 1) / p.unitColumns;
}

// @ts-ignore: decorator
@inline
function rowBlocks(p: MatmulParams): usize {
  return (p.rows + p.unitRows - 1) / p.unitRows;
}

/**
 * Computes the units `first` to `end` − 1.
 *
 * @param params        MatmulParams
 * @param workspacePtr  laid out by matmulPlace for the same parameters
 */
export function matmul(params: usize, workspacePtr: usize, first: usize, end: usize): void {
  const p = changetype<MatmulParams>(params);
  const workspace = changetype<ProductWorkspace>(workspacePtr);
  const rowUnits = rowBlocks(p);
  const entryUnits = rowUnits * columnBlocks(p);
  for (let unit = first; unit < end; unit++) {
    const entry = changetype<MatmulEntry>(p.entries + (unit / entryUnits) * offsetof<MatmulEntry>());
    const column = ((unit % entryUnits) / rowUnits) * p.unitColumns;
    const row = (unit % rowUnits) * p.unitRows;
    multiplyUnit(p, workspace, entry, row, min(p.rows - row, p.unitRows), column, min(p.columns - column, p.unitColumns));
  }
}

function multiplyUnit(
  p: MatmulParams,
  workspace: ProductWorkspace,
  entry: MatmulEntry,
  row: usize,
  rows: usize,
  column: usize,
  columns: usize,
): void {
  const panels = ceilPanel(columns) / PANEL;
  const stripBytes = p.stripRows * panels * PANEL_BYTES;
  const outPtr = entry.out + ((row * p.outRowStride + column) << 2);
  const strips = stripsOf(p, rows);
  for (let strip: usize = 0; strip < strips; strip++) {
    const accPtr = workspace.accumulators + strip * stripBytes;
    const stripRows = min(p.stripRows, rows - strip * p.stripRows);
    if (p.accumulate) loadStrip(p, outPtr + ((strip * p.stripRows * p.outRowStride) << 2), accPtr, stripRows, columns);
    else memory.fill(accPtr, 0, tileRowsFor(stripRows) * panels * PANEL_BYTES);
  }
  for (let k: usize = 0; k < p.depth; k += K_BLOCK) {
    const steps = min(K_BLOCK, p.depth - k);
    const panelBytes = steps * PANEL_BYTES;
    const bPtr = p.isPacked
      ? packedPanels(p, entry.b, k, steps, column)
      : packPanels(p, workspace, entry.b, k, steps, column, columns);
    if (p.isPacked && rows > 4 && p.rows <= FEW_ROWS) touchLines(bPtr, panels * panelBytes);
    for (let strip: usize = 0; strip < strips; strip++) {
      const stripRow = row + strip * p.stripRows;
      const stripRows = min(p.stripRows, row + rows - stripRow);
      gatherRows(p, entry.a, stripRow, stripRows, k, steps, workspace.strip);
      const accPtr = workspace.accumulators + strip * stripBytes;
      const secondRow = workspace.strip + ROW_BYTES; // free where there is one row
      accumulateChains(tileRowsFor(stripRows), workspace.strip, bPtr, panelBytes, accPtr, steps, panels, secondRow);
    }
  }
  for (let strip: usize = 0; strip < strips; strip++) {
    const stripRows = min(p.stripRows, rows - strip * p.stripRows);
    const accPtr = workspace.accumulators + strip * stripBytes;
    storeStrip(p, accPtr, outPtr + ((strip * p.stripRows * p.outRowStride) << 2), stripRows, column, columns);
  }
}

/** Rows `row` to `row + rows − 1` of a, steps `k` to `k + steps − 1`, ROW_BYTES apart. */
function gatherRows(p: MatmulParams, aPtr: usize, row: usize, rows: usize, k: usize, steps: usize, stripPtr: usize): void {
  if (p.isATransposed) {
    transposeRows(aPtr + ((k * p.aRowStride + row) << 2), p.aRowStride << 2, rows, steps, stripPtr);
    return;
  }
  for (let r: usize = 0; r < rows; r++) {
    copyRow(aPtr + (((row + r) * p.aRowStride + k) << 2), stripPtr + r * ROW_BYTES, steps);
  }
}

/** `count` numbers; memory.copy is slower for so few. */
// @ts-ignore: decorator
@inline
function copyRow(fromPtr: usize, toPtr: usize, count: usize): void {
  const wholeEnd = toPtr + ((count & ~3) << 2);
  for (; toPtr < wholeEnd; toPtr += 16, fromPtr += 16) v128.store(toPtr, v128.load(fromPtr));
  for (const end = toPtr + ((count & 3) << 2); toPtr < end; toPtr += 4, fromPtr += 4) store<f32>(toPtr, load<f32>(fromPtr));
}

/** Panels of columns `column` to `column + columns − 1`, steps `k` to `k + steps − 1`, packed for this unit. */
function packPanels(
  p: MatmulParams,
  workspace: ProductWorkspace,
  b: usize,
  k: usize,
  steps: usize,
  column: usize,
  columns: usize,
): usize {
  packBlock(p.isBTransposed != 0, b, p.bRowStride, k, steps, column, columns, workspace.panels);
  return workspace.panels;
}

/** [panels, steps, 8] at `panelsPtr`. */
function packBlock(
  isTransposed: bool,
  b: usize,
  rowStride: usize,
  k: usize,
  steps: usize,
  column: usize,
  columns: usize,
  panelsPtr: usize,
): void {
  const rowBytes = rowStride << 2;
  if (isTransposed) packKeys(b + column * rowBytes + (k << 2), rowBytes, 0, columns, steps, panelsPtr);
  else packValues(b + k * rowBytes + (column << 2), rowBytes, 0, steps, columns, panelsPtr, steps * PANEL_BYTES);
}

/** The panels of a packed matrix from `column` on. */
// @ts-ignore: decorator
@inline
function packedPanels(p: MatmulParams, b: usize, k: usize, steps: usize, column: usize): usize {
  return b + ((k * ceilPanel(p.columns) + column * steps) << 2);
}

/** Bytes of a packed matrix: [⌈depth / K_BLOCK⌉][⌈columns / 8⌉, steps, 8]. A float, see attentionWorkspaceBytes. */
export function packedBytes(depth: usize, columns: usize): f64 {
  return <f64>((<u64>depth * <u64>ceilPanel(columns)) << 2);
}

/** Packs b, [depth, columns] or its transpose, both without gaps. */
export function packMatrix(b: usize, isTransposed: bool, depth: usize, columns: usize, packed: usize): void {
  const rowStride = isTransposed ? depth : columns;
  for (let k: usize = 0; k < depth; k += K_BLOCK) {
    packBlock(isTransposed, b, rowStride, k, min(K_BLOCK, depth - k), 0, columns, packed + ((k * ceilPanel(columns)) << 2));
  }
}

/** Copies rows of out to the accumulators of a strip. */
function loadStrip(p: MatmulParams, outPtr: usize, accPtr: usize, rows: usize, columns: usize): void {
  const tileRows = tileRowsFor(rows);
  for (let j: usize = 0; j < columns; j += PANEL) {
    for (let r: usize = 0; r < rows; r++) {
      copyRow(outPtr + ((r * p.outRowStride + j) << 2), accPtr + r * PANEL_BYTES, min(PANEL, columns - j));
    }
    accPtr += tileRows * PANEL_BYTES;
  }
}

/** Writes the accumulators of a strip, with bias and activation, to rows of out. */
function storeStrip(p: MatmulParams, accPtr: usize, outPtr: usize, rows: usize, column: usize, columns: usize): void {
  const panelBytes = tileRowsFor(rows) * PANEL_BYTES;
  for (let r: usize = 0; r < rows; r++) {
    let fromPtr = accPtr + r * PANEL_BYTES;
    const rowPtr = outPtr + ((r * p.outRowStride) << 2);
    let toPtr = rowPtr;
    let biasPtr = p.bias + (column << 2);
    const wholeEnd = toPtr + ((columns & ~7) << 2);
    for (; toPtr < wholeEnd; toPtr += PANEL_BYTES, fromPtr += panelBytes, biasPtr += PANEL_BYTES) {
      let x0123 = v128.load(fromPtr);
      let x4567 = v128.load(fromPtr, 16);
      if (p.bias) {
        x0123 = f32x4.add(x0123, v128.load(biasPtr));
        x4567 = f32x4.add(x4567, v128.load(biasPtr, 16));
      }
      v128.store(toPtr, x0123);
      v128.store(toPtr, x4567, 16);
    }
    for (let rest = columns & 7; rest > 0; rest--, toPtr += 4, fromPtr += 4, biasPtr += 4) {
      let x = load<f32>(fromPtr);
      if (p.bias) x += load<f32>(biasPtr);
      store<f32>(toPtr, x);
    }
    if (p.activation) activateRow(rowPtr, columns, p.activation - 1);
  }
}
