/**
 * The delta rule in chunks: u, the chunk's update of the state at each position, takes the place of the value.
 *
 *     u_t = β_t (v_t − exp(G_t) S₀ᵀk_t − Σ_{j<t} exp(G_t − G_j) (k_t·k_j) u_j)
 *
 * S₀ is the state before the chunk. The system is (I + tril(diag(β) K Kᵀ, −1)) U = diag(β) (V − K S₀), solved by forward
 * substitution; with u for v the rest is gated linear attention. Yang et al. 2024, arXiv:2406.06484, section 3; with decays Yang, Kautz
 * & Hatamizadeh 2024, arXiv:2412.06464.
 */
import { LinearParams } from "../abi/linearParams";
import { PANEL_GROUP } from "./rows";
import { LinearWork } from "./workspace";
import { madd } from "../math/simd";
import { accumulateRows } from "../tiles/accumulateRows";
import { ceilPanel, PANEL, PANEL_BYTES, tileRowsFor } from "../tiles/layout";
import { multiplyStrip } from "../tiles/multiplyStrip";

/** Takes in u of the keys `first` to `first + count − 1`, whose φ(k) are in the open chunk from `at` on. */
export function takeCorrections(p: LinearParams, work: LinearWork, first: usize, count: usize, at: usize): void {
  const chunk = work.chunk;
  if (at == 0) chunk.isFinite = true;
  for (let j: usize = 0; j < count;) {
    // a value that is not finite must not be multiplied by the 0 of a cleared key: then rows go one by one
    const numRows = chunk.isFinite ? min(p.stripRows, count - j) : 1;
    work.rows.pack(chunk.features + j * work.rows.featureBytes, work.rows.featureBytes, numRows, p.featureDim, 1);
    correctStrip(p, work, first + j, numRows, at + j);
    j += numRows;
  }
}

/** The keys `first` to `first + numRows − 1`, whose φ(k) are the rows of the strip. */
function correctStrip(p: LinearParams, work: LinearWork, first: usize, numRows: usize, at: usize): void {
  const sums = work.sums;
  const chunk = work.chunk;
  const decays = work.decays;
  const rows = work.rows;
  const tileRows = tileRowsFor(numRows);
  multiplyStrip(tileRows, rows.strip, chunk.keys, rows.scores, p.featureDim, ceilPanel(at + numRows) / PANEL);
  if (p.decayDim) {
    for (let r: usize = 0; r < numRows; r++) decays.scaleScores(at + r, rows.score(r), at + r);
  }
  const skipped = numRows == 1 && p.decayDim ? min(decays.firstKept(at), at) : 0;
  for (let panel: usize = 0; panel < sums.numPanels; panel += PANEL_GROUP) {
    const panels = min(PANEL_GROUP, sums.numPanels - panel);
    multiplyStrip(tileRows, rows.strip, sums.panel(panel), rows.products, p.featureDim, panels);
    for (let r: usize = 0; r < tileRows; r++) {
      rows.beginAccumulators(r, tileRows, panels, p.decayDim ? decays.factorOfState(min(at + r, at + numRows - 1)) : 1);
    }
    if (at > skipped) {
      const weights = rows.scores + (skipped << 2);
      const values = chunk.value(panel, skipped);
      accumulateRows(tileRows, weights, values, chunk.valuePanelBytes, rows.accumulators, at - skipped, panels);
    }
    for (let r: usize = 0; r < numRows; r++) substituteRow(p, work, first + r, r, tileRows, at, panel, panels);
  }
}

/** Row `r` of a strip: takes in its neighbours before it, and writes u. */
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
  const head = work.head;
  const chunk = work.chunk;
  const valueRow = chunk.valueRow;
  const weights = work.rows.score(r);
  const betas = v128.load32_splat(head.beta(p, key));
  const isSeen = head.sees(p, key);
  const from = p.decayDim ? max(at, work.decays.firstKept(at + r)) : at;
  const columns = min(head.columns - panel * PANEL, panels * PANEL);
  if (isSeen) memory.copy(valueRow, head.value(p, key) + ((panel * PANEL) << 2), columns << 2);
  const zero = f32x4.splat(0);
  let zeros = zero; // 0 · u summed: NaN as soon as one u is not finite
  for (let i: usize = 0; i < panels; i++) {
    const uPtr = chunk.value(panel + i, at + r);
    const accPtr = work.rows.accumulator(i * tileRows + r);
    if (!isSeen) {
      memory.fill(uPtr, 0, PANEL_BYTES);
      continue;
    }
    if (columns < (i + 1) * PANEL) memory.fill(valueRow + (columns << 2), 0, ((i + 1) * PANEL - columns) << 2);
    let acc0123 = v128.load(accPtr);
    let acc4567 = v128.load(accPtr, 16);
    for (let j = from; j < at + r; j++) {
      const weight = v128.load32_splat(weights + (j << 2));
      const otherPtr = uPtr - (at + r - j) * PANEL_BYTES;
      acc0123 = madd(weight, v128.load(otherPtr), acc0123);
      acc4567 = madd(weight, v128.load(otherPtr, 16), acc4567);
    }
    const valuePtr = valueRow + i * PANEL_BYTES;
    const u0123 = f32x4.mul(betas, f32x4.sub(v128.load(valuePtr), acc0123));
    const u4567 = f32x4.mul(betas, f32x4.sub(v128.load(valuePtr, 16), acc4567));
    v128.store(uPtr, u0123);
    v128.store(uPtr, u4567, 16);
    zeros = madd(u0123, zero, madd(u4567, zero, zeros));
  }
  if (v128.any_true(f32x4.ne(zeros, zeros))) chunk.isFinite = false;
}
