/** Weights and scores of a strip that has seen its keys: a second pass over them, only when requested. */
import { AttentionParams, ScoresStage } from "../abi/attentionParams";
import { HAS_EVERY_OPTION } from "../abi/options";
import { rawScores, visibleScores } from "./blockScores";
import { keptScores } from "./choice";
import { weighDistances } from "./gaussian";
import { reciprocalSum, shiftOf } from "./onlineSoftmax";
import { hideKeys } from "../tiles/mask";
import { normalizedExponentials } from "../tiles/scoreRows";
import { LOG2E } from "../math/exponent";
import { looksAtWeights, Strip } from "./strip";
import { Workspace } from "./workspace";
import { BLOCK, ceilPanel, ROW_BYTES } from "../tiles/layout";

/** Weights: maximum and sum are known. Rows without an address are not wanted. */
export function writeWeights(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  const firstWeight = strip.sequence.keyStart << 2;
  let isWanted = !HAS_EVERY_OPTION;
  for (let r: usize = 0; r < strip.numRows; r++) {
    const weights = strip.row(r).weights;
    if (HAS_EVERY_OPTION && !weights) continue;
    memory.fill(weights, 0, p.kvLen << 2);
    isWanted = true;
  }
  if (!isWanted) return;
  for (let block = strip.firstBlock(); block < strip.to; block = strip.nextBlock(block)) {
    const firstKey = strip.firstKey(block);
    const endKey = strip.endKey(block);
    const bytes = (ceilPanel(endKey) - firstKey) << 2;
    keptScores(p, workspace, strip, firstKey, endKey, workspace.scores);
    for (let r: usize = 0; r < strip.numRows; r++) {
      const row = strip.row(r);
      if (HAS_EVERY_OPTION && !row.weights) continue;
      const rowScores = workspace.scores + r * ROW_BYTES;
      normalizedExponentials(rowScores, bytes, shiftOf(row), reciprocalSum(row));
      if (HAS_EVERY_OPTION) weighDistances(p, row, firstKey, rowScores, bytes);
      memory.copy(row.weights + firstWeight + (firstKey << 2), rowScores, (endKey - firstKey) << 2);
    }
  }
}

/** Scores at the requested stage: every pair, or −∞ where a key is invisible. Also −∞ where there is no key. */
export function writeScores(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  for (let r: usize = 0; r < strip.numRows; r++) hideKeys(strip.row(r).scores, 0, p.kvLen);
  strip.packQueries(p, 1);
  if (p.scoresStage == ScoresStage.BIASED) writeVisibleScores(p, workspace, strip);
  else writeRawScores(p, workspace, strip);
  if (p.weights || looksAtWeights(p)) strip.packQueries(p, LOG2E);
}

function writeRawScores(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  const isCapped = p.softcap != 0 && p.scoresStage == ScoresStage.CAPPED;
  const end = workspace.panels.end;
  for (let block: usize = 0; block < end; block += BLOCK) {
    if (!workspace.panels.has(block)) continue;
    const endKey = min(block + BLOCK, end);
    rawScores(p, workspace, strip, block, endKey, isCapped, workspace.scores);
    copyScores(workspace, strip, block, endKey);
  }
  const sequence = strip.sequence;
  for (let r: usize = 0; r < strip.numRows; r++) {
    const firstScore = strip.row(r).scores + (sequence.keyStart << 2);
    hideKeys(firstScore, sequence.keyRows, sequence.extraStart); // keys of other sequences
  }
}

function writeVisibleScores(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  for (let block = strip.firstBlock(); block < strip.to; block = strip.nextBlock(block)) {
    const firstKey = strip.firstKey(block);
    const endKey = strip.endKey(block);
    visibleScores(p, workspace, strip, firstKey, endKey, workspace.scores);
    copyScores(workspace, strip, firstKey, endKey);
  }
}

function copyScores(workspace: Workspace, strip: Strip, firstKey: usize, endKey: usize): void {
  const firstScore = strip.sequence.keyStart << 2;
  for (let r: usize = 0; r < strip.numRows; r++) {
    memory.copy(strip.row(r).scores + firstScore + (firstKey << 2), workspace.scores + r * ROW_BYTES, (endKey - firstKey) << 2);
  }
}
