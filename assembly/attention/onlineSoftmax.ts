/**
 * Online softmax: what a strip gathers from one block of keys after the other. A row that has seen a higher score than before
 * scales down what it has; at the end it is divided by its sum. Milakov & Gimelshein 2018, arXiv:1805.02867.
 */
import { AttentionParams } from "../abi/attentionParams";
import { Panels } from "./panels";
import { Row, Strip } from "./strip";
import { pairsOf } from "../tiles/pairs";
import { quantizeWeights } from "../tiles/quantize";
import { accumulateVisible, finishRow, rescaleRow } from "../tiles/accumulators";
import { accumulateRows } from "../tiles/accumulateRows";
import { accumulateRowsInt8 } from "../tiles/accumulateRowsInt8";
import { exponentials, rowMax } from "../tiles/scoreRows";
import { exp2x1, LOG2E } from "../math/exp2";
import { inUnit } from "../math/scoreUnit";
import { ceilPanel, PANEL, ROW_BYTES } from "../tiles/layout";

/**
 * Takes the keys `firstKey` to `endKey` − 1 of one block in, into the columns of the strip's range.
 *
 * @param scoresPtr  their scores as visibleScores wrote them; become weights
 * @param sparePtr   [BLOCK]
 */
export function takeBlock(
  p: AttentionParams,
  panels: Panels,
  strip: Strip,
  firstKey: usize,
  endKey: usize,
  scoresPtr: usize,
  sparePtr: usize,
): void {
  const bytes = (ceilPanel(endKey) - firstKey) << 2;
  const keys = endKey - firstKey;
  const vPanelBytes = panels.layout.valuePanelBytes;
  const vPtr = panels.values(firstKey) + strip.firstPanel * vPanelBytes;
  const isFinite = panels.isFinite(firstKey);

  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    const rowScores = scoresPtr + r * ROW_BYTES;
    raiseMax(strip, r, rowMax(rowScores, bytes));
    if (!isFinite) memory.copy(sparePtr, rowScores, bytes);
    row.sum += exponentials(rowScores, bytes, shiftOf(row));
    if (p.isInt8) {
      store<f32>(sparePtr + (r << 2), quantizeWeights(rowScores, panels.valueScales(firstKey), ceilPanel(keys)));
    } else if (!isFinite) {
      accumulateVisible(sparePtr, rowScores, vPtr, vPanelBytes, strip.accumulator(r), strip.accBytes, keys, strip.numPanels);
    }
  }
  if (p.isInt8) {
    const pairs = pairsOf(keys);
    accumulateRowsInt8(strip.tileRows, scoresPtr, sparePtr, vPtr, vPanelBytes, strip.accumulators, pairs, strip.numPanels);
  } else if (isFinite) {
    accumulateRows(strip.tileRows, scoresPtr, vPtr, vPanelBytes, strip.accumulators, keys, strip.numPanels);
  }
}

/** Rescales what row `r` has gathered if `max` exceeds its maximum. */
// @ts-ignore: decorator
@inline
function raiseMax(strip: Strip, r: usize, max: f32): void {
  const row = strip.row(r);
  if (!(max > row.max)) return;
  if (row.max != -Infinity) {
    const factor = exp2x1(row.max - max);
    row.sum *= factor;
    rescaleRow(strip.accumulator(r), strip.accBytes, strip.numPanels, factor);
  }
  row.max = max;
}

/** What the exponent subtracts: the running maximum, but 0 while that is −∞, since −∞ − (−∞) is NaN. */
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
    if (p.sinks && seesKeys) addSink(strip, r);
    finishRow(strip.accumulator(r), strip.accBytes, row.out + (firstColumn << 2), columns, reciprocalSum(row));
    if (p.logSumExp && firstColumn == 0) store<f32>(row.logSumExp, seesKeys ? logSumExp(row) : row.sink);
  }
}

/** Takes the sink in, last, if the row has seen a key: without one it is 0 whatever the sink is. */
function addSink(strip: Strip, r: usize): void {
  const row = strip.row(r);
  const sink = inUnit(row.sink, LOG2E);
  raiseMax(strip, r, sink);
  row.sum += exp2x1(sink - row.max);
}

// @ts-ignore: decorator
@inline
function logSumExp(row: Row): f32 {
  return <f32>(<f64>row.max / LOG2E + <f64>Mathf.log(row.sum));
}
