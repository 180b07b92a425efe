/** Where one thread keeps the panels of a head and the state of a band while it works: one piece of scratch. */
import { AttentionParams } from "./params";
import { Panels } from "./panels";
import { Band } from "./band";
import { Row, Strip } from "./strip";
import { BAND_STRIPS, BLOCK, ceilBlock, ceilPanel, MAX_STRIP_ROWS, PANEL, PANEL_BYTES, SCORE_ROW } from "./layout";

/** Addresses of the parts. */
@unmanaged
export class Workspace {
  band: Band;
  /** [MAX_STRIP_ROWS, BLOCK] */
  scores: usize;
  /** [BLOCK]: a row's scores before the exponential, for blocks whose values are not finite. */
  spareScores: usize;
  panels: Panels;
}

// @ts-ignore: decorator
@inline
function wholeLines(bytes: u64): u64 {
  return (bytes + 63) & ~63;
}

/**
 * The layout of a workspace at `ptr`; returns its end.
 *
 * @param isPlaced  a literal: whether the addresses are written to the structs at its head
 */
// @ts-ignore: decorator
@inline
function layOut(ptr: usize, kvLen: usize, headDim: usize, valueDim: usize, isPlaced: bool): u64 {
  const workspace = changetype<Workspace>(ptr);
  const panels = changetype<Panels>(ptr + offsetof<Workspace>());
  const band = changetype<Band>(ptr + offsetof<Workspace>() + offsetof<Panels>());
  const strips = ptr + offsetof<Workspace>() + offsetof<Panels>() + offsetof<Band>();
  const rows = strips + BAND_STRIPS * offsetof<Strip>();
  const columns = <u64>ceilPanel(valueDim);

  const accumulatorBytes = columns * (MAX_STRIP_ROWS << 2);
  const queryPanelBytes = <u64>headDim * PANEL_BYTES;

  const scores = wholeLines(<u64>rows + BAND_STRIPS * MAX_STRIP_ROWS * offsetof<Row>());
  const spareScores = scores + <u64>(MAX_STRIP_ROWS * SCORE_ROW);
  const accumulators = spareScores + <u64>SCORE_ROW;
  const queryPanels = accumulators + wholeLines(BAND_STRIPS * accumulatorBytes);
  const states = queryPanels + wholeLines(BAND_STRIPS * queryPanelBytes);
  const keys = states + wholeLines(<u64>(ceilBlock(kvLen) / BLOCK));
  const values = keys + wholeLines(<u64>ceilPanel(kvLen) * headDim * 4);
  const end = values + wholeLines(columns * kvLen * 4);

  if (isPlaced) {
    workspace.panels = panels;
    workspace.band = band;
    workspace.scores = <usize>scores;
    workspace.spareScores = <usize>spareScores;
    band.strips = strips;
    for (let i: usize = 0; i < BAND_STRIPS; i++) {
      const strip = band.strip(i);
      strip.rows = rows + i * MAX_STRIP_ROWS * offsetof<Row>();
      strip.queryPanel = <usize>(queryPanels + i * queryPanelBytes);
      strip.accumulators = <usize>(accumulators + i * accumulatorBytes);
    }
    panels.states = <usize>states;
    panels.keys = <usize>keys;
    panels.values = <usize>values;
    panels.valuePanelBytes = kvLen * PANEL_BYTES;
    panels.numValuePanels = <usize>columns / PANEL;
    panels.forget();
  }
  return end;
}

/** Bytes of a workspace. As a float, because the sum may exceed what an address holds: then there can be none. */
export function workspaceBytes(kvLen: usize, headDim: usize, valueDim: usize): f64 {
  return <f64>layOut(0, kvLen, headDim, valueDim, false);
}

/** Prepares a workspace for a call; `ptr` is 64-byte aligned. */
export function placeWorkspace(params: usize, ptr: usize): void {
  assert((ptr & 63) == 0, "placeWorkspace: ptr must be 64-byte aligned");
  const p = changetype<AttentionParams>(params);
  layOut(ptr, p.kvLen, p.headDim, p.valueDim, true);
}
