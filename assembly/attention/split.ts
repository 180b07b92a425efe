/**
 * Attention with fewer strips than threads, as in decoding one token: threads share the keys of one strip, in two passes. Both do
 * the arithmetic of `attention` in the same order, so the bits are the same. Only for keys in a cache.
 *
 *     scores   a unit is one block of keys of one strip      scores into memory that all threads share
 *     values   a unit is a range of one strip's columns      softmax of all keys, and their values in these columns
 *
 * Each range repeats the softmax, which takes less time than waiting for a third pass.
 */
import { AttentionParams } from "../abi/attentionParams";
import { HAS_EVERY_OPTION } from "../abi/options";
import { visibleScores } from "./blockScores";
import { finishStrip, takeBlock } from "./onlineSoftmax";
import { blocksOf } from "./panels";
import { Strip } from "./strip";
import { attentionUnits } from "./stripOrder";
import { Workspace } from "./workspace";
import { LOG2E } from "../math/exponent";
import { BLOCK, ceilPanel, MAX_STRIP_ROWS, ROW_BYTES } from "../tiles/layout";

/** Blocks of strips. */
export function splitScoresUnits(params: usize): usize {
  return attentionUnits(params) * blocksOf(changetype<AttentionParams>(params).maxKvLen);
}

/** Ranges of strips. */
export function splitValuesUnits(params: usize): usize {
  return attentionUnits(params) * changetype<AttentionParams>(params).columnRanges;
}

/** Units `first` to `end` − 1 of the first pass: unit = strip · ⌈maxKvLen / BLOCK⌉ + block. */
export function splitScores(params: usize, workspacePtr: usize, first: usize, end: usize): void {
  const p = changetype<AttentionParams>(params);
  const workspace = changetype<Workspace>(workspacePtr);
  const strip = workspace.band.strip(0);
  const numBlocks = blocksOf(p.maxKvLen);
  for (let unit = first; unit < end; unit++) {
    const index = unit / numBlocks;
    const block = (unit % numBlocks) * BLOCK;
    if (unit == first || block == 0) {
      seek(p, workspace, index);
      strip.packQueries(p, LOG2E);
    }
    if (!strip.reaches(block)) continue;
    visibleScores(p, workspace, strip, strip.firstKey(block), strip.endKey(block), sharedScores(p, index, block));
  }
}

/** Units `first` to `end` − 1 of the second pass: unit = strip · columnRanges + range. */
export function splitValues(params: usize, workspacePtr: usize, first: usize, end: usize): void {
  const p = changetype<AttentionParams>(params);
  const workspace = changetype<Workspace>(workspacePtr);
  const strip = workspace.band.strip(0);
  const numPanels = workspace.panels.layout.numValuePanels;
  for (let unit = first; unit < end; unit++) {
    const index = unit / p.columnRanges;
    const range = unit % p.columnRanges;
    const firstPanel = (range * numPanels) / p.columnRanges;
    const endPanel = ((range + 1) * numPanels) / p.columnRanges;
    seek(p, workspace, index);
    strip.clear(firstPanel, endPanel - firstPanel);
    for (let block = strip.firstBlock(); block < strip.to; block = strip.nextBlock(block)) {
      const firstKey = strip.firstKey(block);
      const endKey = strip.endKey(block);
      const bytes = (ceilPanel(endKey) - firstKey) << 2;
      const sharedPtr = sharedScores(p, index, block);
      for (let r: usize = 0; r < strip.numRows; r++) {
        memory.copy(workspace.scores + r * ROW_BYTES, sharedPtr + r * ROW_BYTES, bytes);
      }
      takeBlock(p, workspace, strip, firstKey, endKey);
    }
    finishStrip(p, strip);
  }
}

/** Bytes of the scores that the passes share; as a float, see attentionWorkspaceBytes. */
export function sharedScoresBytes(params: usize): f64 {
  return <f64>splitScoresUnits(params) * <f64>(MAX_STRIP_ROWS * ROW_BYTES);
}

/** Goes to strip `index`, in the order of stripOrder.ts. */
function seek(p: AttentionParams, workspace: Workspace, index: usize): void {
  const order = workspace.order;
  order.seek(p, index);
  const row = order.row(p, index);
  const strip = workspace.band.strip(0);
  strip.set(p, order.sequence, order.kvHead, row, order.row(p, index + 1) - row);
  if (HAS_EVERY_OPTION && p.relativeKeys) workspace.relative.seek(p, order.kvHead);
  workspace.panels.seek(p, order.sequence, order.kvHead, strip.to);
}

/** Scores of a strip against a block: [MAX_STRIP_ROWS, BLOCK]. */
// @ts-ignore: decorator
@inline
function sharedScores(p: AttentionParams, index: usize, block: usize): usize {
  return p.sharedScores + (index * blocksOf(p.maxKvLen) + block / BLOCK) * (MAX_STRIP_ROWS * ROW_BYTES);
}
