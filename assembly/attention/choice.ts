/**
 * Attention to some of the visible keys: those of the largest scores, or one that is sampled. A first pass over a strip's blocks finds
 * what each row keeps; afterwards the same scores are computed again, with the same bits, and those of all other keys are −∞.
 */
import { AttentionParams, Choice } from "../abi/attentionParams";
import { HAS_EVERY_OPTION } from "../abi/options";
import { exp2Neg1 } from "../math/exp2";
import { uniform } from "../math/splitMix";
import { hideKeys } from "../tiles/mask";
import { exponentials, rowMax } from "../tiles/scoreRows";
import { ceilPanel, ROW_BYTES } from "../tiles/layout";
import { visibleScores } from "./blockScores";
import { heapBytes, hideBelow, keyOf, LOWEST_RANK, mostKept, takeLargest } from "./largest";
import { shiftOf } from "./onlineSoftmax";
import { Row, Strip } from "./strip";
import { Workspace } from "./workspace";

/** visibleScores, with −∞ for the keys that a row does not keep, too. */
// @ts-ignore: decorator
@inline
export function keptScores(
  p: AttentionParams,
  workspace: Workspace,
  strip: Strip,
  firstKey: usize,
  endKey: usize,
  scoresPtr: usize,
): void {
  visibleScores(p, workspace, strip, firstKey, endKey, scoresPtr);
  if (HAS_EVERY_OPTION && p.choice) hideOthers(p, strip, firstKey, ceilPanel(endKey) - firstKey, scoresPtr);
}

function hideOthers(p: AttentionParams, strip: Strip, firstKey: usize, columns: usize, scoresPtr: usize): void {
  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    const rowScores = scoresPtr + r * ROW_BYTES;
    if (p.choice == Choice.LARGEST) hideBelow(rowScores, firstKey, columns, row.leastRank);
    else hideAllBut(rowScores, firstKey, columns, row.pick);
  }
}

/** Hides the keys from `firstKey` on but one; −1 is none. */
function hideAllBut(scoresPtr: usize, firstKey: usize, columns: usize, pick: i32): void {
  const index = <usize>pick - firstKey; // huge if the key lies before
  if (pick < 0 || index >= columns) {
    hideKeys(scoresPtr, 0, columns);
  } else {
    hideKeys(scoresPtr, 0, index);
    hideKeys(scoresPtr, index + 1, columns);
  }
}

/** Finds the keys that the rows of a strip keep; its queries are packed for the softmax. */
export function choose(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  if (p.choice == Choice.SAMPLE) sample(p, workspace, strip);
  else findLargest(p, workspace, strip);
  if (!p.picks) return;
  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    store<f32>(row.picks, row.pick < 0 ? -1 : <f32>(<usize>row.pick + strip.sequence.keyStart));
  }
}

function findLargest(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  const count = mostKept(p);
  for (let r: usize = 0; r < strip.numRows; r++) strip.row(r).heapSize = 0;
  for (let block = strip.firstBlock(); block < strip.to; block = strip.nextBlock(block)) {
    const firstKey = strip.firstKey(block);
    const endKey = strip.endKey(block);
    visibleScores(p, workspace, strip, firstKey, endKey, workspace.scores);
    takeBlock(workspace, strip, firstKey, ceilPanel(endKey) - firstKey, count);
  }
  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    const isFull = row.heapSize == count;
    row.leastRank = isFull ? load<i64>(heapOf(workspace, r, count)) : LOWEST_RANK;
    row.pick = isFull ? <i32>keyOf(row.leastRank) : -1; // of a row that keeps one key
  }
}

// @ts-ignore: decorator
@inline
function heapOf(workspace: Workspace, r: usize, count: usize): usize {
  return workspace.heaps + r * <usize>heapBytes(count);
}

function takeBlock(workspace: Workspace, strip: Strip, firstKey: usize, columns: usize, count: usize): void {
  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    const rowScores = workspace.scores + r * ROW_BYTES;
    row.heapSize = takeLargest(rowScores, firstKey, columns, heapOf(workspace, r, count), row.heapSize, count);
  }
}

/**
 * Picks the first key at which the running sum of exponentials exceeds U · their total, U being made of the seed and the row: two scans of
 * the keys. Where the total is NaN, the key of the largest score.
 */
function sample(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    row.heapSize = 0;
    row.total = 0;
  }
  for (let block = strip.firstBlock(); block < strip.to; block = strip.nextBlock(block)) {
    const firstKey = strip.firstKey(block);
    const endKey = strip.endKey(block);
    const columns = ceilPanel(endKey) - firstKey;
    visibleScores(p, workspace, strip, firstKey, endKey, workspace.scores);
    takeBlock(workspace, strip, firstKey, columns, 1);
    for (let r: usize = 0; r < strip.numRows; r++) addToTotal(strip.row(r), workspace.scores + r * ROW_BYTES, columns);
  }
  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    row.pick = row.heapSize ? <i32>keyOf(load<i64>(heapOf(workspace, r, 1))) : -1;
    row.isPicked = row.heapSize == 0 || row.total != row.total;
    row.share = row.total * uniform(p.seed, strip.sequenceNumber(p), row.head, row.position);
    row.total = 0;
  }
  for (let block = strip.firstBlock(); block < strip.to; block = strip.nextBlock(block)) {
    const firstKey = strip.firstKey(block);
    const endKey = strip.endKey(block);
    visibleScores(p, workspace, strip, firstKey, endKey, workspace.scores);
    for (let r: usize = 0; r < strip.numRows; r++) {
      if (!strip.row(r).isPicked) walkTo(strip.row(r), workspace.scores + r * ROW_BYTES, firstKey, ceilPanel(endKey) - firstKey);
    }
  }
  for (let r: usize = 0; r < strip.numRows; r++) strip.row(r).max = -Infinity; // as the softmax begins
}

/** Adds a block's exponentials to the row's total, in the order of keys. */
function addToTotal(row: Row, scoresPtr: usize, columns: usize): void {
  const max = rowMax(scoresPtr, columns << 2);
  if (max > row.max) {
    if (row.max != -Infinity) row.total *= exp2Neg1(row.max - max);
    row.max = max;
  }
  exponentials(scoresPtr, columns << 2, shiftOf(row));
  for (let index: usize = 0; index < columns; index++) row.total += load<f32>(scoresPtr + (index << 2));
}

/** Walks through a block's exponentials as far as the row's share; up to there, the last key with a weight is the row's pick. */
function walkTo(row: Row, scoresPtr: usize, firstKey: usize, columns: usize): void {
  exponentials(scoresPtr, columns << 2, shiftOf(row));
  for (let index: usize = 0; index < columns; index++) {
    const weight = load<f32>(scoresPtr + (index << 2));
    if (weight == 0) continue;
    row.total += weight;
    row.pick = <i32>(firstKey + index);
    row.isPicked = row.total > row.share;
    if (row.isPicked) return;
  }
}
