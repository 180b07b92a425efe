/** Scores of a strip against the keys of one block: row r from `scoresPtr + r · SCORE_ROW` on. */
import { AttentionParams } from "../abi/attentionParams";
import { addBias, applyMask, applyRange } from "../tiles/mask";
import { Panels } from "./panels";
import { Strip } from "./strip";
import { pairsOf } from "../tiles/element";
import { scoreStrip, scoreStripInt8 } from "../tiles/multiplyStrip";
import { softcapRow } from "../tiles/scoreRows";
import { inUnit } from "../math/scoreUnit";
import { ceilPanel, floorBlock, PANEL, SCORE_ROW } from "../tiles/layout";

/** q·k of keys `firstKey` (a panel's first) to `endKey` − 1, capped if asked for. */
export function rawScores(
  p: AttentionParams,
  panels: Panels,
  strip: Strip,
  firstKey: usize,
  endKey: usize,
  isCapped: bool,
  scoresPtr: usize,
): void {
  const columns = ceilPanel(endKey) - firstKey;
  panels.pack(p, floorBlock(firstKey));
  const kPtr = panels.keys(firstKey);
  const numPanels = columns / PANEL;
  if (p.isInt8) {
    const pairs = pairsOf(p.headDim);
    const kScales = panels.keyScales(firstKey);
    scoreStripInt8(strip.tileRows, strip.queryPanel, strip.queryScales, kPtr, kScales, scoresPtr, pairs, numPanels);
  } else {
    scoreStrip(strip.tileRows, strip.queryPanel, kPtr, scoresPtr, p.headDim, numPanels);
  }
  if (!isCapped) return;
  for (let r: usize = 0; r < strip.numRows; r++) {
    softcapRow(scoresPtr + r * SCORE_ROW, columns << 2, inUnit(p.softcap, strip.unit));
  }
}

/** The same with bias, and −∞ for each key that a row may not see. Extra keys have neither bias nor mask. */
export function visibleScores(
  p: AttentionParams,
  panels: Panels,
  strip: Strip,
  firstKey: usize,
  endKey: usize,
  scoresPtr: usize,
): void {
  const columns = ceilPanel(endKey) - firstKey;
  rawScores(p, panels, strip, firstKey, endKey, p.softcap != 0, scoresPtr);
  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    const rowScores = scoresPtr + r * SCORE_ROW;
    const keys = row.end > firstKey ? min(row.end - firstKey, columns) : 0;
    if (p.bias) addBias(rowScores, row.bias + ((firstKey * p.biasKeyStride) << 2), p.biasKeyStride, keys, strip.unit);
    if (p.mask) applyMask(rowScores, row.mask + firstKey * p.maskKeyStride, p.maskKeyStride, keys);
    applyRange(row, rowScores, firstKey, firstKey + columns);
  }
}
