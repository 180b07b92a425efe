/** Scores of a strip against the keys of one block: row r from `scoresPtr + r · ROW_BYTES` on. */
import { AttentionParams, Gaussian, Score } from "../abi/attentionParams";
import { additiveScores } from "./additive";
import { divideByNorms } from "./cosine";
import { addScaledBias, applyMask, hideKeys } from "../tiles/mask";
import { KeyRange } from "./keyRange";
import { addExponents } from "./gaussian";
import { addSlopes, addTable } from "./positions";
import { Strip } from "./strip";
import { Workspace } from "./workspace";
import { HAS_EVERY_OPTION } from "../abi/options";
import { pairsOf } from "../tiles/pairs";
import { multiplyStrip } from "../tiles/multiplyStrip";
import { multiplyStripInt8 } from "../tiles/multiplyStripInt8";
import { softcapRow } from "../tiles/scoreRows";
import { scaleFinite } from "../math/scaleFinite";
import { ceilPanel, floorBlock, PANEL, ROW_BYTES } from "../tiles/layout";

/** q·k, with the product of keys of distances if there are any, of keys `firstKey` (a panel's first) to `endKey` − 1, capped if requested. */
export function rawScores(
  p: AttentionParams,
  workspace: Workspace,
  strip: Strip,
  firstKey: usize,
  endKey: usize,
  isCapped: bool,
  scoresPtr: usize,
): void {
  const panels = workspace.panels;
  const columns = ceilPanel(endKey) - firstKey;
  panels.pack(p, floorBlock(firstKey));
  const kPtr = panels.keys(firstKey);
  const numPanels = columns / PANEL;
  if (HAS_EVERY_OPTION && p.score == Score.ADDITIVE) {
    additiveScores(p, workspace.additive, panels, workspace.keyHead(p), strip, firstKey, numPanels, scoresPtr);
  } else if (p.isInt8) {
    const pairs = pairsOf(p.headDim);
    const kScales = panels.keyScales(firstKey);
    multiplyStripInt8(strip.tileRows, strip.queryPanel, strip.queryScales, kPtr, kScales, scoresPtr, pairs, numPanels);
  } else {
    multiplyStrip(strip.tileRows, strip.queryPanel, kPtr, scoresPtr, p.headDim, numPanels);
  }
  if (HAS_EVERY_OPTION && p.score == Score.COSINE) {
    divideByNorms(strip, workspace.keyFactors.from(p, panels, workspace.keyHead(p), firstKey), columns, scoresPtr);
  }
  if (HAS_EVERY_OPTION && p.relativeKeys) workspace.relative.add(p, strip, firstKey, endKey, scoresPtr);
  if (!isCapped) return;
  for (let r: usize = 0; r < strip.numRows; r++) {
    softcapRow(scoresPtr + r * ROW_BYTES, columns << 2, scaleFinite(p.softcap, strip.scoreFactor));
  }
}

/** The same with bias, and −∞ for each key that a row may not see. Extra keys have neither bias nor masks. */
export function visibleScores(
  p: AttentionParams,
  workspace: Workspace,
  strip: Strip,
  firstKey: usize,
  endKey: usize,
  scoresPtr: usize,
): void {
  const columns = ceilPanel(endKey) - firstKey;
  rawScores(p, workspace, strip, firstKey, endKey, p.softcap != 0, scoresPtr);
  const sequence = strip.sequence;
  const keyMask = p.keyMask + sequence.batch * p.keyMaskBatchStride + sequence.keyStart + firstKey;
  const unmasked = <usize>max(0, sequence.maskStart - <i32>firstKey); // keys before those that the mask covers
  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    const rowScores = scoresPtr + r * ROW_BYTES;
    const keys = row.end > firstKey ? min(row.end - firstKey, columns) : 0;
    if (p.alibiSlopes) addSlopes(row, firstKey, keys, strip.scoreFactor, rowScores);
    if (p.bias) addScaledBias(rowScores, row.bias + ((firstKey * p.biasKeyStride) << 2), p.biasKeyStride, keys, strip.scoreFactor);
    if (p.relativeBias) addTable(p, workspace.biasWindows, row, firstKey, keys, strip.scoreFactor, rowScores);
    if (HAS_EVERY_OPTION && p.gaussian == Gaussian.BIAS) addExponents(p, row, firstKey, columns, strip.scoreFactor, rowScores);
    if (p.mask && unmasked < keys) {
      const masked = rowScores + (unmasked << 2);
      applyMask(masked, row.mask + (firstKey + unmasked) * p.maskKeyStride, p.maskKeyStride, keys - unmasked);
    }
    if (p.keyMask) applyMask(rowScores, keyMask, 1, keys);
    applyRange(row, rowScores, firstKey, firstKey + columns);
    if (HAS_EVERY_OPTION && p.halfWidth > 0 && row.localFrom > <i32>firstKey) {
      hideKeys(rowScores, 0, min(<usize>row.localFrom - firstKey, columns)); // sink tokens before the window
    }
  }
}

/** Hides the keys outside `range` among the keys `first` to `last` − 1, whose scores begin at `scoresPtr`. */
function applyRange(range: KeyRange, scoresPtr: usize, first: usize, last: usize): void {
  const origin = scoresPtr - (first << 2);
  hideKeys(origin, max(first, range.sinkEnd), min(last, range.from));
  hideKeys(origin, max(first, range.end), min(last, range.extraStart));
  hideKeys(origin, max(first, range.to), last);
}
