/**
 * Queries of linear attention: they read the sums over earlier chunks and the open chunk.
 *
 *     out_i = (φ(q_i)ᵀ S · exp(G_i) + Σ_j P_ij v_j) / (φ(q_i)ᵀ z + Σ_j P_ij + eps) ,   P_ij = φ(q_i)·φ(k_j) exp(G_i − G_j)
 */
import { mapRows } from "./featureMaps";
import { Head, membersOf } from "./head";
import { LinearParams } from "../abi/linearParams";
import { PANEL_GROUP } from "./rows";
import { LinearWork } from "./workspace";
import { sumLanes } from "../math/simd";
import { accumulateRows } from "../tiles/accumulateRows";
import { finishRow } from "../tiles/accumulators";
import { ceilPanel, PANEL, PANEL_BYTES, tileRowsFor } from "../tiles/layout";
import { multiplyStrip } from "../tiles/multiplyStrip";
import { touchLines } from "../tiles/touch";

/** Rows touched at once: a multiple of every strip height. */
const TOUCHED_ROWS: usize = 24;

/**
 * Rows `first` to `end` − 1 of all heads that read the state, in strips. Where values of the open chunk are not finite, rows go one
 * by one, so that no row multiplies a value that it does not see: 0 · NaN is NaN.
 *
 * @param at        position of the first row in the chunk
 * @param keys      number of keys in the chunk
 * @param isCausal  whether a row sees no key after its own position
 */
export function attendQueries(
  p: LinearParams,
  work: LinearWork,
  first: usize,
  end: usize,
  at: usize,
  keys: usize,
  isCausal: bool,
): void {
  const stripRows = work.chunk.isFinite ? p.stripRows : 1;
  for (let member: usize = 0; member < membersOf(p); member++) {
    for (let row = first; row < end; row += stripRows) {
      if ((row - first) % TOUCHED_ROWS == 0) touchRows(p, work.head, member, row, min(end, row + TOUCHED_ROWS));
      attendStrip(p, work, member, row, min(stripRows, end - row), at + row - first, keys, isCausal);
    }
  }
}

/** Touches queries and results that come from distant memory, all at once. */
function touchRows(p: LinearParams, head: Head, member: usize, first: usize, end: usize): void {
  for (let i = first; i < end; i++) {
    touchLines(head.query(p, member, i), p.headDim << 2);
    touchLines(head.out(p, member, i), head.columns << 2);
  }
}

/** Rows `first` to `first + numRows − 1` of one out head against the sums and the open chunk. */
function attendStrip(
  p: LinearParams,
  work: LinearWork,
  member: usize,
  first: usize,
  numRows: usize,
  at: usize,
  keys: usize,
  isCausal: bool,
): void {
  const head = work.head;
  const sums = work.sums;
  const chunk = work.chunk;
  const decays = work.decays;
  const rows = work.rows;
  const tileRows = tileRowsFor(numRows);
  const end = isCausal ? min(at + numRows, keys) : keys; // end of the keys that any of the rows sees

  mapRows(p, work, head.query(p, member, first), p.qRowStride << 2, numRows, rows.features, true);
  rows.pack(rows.features, rows.featureBytes, numRows, p.featureDim, p.scale);
  if (p.isNormalized) rows.beginNormalizers(p, sums.normalizer);
  if (end > 0) multiplyStrip(tileRows, rows.strip, chunk.keys, rows.scores, p.featureDim, ceilPanel(end) / PANEL);
  for (let r: usize = 0; r < numRows && end > 0; r++) {
    const scores = rows.score(r);
    const visible = isCausal ? min(at + r + 1, keys) : keys;
    if (p.decayDim) decays.scaleScores(visible - 1, scores, visible);
    memory.fill(scores + (visible << 2), 0, (ceilPanel(end) - visible) << 2);
    if (p.isNormalized) rows.addToNormalizer(r, sumScores(scores, ceilPanel(end) << 2));
  }

  // a row alone sees all of these keys, except those before a decay that cleared the state
  const skipped = numRows == 1 && end > 0 && p.decayDim ? decays.firstKept(end - 1) : 0;
  for (let panel: usize = 0; panel < sums.numPanels; panel += PANEL_GROUP) {
    const panels = min(PANEL_GROUP, sums.numPanels - panel);
    multiplyStrip(tileRows, rows.strip, sums.panel(panel), rows.products, p.featureDim, panels);
    for (let r: usize = 0; r < tileRows && end > 0; r++) {
      const position = isCausal ? min(at + r + 1, keys) : keys;
      rows.beginAccumulators(r, tileRows, panels, p.decayDim && position > 0 ? decays.factorOfState(position - 1) : 1);
    }
    if (end > 0) {
      const weights = rows.scores + (skipped << 2);
      const values = chunk.value(panel, skipped);
      accumulateRows(tileRows, weights, values, chunk.valuePanelBytes, rows.accumulators, end - skipped, panels);
    }
    for (let r: usize = 0; r < numRows; r++) {
      const factor: f32 = p.isNormalized ? <f32>1 / (rows.normalizer(r) + p.eps) : 1;
      const columns = min(head.columns - panel * PANEL, panels * PANEL);
      const out = head.out(p, member, first + r) + ((panel * PANEL) << 2);
      if (end > 0) finishRow(rows.accumulator(r), tileRows * PANEL_BYTES, out, columns, factor);
      else finishRow(rows.product(r), PANEL_BYTES, out, columns, factor);
    }
  }
}

/** Sum of a row of scores: lane = index mod 8, as in scoreRows.ts. */
function sumScores(scoresPtr: usize, bytes: usize): f32 {
  let sum0123 = f32x4.splat(0);
  let sum4567 = f32x4.splat(0);
  for (const end = scoresPtr + bytes; scoresPtr < end; scoresPtr += PANEL_BYTES) {
    sum0123 = f32x4.add(sum0123, v128.load(scoresPtr));
    sum4567 = f32x4.add(sum4567, v128.load(scoresPtr, 16));
  }
  return sumLanes(f32x4.add(sum0123, sum4567));
}
