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
import { visibleScores } from "./blockScores";
import { finishStrip, takeBlock } from "./onlineSoftmax";
import { writeScores, writeWeights } from "./handOut";
import { Strip } from "./strip";
import { Workspace } from "./workspace";
import { LOG2E } from "./exp2";
import { BAND_STRIPS } from "./layout";

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
  for (let i: usize = 0; i < band.numStrips; i++) endStrip(p, workspace, band.strip(i));
}

function beginStrip(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  strip.touch(p);
  strip.packQueries(p, LOG2E);
  strip.clear(0, workspace.panels.layout.numValuePanels);
}

function attendBlock(p: AttentionParams, workspace: Workspace, strip: Strip, block: usize): void {
  const panels = workspace.panels;
  const scores = workspace.scores;
  const firstKey = strip.firstKey(block);
  const endKey = strip.endKey(block);
  visibleScores(p, panels, strip, firstKey, endKey, scores);
  takeBlock(p, panels, strip, firstKey, endKey, scores, workspace.spareScores);
}

/** Writes all that is wanted of a strip that has seen its keys. */
function endStrip(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  if (p.scores) writeScores(p, workspace, strip);
  finishStrip(p, strip); // may overwrite the queries
  if (p.weights) writeWeights(p, workspace, strip);
}
