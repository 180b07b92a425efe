/**
 * Linear attention with a decay for each channel, step by step by the recurrence: no matrix product gives
 * Σ_d q_d k_d exp(G_i,d − G_j,d) without exp(−G), which overflows. A state fits L1, where a step takes about as long as in chunks.
 * Yang et al. 2023, arXiv:2312.06635; with the delta rule Kimi Team 2025, arXiv:2510.26692.
 *
 *     S ← diag(exp(decay)) S          u = v, or with the delta rule β (v − Sᵀk)          S ← S + k uᵀ          out = Sᵀ q
 */
import { Head, membersOf } from "./head";
import { LinearParams } from "../abi/linearParams";
import { Step } from "./step";
import { Sums } from "./sums";
import { LinearWork } from "./workspace";
import { expAny4 } from "../math/expAny";
import { finishRow } from "../tiles/accumulators";
import { PANEL_BYTES } from "../tiles/layout";

/** Rows `first` to `end` − 1 of a head. */
export function recur(p: LinearParams, work: LinearWork, first: usize, end: usize): void {
  const head = work.head;
  const sums = work.sums;
  const step = work.step;
  for (let i = first; i < end; i++) {
    if (i < head.keyLength) {
      takeFactors(p, head, step, i);
      sums.decayChannels(step.factors);
      if (head.sees(p, i)) {
        takeValue(p, head, sums, step, i);
        sums.addOuter(head.key(p, i), step.u);
      }
    }
    for (let member: usize = 0; member < membersOf(p); member++) {
      sums.read(head.query(p, member, i), step.read);
      finishRow(step.read, PANEL_BYTES, head.out(p, member, i), head.columns, p.scale);
    }
  }
}

/** exp(decay) of each channel of position `i`. */
function takeFactors(p: LinearParams, head: Head, step: Step, i: usize): void {
  const factors = step.factors;
  memory.copy(factors, head.decay(p, i), p.featureDim << 2);
  for (let byte: usize = 0; byte < p.featureDim << 2; byte += 16) {
    v128.store(factors + byte, expAny4(v128.load(factors + byte)));
  }
}

/** u of position `i`. */
function takeValue(p: LinearParams, head: Head, sums: Sums, step: Step, i: usize): void {
  const u = step.u;
  memory.fill(u, 0, head.numPanels * PANEL_BYTES);
  memory.copy(u, head.value(p, i), head.columns << 2);
  if (!p.isDelta) return;
  const read = step.read;
  sums.read(head.key(p, i), read);
  const beta = v128.load32_splat(head.beta(p, i));
  for (let byte: usize = 0; byte < head.numPanels * PANEL_BYTES; byte += 16) {
    v128.store(u + byte, f32x4.mul(beta, f32x4.sub(v128.load(u + byte), v128.load(read + byte))));
  }
}
