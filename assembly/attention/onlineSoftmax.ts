/**
 * Online softmax: a strip gathers its results from one block of keys after the other. When a row meets a higher score than before,
 * it scales down its sums; at the end they are divided by the sum of weights. Milakov & Gimelshein 2018, arXiv:1805.02867.
 */
import { AttentionParams } from "../abi/attentionParams";
import { weighDistances } from "./gaussian";
import { Row, Strip } from "./strip";
import { writeSummary } from "./summary";
import { Workspace } from "./workspace";
import { HAS_EVERY_OPTION } from "../abi/options";
import { pairsOf } from "../tiles/pairs";
import { quantizeWeights } from "../tiles/quantize";
import { accumulateVisible, finishRow, rescaleRow } from "../tiles/accumulators";
import { accumulateRows } from "../tiles/accumulateRows";
import { accumulateRowsInt8 } from "../tiles/accumulateRowsInt8";
import { exponentials, exponentialsWithSpread, MOST_SPREAD, rowMax } from "../tiles/scoreRows";
import { exp2Neg1 } from "../math/exp2";
import { LOG2E } from "../math/exponent";
import { scaleFinite } from "../math/scaleFinite";
import { ceilPanel, PANEL, ROW_BYTES } from "../tiles/layout";

/**
 * Takes in the keys `firstKey` to `endKey` − 1 of one block, for the columns of the strip's range. visibleScores has written
 * their scores into the workspace, where they become weights.
 */
export function takeBlock(p: AttentionParams, workspace: Workspace, strip: Strip, firstKey: usize, endKey: usize): void {
  if (p.isInt8) takeInt8(p, workspace, strip, firstKey, endKey);
  else if (workspace.panels.isFinite(firstKey)) takeFinite(p, workspace, strip, firstKey, endKey);
  else takeNotFinite(p, workspace, strip, firstKey, endKey);
}

/** Every key is multiplied, even if its weight is 0. */
function takeFinite(p: AttentionParams, workspace: Workspace, strip: Strip, firstKey: usize, endKey: usize): void {
  const panels = workspace.panels;
  const weights = workspace.scores;
  weighRows(p, strip, firstKey, weights, (ceilPanel(endKey) - firstKey) << 2);
  const vPtr = panels.values(firstKey, strip.firstPanel);
  const vPanelBytes = panels.layout.valuePanelBytes;
  accumulateRows(strip.tileRows, weights, vPtr, vPanelBytes, strip.accumulators, endKey - firstKey, strip.numPanels);
}

/** Values in int8 are finite; weights, times the scales of the values, are rounded to int16. */
function takeInt8(p: AttentionParams, workspace: Workspace, strip: Strip, firstKey: usize, endKey: usize): void {
  const panels = workspace.panels;
  const weights = workspace.scores;
  const scales = workspace.weightScales;
  const keys = endKey - firstKey;
  weighRows(p, strip, firstKey, weights, (ceilPanel(endKey) - firstKey) << 2);
  for (let r: usize = 0; r < strip.numRows; r++) {
    store<f32>(scales + (r << 2), quantizeWeights(weights + r * ROW_BYTES, panels.valueScales(firstKey), ceilPanel(keys)));
  }
  const vPtr = panels.values(firstKey, strip.firstPanel);
  const vPanelBytes = panels.layout.valuePanelBytes;
  const pairs = pairsOf(keys);
  accumulateRowsInt8(strip.tileRows, weights, scales, vPtr, vPanelBytes, strip.accumulators, pairs, strip.numPanels);
}

/** A value is NaN or infinite: row by row, so that no row is multiplied by a key that it does not see. */
function takeNotFinite(p: AttentionParams, workspace: Workspace, strip: Strip, firstKey: usize, endKey: usize): void {
  const panels = workspace.panels;
  const scores = workspace.rowScores;
  const keys = endKey - firstKey;
  const bytes = (ceilPanel(endKey) - firstKey) << 2;
  const vPtr = panels.values(firstKey, strip.firstPanel);
  const vPanelBytes = panels.layout.valuePanelBytes;
  for (let r: usize = 0; r < strip.numRows; r++) {
    const weights = workspace.scores + r * ROW_BYTES;
    memory.copy(scores, weights, bytes);
    weighRow(p, strip, r, firstKey, weights, bytes);
    accumulateVisible(scores, weights, vPtr, vPanelBytes, strip.accumulator(r), strip.accBytes, keys, strip.numPanels);
  }
}

/** Turns the scores of a block into weights, and updates the rows' maxima and sums. */
function weighRows(p: AttentionParams, strip: Strip, firstKey: usize, scoresPtr: usize, bytes: usize): void {
  for (let r: usize = 0; r < strip.numRows; r++) weighRow(p, strip, r, firstKey, scoresPtr + r * ROW_BYTES, bytes);
}

// @ts-ignore: decorator
@inline
function weighRow(p: AttentionParams, strip: Strip, r: usize, firstKey: usize, rowScores: usize, bytes: usize): void {
  const row = strip.row(r);
  raiseMax(strip, r, rowMax(rowScores, bytes));
  if (HAS_EVERY_OPTION && strip.isSpreadWanted) {
    row.sum += exponentialsWithSpread(rowScores, bytes, shiftOf(row), changetype<usize>(row) + offsetof<Row>("spread"));
  } else row.sum += exponentials(rowScores, bytes, shiftOf(row));
  if (HAS_EVERY_OPTION) weighDistances(p, row, firstKey, rowScores, bytes);
}

/** Rescales the sums of row `r` if `max` exceeds its maximum. */
// @ts-ignore: decorator
@inline
function raiseMax(strip: Strip, r: usize, max: f32): void {
  const row = strip.row(r);
  if (!(max > row.max)) return;
  if (row.max != -Infinity) {
    const factor = exp2Neg1(row.max - max);
    if (HAS_EVERY_OPTION) row.spread = (row.spread + row.sum * min(max - row.max, MOST_SPREAD)) * factor;
    row.sum *= factor;
    rescaleRow(strip.accumulator(r), strip.accBytes, strip.numPanels, factor);
  }
  row.max = max;
}

/** The number subtracted in the exponent: the running maximum, or 0 while that is −∞, since −∞ − (−∞) is NaN. */
// @ts-ignore: decorator
@inline
export function shiftOf(row: Row): f32 {
  return row.max == -Infinity ? 0 : row.max;
}

/** 1 / sum, and 0 for a row that sees no key. */
// @ts-ignore: decorator
@inline
export function reciprocalSum(row: Row): f32 {
  return row.sum == 0 ? 0 : <f32>1 / row.sum;
}

/** Writes the outputs of a strip that has seen its keys, in the columns of its range. */
export function finishStrip(p: AttentionParams, strip: Strip): void {
  const firstColumn = strip.firstPanel * PANEL;
  const columns = min(p.valueDim - firstColumn, strip.numPanels * PANEL);
  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    const seesKeys = row.sum != 0;
    const largest = row.max;
    if (p.sinks && seesKeys) addSink(strip, r);
    finishRow(strip.accumulator(r), strip.accBytes, row.out + (firstColumn << 2), columns, reciprocalSum(row));
    if (p.logSumExp && firstColumn == 0) store<f32>(row.logSumExp, seesKeys ? logSumExp(row) : row.sink);
    if (HAS_EVERY_OPTION && p.entropy | p.largestWeight && firstColumn == 0) writeSummary(p, row, largest, reciprocalSum(row));
  }
}

/** Takes in the sink, last, if the row has seen a key: a row without keys is 0 whatever the sink is. */
function addSink(strip: Strip, r: usize): void {
  const row = strip.row(r);
  const sink = scaleFinite(row.sink, LOG2E);
  raiseMax(strip, r, sink);
  row.sum += exp2Neg1(sink - row.max);
}

// @ts-ignore: decorator
@inline
function logSumExp(row: Row): f32 {
  return <f32>(<f64>row.max / LOG2E + <f64>Mathf.log(row.sum));
}
