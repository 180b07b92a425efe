/** Where one thread keeps the panels of a head and the state of a strip while it works: one piece of scratch. */
import { AttentionParams } from "./params";
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
  /** A byte a key block: 1 where all packed values are finite. */
  finiteBlocks: usize;
  /** [⌈kvLen / 8⌉, headDim, 8] */
  keyPanels: usize;
  /** [⌈valueDim / 8⌉, kvLen, 8] */
  valuePanels: usize;
  valuePanelBytes: usize;
  numValuePanels: usize;
}

// @ts-ignore: decorator
@inline
function wholeLines(bytes: u64): u64 {
  return (bytes + 63) & ~63;
}

/**
 * Lays out a workspace at `ptr`, 64-byte aligned, and returns the bytes that it takes in all; of these only the structs at its
 * head, less than 256, are written. As a float, because the sum may exceed what an address holds: then the workspace is of no use.
 */
export function placeWorkspace(params: usize, ptr: usize): f64 {
  assert((ptr & 63) == 0, "placeWorkspace: ptr must be 64-byte aligned");
  const p = changetype<AttentionParams>(params);
  const workspace = changetype<Workspace>(ptr);
  const columns = <u64>ceilPanel(p.valueDim);

  workspace.strip = changetype<Strip>(ptr + offsetof<Workspace>());
  workspace.strip.rows = ptr + offsetof<Workspace>() + offsetof<Strip>();
  let end = wholeLines(<u64>ptr + offsetof<Workspace>() + offsetof<Strip>() + MAX_STRIP_ROWS * offsetof<Row>());
  workspace.scores = <usize>end;
  end += <u64>(MAX_STRIP_ROWS * SCORE_ROW);
  workspace.spareScores = <usize>end;
  end += <u64>SCORE_ROW;
  workspace.accumulators = <usize>end;
  end += wholeLines(columns * (MAX_STRIP_ROWS << 2));
  workspace.queryPanel = <usize>end;
  end += wholeLines(<u64>p.headDim * PANEL_BYTES);
  workspace.finiteBlocks = <usize>end;
  end += wholeLines(<u64>(ceilBlock(p.kvLen) / BLOCK));
  workspace.keyPanels = <usize>end;
  end += wholeLines(<u64>ceilPanel(p.kvLen) * p.headDim * 4);
  workspace.valuePanels = <usize>end;
  end += wholeLines(columns * p.kvLen * 4);

  workspace.valuePanelBytes = p.kvLen * PANEL_BYTES;
  workspace.numValuePanels = <usize>columns / PANEL;
  return <f64>(end - <u64>ptr);
}
