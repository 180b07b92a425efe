/**
 * The sums of states as rows: what a state begins with, and what it holds.
 *
 *     S[d, c] · exp(G) + Σ_j φ(k_j)[d] · exp(G − G_j) · v_j[c]          j over the keys of the open chunk, G the sum of its decays
 *
 * That is what a row whose φ(q) is the d-th unit vector reads, to the bit; but a sum that is not finite stays in its own channel.
 */
import { LinearParams } from "../abi/linearParams";
import { addDecays } from "./keys";
import { decayScores, factorOfState, firstLeft } from "./decays";
import { placeProducts } from "./rows";
import { linearStateBytes } from "./state";
import { LinearWork, PANEL_GROUP } from "./workspace";
import { addValues } from "../tiles/accumulateRows";
import { packValues } from "../tiles/pack";
import { ceilPanel, PANEL, PANEL_BYTES } from "../tiles/layout";

/**
 * Rows become the sums of empty states.
 *
 * @param rows    [numStates, featureDim, valueDim]
 * @param states  of heads, see state.ts
 */
export function packSums(rows: usize, states: usize, numStates: usize, featureDim: usize, valueDim: usize, chunkSize: usize): void {
  const stateBytes = <usize>linearStateBytes(featureDim, valueDim, chunkSize);
  const rowBytes = valueDim << 2;
  for (let index: usize = 0; index < numStates; index++) {
    const from = rows + index * featureDim * rowBytes;
    packValues(from, rowBytes, 0, featureDim, valueDim, states + index * stateBytes, featureDim * PANEL_BYTES);
  }
}

/**
 * Sums of the states `first` to `end` − 1, to out [states, featureDim, valueDim]. States stay as they are.
 *
 * @param params        LinearParams with states; of what concerns rows, keys and values nothing is looked at
 * @param workspacePtr  as in linearAttention
 */
export function readSums(params: usize, workspacePtr: usize, first: usize, end: usize): void {
  const p = changetype<LinearParams>(params);
  const work = changetype<LinearWork>(workspacePtr);
  const rowBytes = p.valueDim << 2;
  for (let index = first; index < end; index++) {
    work.turnTo(p, index, 0);
    const keys: usize = load<u32>(p.openKeys + (work.batch << 2));
    if (p.decayDim) addDecays(work, 0, keys);
    for (let channel: usize = 0; channel < p.featureDim; channel++) {
      readChannel(p, work, channel, keys, p.out + (index * p.featureDim + channel) * rowBytes);
    }
  }
}

/** One row of the sums of the state in turn, with the `keys` keys of its open chunk. */
function readChannel(p: LinearParams, work: LinearWork, channel: usize, keys: usize, outPtr: usize): void {
  if (keys > 0) {
    copyChannel(p, work, channel, keys);
    if (p.decayDim) decayScores(work, keys - 1, work.scores, keys);
  }
  const gone = keys > 0 && p.decayDim ? firstLeft(work, keys - 1) : 0; // not 0 · v: v may be NaN
  const factor: f32 = keys > 0 && p.decayDim ? factorOfState(work, keys - 1) : 1;
  const vPanelBytes = p.chunkSize * PANEL_BYTES;
  for (let panel: usize = 0; panel < work.numPanels; panel += PANEL_GROUP) {
    const panels = min(PANEL_GROUP, work.numPanels - panel);
    copySums(p, work, channel, panel, panels);
    placeProducts(work, 1, 0, panels, factor);
    if (keys > 0) {
      const vPtr = work.values(p) + panel * vPanelBytes + gone * PANEL_BYTES;
      addValues(1, work.scores + (gone << 2), vPtr, vPanelBytes, work.accumulators, panels, keys - gone);
    }
    const column = panel * PANEL;
    storeRow(work.accumulators, outPtr + (column << 2), min(work.columns - column, panels * PANEL));
  }
}

/** A channel of the keys of the open chunk, as a row of scores. */
function copyChannel(p: LinearParams, work: LinearWork, channel: usize, keys: usize): void {
  let fromPtr = work.state.keys + channel * PANEL_BYTES;
  let toPtr = work.scores;
  for (const end = toPtr + (ceilPanel(keys) << 2); toPtr < end; toPtr += PANEL_BYTES, fromPtr += p.featureDim * PANEL_BYTES) {
    v128.store(toPtr, v128.load(fromPtr));
    v128.store(toPtr, v128.load(fromPtr, 16), 16);
  }
}

/** A channel of the sums in some panels, as a row of products. */
function copySums(p: LinearParams, work: LinearWork, channel: usize, panel: usize, panels: usize): void {
  let fromPtr = work.sums(p) + (panel * p.featureDim + channel) * PANEL_BYTES;
  let toPtr = work.products;
  for (const end = toPtr + panels * PANEL_BYTES; toPtr < end; toPtr += PANEL_BYTES, fromPtr += p.featureDim * PANEL_BYTES) {
    v128.store(toPtr, v128.load(fromPtr));
    v128.store(toPtr, v128.load(fromPtr, 16), 16);
  }
}

/** out = acc + 0, whose −0 is +0, for `columns` columns of one row. Clobbers the accumulators. */
function storeRow(accPtr: usize, outPtr: usize, columns: usize): void {
  const zero = f32x4.splat(0);
  for (let column: usize = 0; column < columns; column += PANEL, accPtr += PANEL_BYTES, outPtr += PANEL_BYTES) {
    v128.store(accPtr, f32x4.add(v128.load(accPtr), zero));
    v128.store(accPtr, f32x4.add(v128.load(accPtr, 16), zero), 16);
    memory.copy(outPtr, accPtr, min(PANEL, columns - column) << 2);
  }
}
