/**
 * Rows of linear attention: what their queries read from the sums over earlier chunks, and from the open chunk.
 *
 *     out_i = (φ(q_i)ᵀ S · exp(G_i) + Σ_j P_ij v_j) / (φ(q_i)ᵀ z + Σ_j P_ij + eps) ,   P_ij = φ(q_i)·φ(k_j) exp(G_i − G_j)
 */
import { finishRow } from "../tiles/accumulators";
import { decayScores, factorOfState, firstLeft } from "./decays";
import { mapRows } from "./featureMaps";
import { packRows } from "../tiles/pack";
import { LinearParams } from "../abi/linearParams";
import { LinearWork, PANEL_GROUP } from "./workspace";
import { multiplyStrip } from "../tiles/multiplyStrip";
import { madd, sumLanes } from "../math/simd";
import { accumulateRows } from "../tiles/accumulateRows";
import { touchLines } from "../tiles/touch";
import { ceilPanel, PANEL, PANEL_BYTES, ROW_BYTES, tileRowsFor } from "../tiles/layout";

/** Address of row `i` of the out head that is number `member` of those that read a state. */
// @ts-ignore: decorator
@inline
export function outRow(p: LinearParams, work: LinearWork, member: usize, i: usize): usize {
  const head = work.head * membersOf(p) + member;
  return p.out + ((work.batch * p.outBatchStride + head * p.outHeadStride + i * p.outRowStride + work.firstColumn) << 2);
}

/** Address of row `i` of q for that head. */
// @ts-ignore: decorator
@inline
export function queryRow(p: LinearParams, work: LinearWork, member: usize, i: usize): usize {
  const head = p.numHeads < p.numKvHeads ? (work.head * p.numHeads) / p.numKvHeads : work.head * membersOf(p) + member;
  return p.q + ((work.batch * p.qBatchStride + head * p.qHeadStride + i * p.qRowStride) << 2);
}

/** Heads of the result that read one state. */
// @ts-ignore: decorator
@inline
export function membersOf(p: LinearParams): usize {
  return max(p.numHeads / p.numKvHeads, 1);
}

/** Packs φ of the rows `first` to `first + rows − 1`, scaled, into the strip. */
function packQueries(p: LinearParams, work: LinearWork, member: usize, first: usize, rows: usize): void {
  mapRows(p, work, queryRow(p, work, member, first), p.qRowStride << 2, rows, work.queryRows, true);
  packStrip(p, work, work.queryRows, work.featureBytes, rows, p.scale);
}

/** Packs rows of features into the strip. */
export function packStrip(p: LinearParams, work: LinearWork, rowsPtr: usize, rowBytes: usize, rows: usize, scale: f32): void {
  for (let r: usize = 0; r < rows; r++) store<usize>(work.rowPtrs + r * sizeof<usize>(), rowsPtr + r * rowBytes);
  packRows(work.rowPtrs, sizeof<usize>(), rows, work.strip, p.featureDim, scale);
}

/** φ(q)ᵀz of the rows of the strip, channels in order. */
function dotNormalizer(p: LinearParams, work: LinearWork): void {
  let sum0123 = f32x4.splat(0);
  let sum4567 = f32x4.splat(0);
  let stripPtr = work.strip;
  const end = stripPtr + p.featureDim * PANEL_BYTES;
  for (let zPtr = work.state.normalizer; stripPtr < end; stripPtr += PANEL_BYTES, zPtr += 4) {
    const z = v128.load32_splat(zPtr);
    sum0123 = madd(v128.load(stripPtr), z, sum0123);
    sum4567 = madd(v128.load(stripPtr, 16), z, sum4567);
  }
  v128.store(work.normalizers, sum0123);
  v128.store(work.normalizers, sum4567, 16);
}

/** Sum of a row of scores: lane = index mod 8, as in softmax.ts. */
function sumScores(scoresPtr: usize, bytes: usize): f32 {
  let sum0123 = f32x4.splat(0);
  let sum4567 = f32x4.splat(0);
  for (const end = scoresPtr + bytes; scoresPtr < end; scoresPtr += PANEL_BYTES) {
    sum0123 = f32x4.add(sum0123, v128.load(scoresPtr));
    sum4567 = f32x4.add(sum4567, v128.load(scoresPtr, 16));
  }
  return sumLanes(f32x4.add(sum0123, sum4567));
}

/** Rows of products become the accumulators of values.ts: [panels, tileRows, 8], row r times its factor. */
export function placeProducts(work: LinearWork, tileRows: usize, r: usize, panels: usize, factor: f32): void {
  let accPtr = work.accumulators + r * PANEL_BYTES;
  if (factor == 0) {
    for (; panels > 0; panels--, accPtr += tileRows * PANEL_BYTES) memory.fill(accPtr, 0, PANEL_BYTES);
    return;
  }
  const factors = f32x4.splat(factor);
  for (let ptr = work.products + r * ROW_BYTES; panels > 0; panels--, ptr += PANEL_BYTES, accPtr += tileRows * PANEL_BYTES) {
    v128.store(accPtr, f32x4.mul(v128.load(ptr), factors));
    v128.store(accPtr, f32x4.mul(v128.load(ptr, 16), factors), 16);
  }
}

/**
 * Rows `first` to `first + rows − 1` of one out head against the sums and the `keys` keys of the open chunk.
 *
 * @param at        position of the first row in the chunk
 * @param isCausal  whether a row sees no key after its own position
 */
function attendStrip(
  p: LinearParams,
  work: LinearWork,
  member: usize,
  first: usize,
  rows: usize,
  at: usize,
  keys: usize,
  isCausal: bool,
): void {
  const tileRows = tileRowsFor(rows);
  const end = isCausal ? min(at + rows, keys) : keys; // keys that any row sees
  packQueries(p, work, member, first, rows);
  if (p.isNormalized) dotNormalizer(p, work);
  if (end > 0) multiplyStrip(tileRows, work.strip, work.state.keys, work.scores, p.featureDim, ceilPanel(end) / PANEL);
  for (let r: usize = 0; r < rows && end > 0; r++) {
    const scores = work.scores + r * ROW_BYTES;
    const visible = isCausal ? min(at + r + 1, keys) : keys;
    if (p.decayDim) decayScores(work, visible - 1, scores, visible);
    memory.fill(scores + (visible << 2), 0, (ceilPanel(end) - visible) << 2);
    if (p.isNormalized) {
      const sum = sumScores(scores, ceilPanel(end) << 2);
      store<f32>(work.normalizers + (r << 2), load<f32>(work.normalizers + (r << 2)) + sum);
    }
  }

  const vPanelBytes = p.chunkSize * PANEL_BYTES;
  for (let panel: usize = 0; panel < work.numPanels; panel += PANEL_GROUP) {
    const panels = min(PANEL_GROUP, work.numPanels - panel);
    multiplyStrip(tileRows, work.strip, work.sums(p) + panel * p.featureDim * PANEL_BYTES, work.products, p.featureDim, panels);
    for (let r: usize = 0; r < tileRows && end > 0; r++) {
      const position = isCausal ? min(at + r + 1, keys) : keys;
      placeProducts(work, tileRows, r, panels, p.decayDim && position > 0 ? factorOfState(work, position - 1) : 1);
    }
    // where a row's own key is the last of the strip, those that it must not multiply are before a decay that cleared the state
    const skipped = rows == 1 && end > 0 && p.decayDim ? firstLeft(work, end - 1) : 0;
    if (end > 0) {
      const vPtr = work.values(p) + panel * vPanelBytes + skipped * PANEL_BYTES;
      accumulateRows(tileRows, work.scores + (skipped << 2), vPtr, vPanelBytes, work.accumulators, end - skipped, panels);
    }
    for (let r: usize = 0; r < rows; r++) {
      const factor: f32 = p.isNormalized ? <f32>1 / (load<f32>(work.normalizers + (r << 2)) + p.eps) : 1;
      const columns = min(work.columns - panel * PANEL, panels * PANEL);
      const out = outRow(p, work, member, first + r) + ((panel * PANEL) << 2);
      if (end > 0) finishRow(work.accumulators + r * PANEL_BYTES, tileRows * PANEL_BYTES, out, columns, factor);
      else finishRow(work.products + r * ROW_BYTES, PANEL_BYTES, out, columns, factor);
    }
  }
}

/** Rows that are asked for at once: a multiple of any strip's height. */
const TOUCHED_ROWS: usize = 24;

/** Asks for queries and places of results that come from far away, at once. */
function touchRows(p: LinearParams, work: LinearWork, member: usize, first: usize, end: usize): void {
  for (let i = first; i < end; i++) {
    touchLines(queryRow(p, work, member, i), p.headDim << 2);
    touchLines(outRow(p, work, member, i), work.columns << 2);
  }
}

/**
 * Rows `first` to `end` − 1 of all heads that read the state, in strips. Where values of the open chunk are not finite, rows go one
 * by one, so that none multiplies a value that it does not see: 0 · NaN is NaN.
 */
export function attendRows(
  p: LinearParams,
  work: LinearWork,
  first: usize,
  end: usize,
  at: usize,
  keys: usize,
  isCausal: bool,
): void {
  const stripRows = load<i32>(work.state.isFinite) ? p.stripRows : 1;
  for (let member: usize = 0; member < membersOf(p); member++) {
    for (let row = first; row < end; row += stripRows) {
      if ((row - first) % TOUCHED_ROWS == 0) touchRows(p, work, member, row, min(end, row + TOUCHED_ROWS));
      attendStrip(p, work, member, row, min(stripRows, end - row), at + row - first, keys, isCausal);
    }
  }
}
