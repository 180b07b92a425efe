/**
 * Scaled dot-product attention over strips of queries and blocks of keys with online softmax: memory grows with the length, not
 * with its square. Dao 2023, arXiv:2307.08691, Alg. 1.
 *
 *     for each key/value head
 *       for each band of 8 strips      pack the query rows, scale applied
 *         for each block of 512 keys   pack keys and values, once per head
 *           for each strip             scores → maximum → exponentials, sum → weighted values
 *         for each strip               divide by the sum
 */
import { AttentionParams, ScoresStage } from "../abi/attentionParams";
import { HAS_EVERY_OPTION } from "../abi/options";
import { choose, keptScores } from "./choice";
import { clearKeyWeights, saveScores, lookAtWeights } from "./looks";
import { finishStrip, takeBlock } from "./onlineSoftmax";
import { writeScores, writeWeights } from "./scoresAndWeights";
import { looksAtWeights, Strip } from "./strip";
import { sequenceOf } from "./keyRange";
import { Workspace } from "./workspace";
import { LOG2E } from "../math/exponent";
import { BAND_STRIPS } from "../tiles/layout";

/**
 * Computes the units `first` to `end` − 1 in which threads share a call: strips, in the order of stripOrder.ts, or heads, see
 * attendHeads.
 *
 * @param params        AttentionParams
 * @param workspacePtr  laid out by attentionPlace for the same parameters; no other thread may use it during the call
 */
export function attention(params: usize, workspacePtr: usize, first: usize, end: usize): void {
  const p = changetype<AttentionParams>(params);
  const workspace = changetype<Workspace>(workspacePtr);
  const order = workspace.order;
  if (HAS_EVERY_OPTION && p.keyWeights) {
    attendHeads(p, workspace, first, end);
    return;
  }
  for (let strip = first; strip < end;) {
    order.seek(p, strip);
    const next = min(end, order.end);
    attendRows(p, workspace, order.row(p, strip), order.row(p, next));
    strip = next;
  }
}

/** The units `first` to `end` − 1 where a unit is a key/value head of an entry: all its rows, in the order in which keys receive them. */
function attendHeads(p: AttentionParams, workspace: Workspace, first: usize, end: usize): void {
  const order = workspace.order;
  for (let unit = first; unit < end; unit++) {
    const entry = unit / p.numKvHeads;
    const kvHead = unit % p.numKvHeads;
    clearKeyWeights(p, entry, kvHead);
    // an entry has one sequence, or a single entry has all
    for (let i = entry; i < p.numSequences && sequenceOf(p, i).batch == entry; i++) {
      order.goTo(p, i, kvHead);
      if (order.numRows) attendRows(p, workspace, 0, order.numRows);
    }
  }
}

/** Rows `first` to `end` − 1 of the key/value head in progress, band by band. */
function attendRows(p: AttentionParams, workspace: Workspace, first: usize, end: usize): void {
  const sequence = workspace.order.sequence;
  const kvHead = workspace.order.kvHead;
  const band = workspace.band;
  const isEveryScoreWanted = p.scores && p.scoresStage != ScoresStage.BIASED;
  band.setRows(p, sequence, first, end);
  if (HAS_EVERY_OPTION && p.relativeKeys) workspace.relative.seek(p, kvHead);
  workspace.panels.seek(p, sequence, kvHead, isEveryScoreWanted ? sequenceOf(p, sequence).extraEnd : band.to);

  const bandRows = BAND_STRIPS * p.stripRows;
  for (let row = first; row < end; row += bandRows) {
    band.set(p, sequence, kvHead, row, min(end, row + bandRows));
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
  for (let i: usize = 0; i < band.numStrips; i++) endStrip(p, workspace, band.strip(i));
}

function beginStrip(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  strip.touch(p);
  strip.packQueries(p, LOG2E);
  if (HAS_EVERY_OPTION && p.choice) choose(p, workspace, strip);
  strip.clear(0, workspace.panels.layout.numValuePanels);
}

function attendBlock(p: AttentionParams, workspace: Workspace, strip: Strip, block: usize): void {
  const firstKey = strip.firstKey(block);
  const endKey = strip.endKey(block);
  keptScores(p, workspace, strip, firstKey, endKey, workspace.scores);
  if (looksAtWeights(p)) saveScores(workspace, strip, block);
  takeBlock(p, workspace, strip, firstKey, endKey);
}

/** Writes the requested results of a strip that has seen its keys. */
function endStrip(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  if (p.scores) writeScores(p, workspace, strip);
  finishStrip(p, strip); // may overwrite the queries
  if (p.weights) writeWeights(p, workspace, strip);
  if (looksAtWeights(p)) lookAtWeights(p, workspace, strip);
}
