/** Where one thread keeps the panels of a head and the state of a strip while it works: one piece of scratch. */
import { AttentionParams } from "./params";
import { Panels } from "./panels";
import { Row, Strip } from "./strip";
import { BLOCK, ceilBlock, ceilPanel, MAX_STRIP_ROWS, PANEL, PANEL_BYTES, SCORE_ROW } from "./layout";

/** Addresses of the parts. */
@unmanaged
export class Workspace {
  strip: Strip;
  /** [MAX_STRIP_ROWS, BLOCK] */
  scores: usize;
  /** [BLOCK]: a row's scores before the exponential, for blocks whose values are not finite. */
  spareScores: usize;
  /** [⌈valueDim / 8⌉, tileRows, 8] */
  accumulators: usize;
  /** [headDim, 8] */
  queryPanel: usize;
  panels: Panels;
}

// @ts-ignore: decorator
@inline
function wholeLines(bytes: u64): u64 {
  return (bytes + 63) & ~63;
}

/**
 * Lays out a workspace at `ptr`, 64-byte aligned, and returns the bytes that it takes in all; of these only the structs at its
 * head, less than 512, are written. As a float, because the sum may exceed what an address holds: then the workspace is of no use.
 */
export function placeWorkspace(params: usize, ptr: usize): f64 {
  assert((ptr & 63) == 0, "placeWorkspace: ptr must be 64-byte aligned");
  const p = changetype<AttentionParams>(params);
  const workspace = changetype<Workspace>(ptr);
  const columns = <u64>ceilPanel(p.valueDim);

  const panels = changetype<Panels>(ptr + offsetof<Workspace>());
  const strip = changetype<Strip>(ptr + offsetof<Workspace>() + offsetof<Panels>());
  workspace.panels = panels;
  workspace.strip = strip;
  strip.rows = ptr + offsetof<Workspace>() + offsetof<Panels>() + offsetof<Strip>();
  let end = wholeLines(<u64>strip.rows + MAX_STRIP_ROWS * offsetof<Row>());
  workspace.scores = <usize>end;
  end += <u64>(MAX_STRIP_ROWS * SCORE_ROW);
  workspace.spareScores = <usize>end;
  end += <u64>SCORE_ROW;
  workspace.accumulators = <usize>end;
  end += wholeLines(columns * (MAX_STRIP_ROWS << 2));
  workspace.queryPanel = <usize>end;
  end += wholeLines(<u64>p.headDim * PANEL_BYTES);
  panels.states = <usize>end;
  end += wholeLines(<u64>(ceilBlock(p.kvLen) / BLOCK));
  panels.keys = <usize>end;
  end += wholeLines(<u64>ceilPanel(p.kvLen) * p.headDim * 4);
  panels.values = <usize>end;
  end += wholeLines(columns * p.kvLen * 4);

  panels.valuePanelBytes = p.kvLen * PANEL_BYTES;
  panels.numValuePanels = <usize>columns / PANEL;
  panels.forget();
  return <f64>(end - <u64>ptr);
}
