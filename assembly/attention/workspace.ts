/** One thread's workspace, a piece of scratch: the panels of a head and the state of a band. */
import { AttentionParams, Score } from "../abi/attentionParams";
import { AdditiveParts } from "./additiveParts";
import { KeyFactors } from "./cosine";
import { HAS_EVERY_OPTION } from "../abi/options";
import { blockBytes, BlockLayout } from "./keyBlock";
import { blocksOf, Panels } from "./panels";
import { Band } from "./band";
import { heapsBytes } from "./largest";
import { BiasWindow } from "./positions";
import { RelativePanels } from "./relativeKeys";
import { looksAtWeights, Row, Strip } from "./strip";
import { StripOrder } from "./stripOrder";
import { BAND_STRIPS, BLOCK, ceilPanel, MAX_STRIP_ROWS, PANEL_BYTES, ROW_BYTES, wholeLines } from "../tiles/layout";

/** Addresses of the parts. */
@unmanaged
export class Workspace {
  order: StripOrder;
  band: Band;
  /** [MAX_STRIP_ROWS, BLOCK] */
  scores: usize;
  panels: Panels;
  /** BiasWindow[heads of a group], only with a table of biases. */
  biasWindows: usize;
  /** Only with keys of distances. */
  relative: RelativePanels;
  /** Only for cosines. */
  keyFactors: KeyFactors;
  /** Only for additive scores. */
  additive: AdditiveParts;
  /** i64[MAX_STRIP_ROWS, keptKeys], only with a choice of keys. */
  heaps: usize;
  /** [BLOCK], for one of those that follow. */
  spare: usize;

  /** The head in progress, counted over the key/value heads of all sequences. */
  @inline
  keyHead(p: AttentionParams): usize {
    return this.order.sequence * p.numKvHeads + this.order.kvHead;
  }

  /** [BLOCK]: a row's scores before the exponential, where a block's values are not finite. */
  @inline
  get rowScores(): usize {
    return this.spare;
  }

  /** [MAX_STRIP_ROWS]: the scale of each row of int16 weights, if values are int8. */
  @inline
  get weightScales(): usize {
    return this.spare;
  }

  /** [8]: the bits of the largest weight of each eighth of a row, after the row's values have been taken. */
  @inline
  get largest(): usize {
    return this.spare;
  }
}

/**
 * The layout of a workspace at `ptr`; returns its end.
 *
 * @param isPlaced  a literal: whether the addresses are written to the structs at the workspace's head
 */
// @ts-ignore: decorator
@inline
function layOut(p: AttentionParams, ptr: usize, isPlaced: bool): u64 {
  const workspace = changetype<Workspace>(ptr);
  const panels = changetype<Panels>(ptr + offsetof<Workspace>());
  const layout = changetype<BlockLayout>(ptr + offsetof<Workspace>() + offsetof<Panels>());
  const band = changetype<Band>(ptr + offsetof<Workspace>() + offsetof<Panels>() + offsetof<BlockLayout>());
  const order = changetype<StripOrder>(changetype<usize>(band) + offsetof<Band>());
  const relative = changetype<RelativePanels>(changetype<usize>(order) + offsetof<StripOrder>());
  const keyFactors = changetype<KeyFactors>(changetype<usize>(relative) + offsetof<RelativePanels>());
  const additive = changetype<AdditiveParts>(changetype<usize>(keyFactors) + offsetof<KeyFactors>());
  const strips = changetype<usize>(additive) + offsetof<AdditiveParts>();
  const rows = strips + BAND_STRIPS * offsetof<Strip>();
  const hasRelativeKeys = HAS_EVERY_OPTION && p.relativeKeys != 0;
  const accumulatorBytes = <u64>ceilPanel(p.valueDim) * (MAX_STRIP_ROWS << 2);
  const queryPanelBytes = (<u64>p.headDim + 1) * PANEL_BYTES; // and their scales

  const scores = wholeLines(<u64>rows + BAND_STRIPS * MAX_STRIP_ROWS * offsetof<Row>());
  const spare = scores + <u64>(MAX_STRIP_ROWS * ROW_BYTES);
  const lastScores = spare + <u64>ROW_BYTES;
  const biasWindows = lastScores + (looksAtWeights(p) ? <u64>(BAND_STRIPS * MAX_STRIP_ROWS * ROW_BYTES) : 0);
  const accumulators = BiasWindow.layOut(p, biasWindows, isPlaced);
  const queryPanels = accumulators + wholeLines(BAND_STRIPS * accumulatorBytes);
  const positionPanels = queryPanels + wholeLines(BAND_STRIPS * queryPanelBytes);
  const relativePanels = positionPanels + (hasRelativeKeys ? wholeLines(BAND_STRIPS * queryPanelBytes) : 0);
  let blocks = hasRelativeKeys ? RelativePanels.layOut(p, relativePanels, relative, isPlaced) : relativePanels;
  if (HAS_EVERY_OPTION && p.score == Score.COSINE) blocks = KeyFactors.layOut(blocks, blocksOf(p.maxKvLen), keyFactors, isPlaced);
  if (HAS_EVERY_OPTION && p.score == Score.ADDITIVE) blocks = AdditiveParts.layOut(p, blocks, additive, isPlaced);
  const heaps = blocks;
  if (HAS_EVERY_OPTION && p.choice) blocks += heapsBytes(p);
  const numBlocks = blocksOf(ownKeys(p));
  const firstBlock = blocks + wholeLines(numBlocks * sizeof<usize>());
  const bytesOfBlock = blockBytes(min(ownKeys(p), BLOCK), 1, p.headDim, p.valueDim, false);
  const end = firstBlock + numBlocks * bytesOfBlock;

  if (isPlaced) {
    workspace.panels = panels;
    workspace.order = order;
    workspace.band = band;
    workspace.scores = <usize>scores;
    workspace.spare = <usize>spare;
    workspace.heaps = <usize>heaps;
    workspace.biasWindows = <usize>biasWindows;
    workspace.relative = relative;
    workspace.keyFactors = keyFactors;
    workspace.additive = additive;
    band.strips = strips;
    for (let i: usize = 0; i < BAND_STRIPS; i++) {
      const strip = band.strip(i);
      strip.rows = rows + i * MAX_STRIP_ROWS * offsetof<Row>();
      strip.lastScores = <usize>(lastScores + i * MAX_STRIP_ROWS * ROW_BYTES);
      strip.queryPanel = <usize>(queryPanels + i * queryPanelBytes);
      strip.positionPanel = <usize>(positionPanels + i * queryPanelBytes);
      strip.accumulators = <usize>(accumulators + i * accumulatorBytes);
    }
    panels.layout = layout;
    panels.ownBlocks = <usize>blocks;
    for (let i: usize = 0; i < numBlocks; i++) {
      store<usize>(<usize>blocks + i * sizeof<usize>(), <usize>(firstBlock + i * bytesOfBlock));
    }
    panels.forget();
    order.restart();
  }
  return end;
}

/** Number of keys that a workspace has panels for: none if keys lie in a cache. */
// @ts-ignore: decorator
@inline
function ownKeys(p: AttentionParams): usize {
  return p.blocks ? 0 : p.maxKvLen;
}

/** A float, because the sum may exceed the range of an address: then the workspace cannot exist. */
export function attentionWorkspaceBytes(params: usize): f64 {
  const p = changetype<AttentionParams>(params);
  return <f64>layOut(p, 0, false);
}

/** Prepares a workspace for a call; `ptr` is 64-byte aligned. */
export function attentionPlace(params: usize, ptr: usize): void {
  assert((ptr & 63) == 0, "attentionPlace: ptr must be 64-byte aligned");
  const p = changetype<AttentionParams>(params);
  layOut(p, ptr, true);
  const layout = changetype<Workspace>(ptr).panels.layout;
  if (p.blocks) layout.set(BLOCK, p.numKvHeads, p.headDim, p.valueDim, p.isInt8 != 0);
  else layout.set(min(p.maxKvLen, BLOCK), 1, p.headDim, p.valueDim, false);
}
