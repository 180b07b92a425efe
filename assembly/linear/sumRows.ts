/**
 * The sums of states as rows: writing initial sums, and reading current ones.
 *
 *     S[d, c] · exp(G) + Σ_j φ(k_j)[d] · exp(G − G_j) · v_j[c]          j over the keys of the open chunk, G the sum of its decays
 *
 * A row whose φ(q) is the d-th unit vector reads the same bits, except that here a sum that is not finite stays in its own channel.
 */
import { LinearParams } from "../abi/linearParams";
import { Chunk } from "./chunk";
import { PANEL_GROUP } from "./rows";
import { linearStateBytes } from "./state";
import { Sums } from "./sums";
import { LinearWork } from "./workspace";
import { accumulateRows } from "../tiles/accumulateRows";
import { packValues } from "../tiles/pack";
import { ceilPanel, PANEL, PANEL_BYTES } from "../tiles/layout";

/**
 * Writes rows as the sums of empty states.
 *
 * @param rows    [numStates, featureDim, valueDim]
 * @param states  states of heads, see state.ts
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
 * @param params        LinearParams with states; fields about rows, keys and values are not read
 * @param workspacePtr  as for linearAttention
 */
export function readSums(params: usize, workspacePtr: usize, first: usize, end: usize): void {
  const p = changetype<LinearParams>(params);
  const work = changetype<LinearWork>(workspacePtr);
  const rowBytes = p.valueDim << 2;
  for (let index = first; index < end; index++) {
    work.seek(p, index, 0);
    const keys = work.head.sequence.openKeys;
    if (p.decayDim) work.decays.sumUp(work.chunk, 0, keys);
    for (let channel: usize = 0; channel < p.featureDim; channel++) {
      readChannel(p, work, channel, keys, p.out + (index * p.featureDim + channel) * rowBytes);
    }
  }
}

/** One row of the sums of a state, with the `keys` keys of its open chunk. */
function readChannel(p: LinearParams, work: LinearWork, channel: usize, keys: usize, outPtr: usize): void {
  const sums = work.sums;
  const chunk = work.chunk;
  const decays = work.decays;
  const rows = work.rows;
  if (keys > 0) {
    copyChannel(chunk, p.featureDim, channel, keys, rows.scores);
    if (p.decayDim) decays.scaleScores(keys - 1, rows.scores, keys);
  }
  const gone = keys > 0 && p.decayDim ? decays.firstKept(keys - 1) : 0; // not 0 · v: v may be NaN
  const factor: f32 = keys > 0 && p.decayDim ? decays.factorOfState(keys - 1) : 1;
  for (let panel: usize = 0; panel < sums.numPanels; panel += PANEL_GROUP) {
    const panels = min(PANEL_GROUP, sums.numPanels - panel);
    copySums(sums, channel, panel, panels, rows.products);
    rows.beginAccumulators(0, 1, panels, factor);
    if (keys > 0) {
      const values = chunk.value(panel, gone);
      accumulateRows(1, rows.scores + (gone << 2), values, chunk.valuePanelBytes, rows.accumulators, keys - gone, panels);
    }
    const column = panel * PANEL;
    storeRow(rows.accumulators, outPtr + (column << 2), min(work.head.columns - column, panels * PANEL));
  }
}

/** Reads a channel of the open chunk's keys as a row. */
function copyChannel(chunk: Chunk, featureDim: usize, channel: usize, keys: usize, toPtr: usize): void {
  let fromPtr = chunk.keys + channel * PANEL_BYTES;
  for (const end = toPtr + (ceilPanel(keys) << 2); toPtr < end; toPtr += PANEL_BYTES, fromPtr += featureDim * PANEL_BYTES) {
    v128.store(toPtr, v128.load(fromPtr));
    v128.store(toPtr, v128.load(fromPtr, 16), 16);
  }
}

/** Reads a channel of the sums in some panels as a row. */
function copySums(sums: Sums, channel: usize, panel: usize, panels: usize, toPtr: usize): void {
  let fromPtr = sums.panel(panel) + channel * PANEL_BYTES;
  for (const end = toPtr + panels * PANEL_BYTES; toPtr < end; toPtr += PANEL_BYTES, fromPtr += sums.panelBytes) {
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
