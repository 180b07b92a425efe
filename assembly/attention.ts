/**
 * Scaled dot-product attention over strips of queries and blocks of keys with online softmax: memory grows with the length, never
 * with its square. Dao 2023, arXiv:2307.08691, Alg. 1.
 *
 *     for each key/value head
 *       for each band of 8 strips      pack the query rows, scale applied
 *         for each block of 512 keys   pack keys and values, once a head
 *           for each strip             scores → maximum → exponentials, sum → weighted values
 *         for each strip               divide by the sum
 */
import { AttentionParams, ScoresStage } from "./params";
import { addBias, applyMask, applyRange } from "./mask";
import { Row, Strip } from "./strip";
import { Workspace } from "./workspace";
import { scoreStrip } from "./scores";
import { addValues, addValuesByRow, finishRow, rescaleRow } from "./values";
import { exponentials, normalizedExponentials, rowMax, softcapRow } from "./softmax";
import { exp2x1, LOG2E } from "./exp2";
import { inUnit } from "./unit";
import { BAND_STRIPS, BLOCK, ceilPanel, floorBlock, PANEL_BYTES, SCORE_ROW } from "./layout";

/**
 * Computes the strips `first` to `end` − 1, counted through the batch's key/value heads: the unit in which threads share a call.
 *
 * @param params        AttentionParams
 * @param workspacePtr  what placeWorkspace laid out for the same parameters; no other thread may use it meanwhile
 */
export function attention(params: usize, workspacePtr: usize, first: usize, end: usize): void {
  const p = changetype<AttentionParams>(params);
  const workspace = changetype<Workspace>(workspacePtr);
  const numRows = p.seqLen * (p.numHeads / p.numKvHeads);
  const stripsPerHead = (numRows + p.stripRows - 1) / p.stripRows;
  for (let strip = first; strip < end;) {
    const head = strip / stripsPerHead;
    const firstOfHead = head * stripsPerHead;
    const next = min(end, firstOfHead + stripsPerHead);
    attendRows(p, workspace, head, (strip - firstOfHead) * p.stripRows, min(numRows, (next - firstOfHead) * p.stripRows));
    strip = next;
  }
}

/** Rows `first` to `end` − 1 of one key/value head, band by band. */
function attendRows(p: AttentionParams, workspace: Workspace, head: usize, first: usize, end: usize): void {
  const batch = head / p.numKvHeads;
  const kvHead = head % p.numKvHeads;
  const band = workspace.band;
  const isEveryScoreWanted = p.scores && p.scoresStage != ScoresStage.BIASED;
  band.setRows(p, batch, first, end);
  workspace.panels.turnTo(p, batch, kvHead, isEveryScoreWanted ? p.kvLen : band.to);

  const bandRows = BAND_STRIPS * p.stripRows;
  for (let row = first; row < end; row += bandRows) {
    band.place(p, batch, kvHead, row, min(end, row + bandRows));
    attendBand(p, workspace);
  }
}

function attendBand(p: AttentionParams, workspace: Workspace): void {
  const band = workspace.band;
  for (let i: usize = 0; i < band.numStrips; i++) beginStrip(p, workspace, band.strip(i));
  for (let block = band.firstBlock(); block < band.to; block = band.nextBlock(block)) {
    for (let i: usize = 0; i < band.numStrips; i++) {
      if (band.strip(i).reaches(block)) attendBlock(p, workspace, band.strip(i), block);
    }
  }
  for (let i: usize = 0; i < band.numStrips; i++) finishStrip(p, workspace, band.strip(i));
}

function beginStrip(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  strip.touch(p);
  strip.packQueries(p, LOG2E);
  memory.fill(strip.accumulators, 0, workspace.panels.layout.numValuePanels * strip.tileRows * PANEL_BYTES);
}

/** Writes all that is wanted of a strip that has seen its keys. */
function finishStrip(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  const accBytes = strip.tileRows * PANEL_BYTES;
  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    const accPtr = strip.accumulators + r * PANEL_BYTES;
    const seesKeys = row.sum != 0;
    if (p.sinks && seesKeys) addSink(row, accPtr, accBytes, workspace.panels.layout.numValuePanels);
    finishRow(accPtr, accBytes, row.out, p.valueDim, reciprocalSum(row));
    if (p.logSumExp) store<f32>(row.logSumExp, seesKeys ? logSumExp(row) : row.sink);
  }
  if (p.weights) writeWeights(p, workspace, strip);
  if (p.scores) writeScores(p, workspace, strip);
}

// @ts-ignore: decorator
@inline
function logSumExp(row: Row): f32 {
  return <f32>(<f64>row.max / LOG2E + <f64>Mathf.log(row.sum));
}

/** 1 / sum, and 0 for a row that sees no key. */
// @ts-ignore: decorator
@inline
function reciprocalSum(row: Row): f32 {
  return row.sum == 0 ? 0 : <f32>1 / row.sum;
}

/** Online softmax: takes one block of keys into the strip's running state. */
function attendBlock(p: AttentionParams, workspace: Workspace, strip: Strip, block: usize): void {
  const firstKey = strip.firstKey(block);
  const endKey = strip.endKey(block);
  const scoresPtr = workspace.scores;
  const bytes = (ceilPanel(endKey) - firstKey) << 2;
  const panels = workspace.panels;
  const layout = panels.layout;
  const vPtr = panels.values(firstKey);
  const accBytes = strip.tileRows * PANEL_BYTES;
  visibleScores(p, workspace, strip, firstKey, endKey);
  const isFinite = panels.isFinite(block);

  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    const rowScores = scoresPtr + r * SCORE_ROW;
    const accPtr = strip.accumulators + r * PANEL_BYTES;
    const blockMax = rowMax(rowScores, bytes);
    raiseMax(row, blockMax, accPtr, accBytes, layout.numValuePanels);
    if (!isFinite) memory.copy(workspace.spareScores, rowScores, bytes);
    row.sum += exponentials(rowScores, bytes, shiftOf(row));
    if (!isFinite) {
      const keys = endKey - firstKey;
      addValuesByRow(workspace.spareScores, rowScores, vPtr, layout.valuePanelBytes, accPtr, accBytes, layout.numValuePanels, keys);
    }
  }
  if (isFinite) {
    const keys = endKey - firstKey;
    addValues(strip.tileRows, scoresPtr, vPtr, layout.valuePanelBytes, strip.accumulators, layout.numValuePanels, keys);
  }
}

/** Rescales what a row has gathered if `max` exceeds its maximum; the accumulators are those of rescaleRow. */
// @ts-ignore: decorator
@inline
function raiseMax(row: Row, max: f32, accPtr: usize, accBytes: usize, panels: usize): void {
  if (!(max > row.max)) return;
  if (row.max != -Infinity) {
    const factor = exp2x1(row.max - max);
    row.sum *= factor;
    rescaleRow(accPtr, accBytes, panels, factor);
  }
  row.max = max;
}

/** Takes the sink in, last, if the row has seen a key: without one it is 0 whatever the sink is. */
function addSink(row: Row, accPtr: usize, accBytes: usize, panels: usize): void {
  const sink = inUnit(row.sink, LOG2E);
  raiseMax(row, sink, accPtr, accBytes, panels);
  row.sum += exp2x1(sink - row.max);
}

/** What the exponent subtracts: the running maximum, but 0 while that is −∞, since −∞ − (−∞) is NaN. */
// @ts-ignore: decorator
@inline
function shiftOf(row: Row): f32 {
  return row.max == -Infinity ? 0 : row.max;
}

/** Scores of the strip against keys `firstKey` (a panel's first) to `endKey` − 1, from the first column of the scratch on. */
function rawScores(p: AttentionParams, workspace: Workspace, strip: Strip, firstKey: usize, endKey: usize, isCapped: bool): void {
  const columns = ceilPanel(endKey) - firstKey;
  workspace.panels.pack(p, floorBlock(firstKey));
  const kPtr = workspace.panels.keys(firstKey, p.headDim);
  scoreStrip(strip.tileRows, strip.queryPanel, kPtr, workspace.scores, p.headDim, (columns * sizeof<f32>()) / PANEL_BYTES);
  if (!isCapped) return;
  for (let r: usize = 0; r < strip.numRows; r++)
    softcapRow(workspace.scores + r * SCORE_ROW, columns << 2, inUnit(p.softcap, strip.unit));
}

/** The same with bias, and −∞ for each key that a row may not see. */
function visibleScores(p: AttentionParams, workspace: Workspace, strip: Strip, firstKey: usize, endKey: usize): void {
  const columns = ceilPanel(endKey) - firstKey;
  rawScores(p, workspace, strip, firstKey, endKey, p.softcap != 0);
  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    const rowScores = workspace.scores + r * SCORE_ROW;
    if (p.bias) addBias(rowScores, row.bias + ((firstKey * p.biasKeyStride) << 2), p.biasKeyStride, columns << 2, strip.unit);
    if (p.mask) applyMask(rowScores, row.mask + firstKey * p.maskKeyStride, p.maskKeyStride, columns << 2);
    applyRange(row, rowScores, firstKey, firstKey + columns);
  }
}

/** Weights of the strip, once maximum and sum are known: a second pass over the scores, and only when asked for. */
function writeWeights(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  for (let r: usize = 0; r < strip.numRows; r++) memory.fill(strip.row(r).weights, 0, p.kvLen << 2);
  for (let block = strip.firstBlock(); block < strip.to; block = strip.nextBlock(block)) {
    const firstKey = strip.firstKey(block);
    const endKey = strip.endKey(block);
    visibleScores(p, workspace, strip, firstKey, endKey);
    for (let r: usize = 0; r < strip.numRows; r++) {
      const row = strip.row(r);
      const rowScores = workspace.scores + r * SCORE_ROW;
      normalizedExponentials(rowScores, (ceilPanel(endKey) - firstKey) << 2, shiftOf(row), reciprocalSum(row));
      memory.copy(row.weights + (firstKey << 2), rowScores, (endKey - firstKey) << 2);
    }
  }
}

/** Scores of the strip at the stage asked for: every pair, or with −∞ where a key is invisible. */
function writeScores(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  strip.packQueries(p, 1);
  if (p.scoresStage != ScoresStage.BIASED) {
    const isCapped = p.softcap != 0 && p.scoresStage == ScoresStage.CAPPED;
    for (let block: usize = 0; block < p.kvLen; block += BLOCK) {
      const endKey = min(block + BLOCK, p.kvLen);
      rawScores(p, workspace, strip, block, endKey, isCapped);
      copyScores(workspace, strip, block, endKey);
    }
    return;
  }
  for (let r: usize = 0; r < strip.numRows; r++) {
    const scoresPtr = strip.row(r).scores;
    for (let j: usize = 0; j < p.kvLen; j++) store<f32>(scoresPtr + (j << 2), -Infinity);
  }
  for (let block = strip.firstBlock(); block < strip.to; block = strip.nextBlock(block)) {
    const firstKey = strip.firstKey(block);
    const endKey = strip.endKey(block);
    visibleScores(p, workspace, strip, firstKey, endKey);
    copyScores(workspace, strip, firstKey, endKey);
  }
}

function copyScores(workspace: Workspace, strip: Strip, firstKey: usize, endKey: usize): void {
  for (let r: usize = 0; r < strip.numRows; r++) {
    memory.copy(strip.row(r).scores + (firstKey << 2), workspace.scores + r * SCORE_ROW, (endKey - firstKey) << 2);
  }
}
