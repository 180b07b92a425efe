/**
 * Linear attention with a decay for each channel, step by step as the recurrence has it: no product of matrices gives
 * Σ_d q_d k_d exp(G_i,d − G_j,d) without exp(−G), which overflows. A state lies in L1, where a step takes about as long as in chunks.
 * Yang et al. 2023, arXiv:2312.06635; with the delta rule Kimi Team 2025, arXiv:2510.26692.
 *
 *     S ← diag(exp(decay)) S          u = v, or with the delta rule β (v − Sᵀk)          S ← S + k uᵀ          out = Sᵀ q
 */
import { finishRow } from "../tiles/accumulators";
import { expOfAny4 } from "../math/expOfAny";
import { LinearParams } from "../abi/linearParams";
import { LinearWork } from "./workspace";
import { membersOf, outRow, queryRow } from "./rows";
import { madd } from "../math/simd";
import { accumulateRows } from "../tiles/accumulateRows";
import { PANEL, PANEL_BYTES } from "../tiles/layout";

/** Rows `first` to `end` − 1 of a head. */
export function recur(p: LinearParams, work: LinearWork, first: usize, end: usize): void {
  for (let i = first; i < end; i++) {
    if (i < work.keyLength) {
      decaySums(p, work, i);
      if (work.counts(p, i)) addKey(p, work, i);
    }
    for (let member: usize = 0; member < membersOf(p); member++) {
      readSums(p, work, queryRow(p, work, member, i));
      finishRow(work.valueSums, PANEL_BYTES, outRow(p, work, member, i), work.columns, p.scale);
    }
  }
}

/** exp(decay) of each channel of position `i`. */
function factorsOf(p: LinearParams, work: LinearWork, i: usize): void {
  const start = work.batch * p.decayBatchStride + work.head * p.decayHeadStride + i * p.decayRowStride;
  memory.copy(work.channels, p.decay + (start << 2), p.featureDim << 2);
  for (let byte: usize = 0; byte < p.featureDim << 2; byte += 16) {
    v128.store(work.channels + byte, expOfAny4(v128.load(work.channels + byte)));
  }
}

function decaySums(p: LinearParams, work: LinearWork, i: usize): void {
  factorsOf(p, work, i);
  let sumPtr = work.sums(p);
  const zero = f32x4.splat(0);
  const channelsEnd = work.channels + (p.featureDim << 2);
  for (let panel: usize = 0; panel < work.numPanels; panel++) {
    for (let ptr = work.channels; ptr < channelsEnd; ptr += 4, sumPtr += PANEL_BYTES) {
      const factor = v128.load32_splat(ptr);
      const isCleared = f32x4.eq(factor, zero); // not 0 · S: S may be NaN
      v128.store(sumPtr, v128.andnot(f32x4.mul(v128.load(sumPtr), factor), isCleared));
      v128.store(sumPtr, v128.andnot(f32x4.mul(v128.load(sumPtr, 16), factor), isCleared), 16);
    }
  }
}

/** Sᵀx of a row x. */
function readSums(p: LinearParams, work: LinearWork, rowPtr: usize): void {
  memory.fill(work.valueSums, 0, work.numPanels * PANEL_BYTES);
  const panelBytes = p.featureDim * PANEL_BYTES;
  accumulateRows(1, rowPtr, work.sums(p), panelBytes, work.valueSums, p.featureDim, work.numPanels);
}

/** S ← S + k uᵀ */
function addKey(p: LinearParams, work: LinearWork, i: usize): void {
  memory.fill(work.valueRow, 0, work.numPanels * PANEL_BYTES);
  memory.copy(work.valueRow, work.value(p, i), work.columns << 2);
  if (p.isDelta) correct(p, work, i);
  let sumPtr = work.sums(p);
  const keyPtr = work.key(p, i);
  for (let panel: usize = 0; panel < work.numPanels; panel++) {
    const u0123 = v128.load(work.valueRow + panel * PANEL_BYTES);
    const u4567 = v128.load(work.valueRow + panel * PANEL_BYTES, 16);
    let ptr = keyPtr;
    for (const end = ptr + (p.featureDim << 2); ptr < end; ptr += 4, sumPtr += PANEL_BYTES) {
      const k = v128.load32_splat(ptr);
      v128.store(sumPtr, madd(k, u0123, v128.load(sumPtr)));
      v128.store(sumPtr, madd(k, u4567, v128.load(sumPtr, 16)), 16);
    }
  }
}

/** v → β (v − Sᵀk) */
function correct(p: LinearParams, work: LinearWork, i: usize): void {
  readSums(p, work, work.key(p, i));
  const index = work.batch * p.betaBatchStride + work.head * p.betaHeadStride + i * p.betaRowStride;
  const beta = v128.load32_splat(p.beta + (index << 2));
  for (let byte: usize = 0; byte < work.numPanels * PANEL_BYTES; byte += 16) {
    const difference = f32x4.sub(v128.load(work.valueRow + byte), v128.load(work.valueSums + byte));
    v128.store(work.valueRow + byte, f32x4.mul(beta, difference));
  }
}
