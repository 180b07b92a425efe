/**
 * The delta rule in chunks: what the chunk adds to the state at each position, as if it were a value.
 *
 *     u_t = β_t (v_t − exp(G_t) S₀ᵀk_t − Σ_{j<t} exp(G_t − G_j) (k_t·k_j) u_j)
 *
 * S₀ is the state before the chunk. It is the system (I + tril(diag(β) K Kᵀ, −1)) U = diag(β) (V − K S₀), solved by forward
 * substitution; with u for v, the rest is gated linear attention. Yang et al. 2024, arXiv:2406.06484, section 3; with decays Yang, Kautz
 * & Hatamizadeh 2024, arXiv:2412.06464.
 */
import { decayScores, factorOfState, firstLeft } from "./decays";
import { LinearParams } from "../abi/linearParams";
import { LinearWork, PANEL_GROUP } from "./workspace";
import { packStrip, placeProducts } from "./rows";
import { multiplyStrip } from "../tiles/multiplyStrip";
import { madd } from "../math/simd";
import { accumulateRows } from "../tiles/accumulateRows";
import { ceilPanel, PANEL, PANEL_BYTES, ROW_BYTES, tileRowsFor } from "../tiles/layout";

/** Takes what the rule makes of the values of the keys `first` to `first + count − 1`, whose φ(k) the open chunk has from `at` on. */
export function takeCorrections(p: LinearParams, work: LinearWork, first: usize, count: usize, at: usize): void {
  if (at == 0) store<i32>(work.state.isFinite, 1);
  for (let j: usize = 0; j < count;) {
    // a value that is not finite must not meet a key that a decay has left nothing of: then rows go one by one
    const rows = load<i32>(work.state.isFinite) ? min(p.stripRows, count - j) : 1;
    correctStrip(p, work, first + j, rows, at + j, work.keyRows + j * work.featureBytes);
    j += rows;
  }
}

/** @param rowsPtr  φ(k) of the rows */
function correctStrip(p: LinearParams, work: LinearWork, first: usize, rows: usize, at: usize, rowsPtr: usize): void {
  const tileRows = tileRowsFor(rows);
  packStrip(p, work, rowsPtr, work.featureBytes, rows, 1);
  multiplyStrip(tileRows, work.strip, work.state.keys, work.scores, p.featureDim, ceilPanel(at + rows) / PANEL);
  if (p.decayDim) {
    for (let r: usize = 0; r < rows; r++) decayScores(work, at + r, work.scores + r * ROW_BYTES, at + r);
  }
  const vPanelBytes = p.chunkSize * PANEL_BYTES;
  const skipped = rows == 1 && p.decayDim ? min(firstLeft(work, at), at) : 0;
  for (let panel: usize = 0; panel < work.numPanels; panel += PANEL_GROUP) {
    const panels = min(PANEL_GROUP, work.numPanels - panel);
    const values = work.values(p) + panel * vPanelBytes;
    multiplyStrip(tileRows, work.strip, work.sums(p) + panel * p.featureDim * PANEL_BYTES, work.products, p.featureDim, panels);
    for (let r: usize = 0; r < tileRows; r++) {
      placeProducts(work, tileRows, r, panels, p.decayDim ? factorOfState(work, min(at + r, at + rows - 1)) : 1);
    }
    if (at > skipped) {
      const weights = work.scores + (skipped << 2);
      accumulateRows(tileRows, weights, values + skipped * PANEL_BYTES, vPanelBytes, work.accumulators, at - skipped, panels);
    }
    for (let r: usize = 0; r < rows; r++) substituteRow(p, work, first + r, r, tileRows, at, panel, panels);
  }
}

/** Row `r` of a strip: takes its neighbours before it in, and writes u. */
function substituteRow(
  p: LinearParams,
  work: LinearWork,
  key: usize,
  r: usize,
  tileRows: usize,
  at: usize,
  panel: usize,
  panels: usize,
): void {
  const vPanelBytes = p.chunkSize * PANEL_BYTES;
  const beta = load<f32>(p.beta + ((work.batch * p.betaBatchStride + work.head * p.betaHeadStride + key * p.betaRowStride) << 2));
  const betas = f32x4.splat(beta);
  const counts = work.counts(p, key);
  const from = p.decayDim ? max(at, firstLeft(work, at + r)) : at;
  const columns = min(work.columns - panel * PANEL, panels * PANEL);
  if (counts) memory.copy(work.valueRow, work.value(p, key) + ((panel * PANEL) << 2), columns << 2);
  const zero = f32x4.splat(0);
  let zeros = zero; // 0 · u summed: NaN as soon as one u is not finite
  for (let i: usize = 0; i < panels; i++) {
    const uPtr = work.values(p) + (panel + i) * vPanelBytes + (at + r) * PANEL_BYTES;
    const accPtr = work.accumulators + (i * tileRows + r) * PANEL_BYTES;
    if (!counts) {
      memory.fill(uPtr, 0, PANEL_BYTES);
      continue;
    }
    if (columns < (i + 1) * PANEL) memory.fill(work.valueRow + (columns << 2), 0, ((i + 1) * PANEL - columns) << 2);
    let acc0123 = v128.load(accPtr);
    let acc4567 = v128.load(accPtr, 16);
    for (let j = from; j < at + r; j++) {
      const weight = v128.load32_splat(work.scores + r * ROW_BYTES + (j << 2));
      const otherPtr = uPtr - (at + r - j) * PANEL_BYTES;
      acc0123 = madd(weight, v128.load(otherPtr), acc0123);
      acc4567 = madd(weight, v128.load(otherPtr, 16), acc4567);
    }
    const valuePtr = work.valueRow + i * PANEL_BYTES;
    const u0123 = f32x4.mul(betas, f32x4.sub(v128.load(valuePtr), acc0123));
    const u4567 = f32x4.mul(betas, f32x4.sub(v128.load(valuePtr, 16), acc4567));
    v128.store(uPtr, u0123);
    v128.store(uPtr, u4567, 16);
    zeros = madd(u0123, zero, madd(u4567, zero, zeros));
  }
  if (v128.any_true(f32x4.ne(zeros, zeros))) store<i32>(work.state.isFinite, 0);
}
