/** One thread's workspace in linear attention, a piece of scratch: the head in progress. */
import { Channels } from "./channels";
import { Chunk, chunkBytes } from "./chunk";
import { Decays } from "./decays";
import { Head } from "./head";
import { LinearParams } from "../abi/linearParams";
import { PANEL_GROUP, Rows } from "./rows";
import { Step } from "./step";
import { Sums, sumsBytes } from "./sums";
import { ceilPanel, MAX_STRIP_ROWS, PANEL, PANEL_BYTES, ROW_BYTES, wholeLines } from "../tiles/layout";

/** Bytes of the sums of the heads that go through a sequence together: a share of L2. */
const SLOT_BYTES: u64 = 256 << 10;

/** Number of heads that go through a sequence together, each with its own sums. */
export function slotsFor(featureDim: usize, valueDim: usize): usize {
  return <usize>max<u64>(1, SLOT_BYTES / sumsBytes(featureDim, valueDim));
}

/** Each part is described in its own file. */
@unmanaged
export class LinearWork {
  head: Head;
  sums: Sums;
  chunk: Chunk;
  decays: Decays;
  rows: Rows;
  channels: Channels;
  step: Step;

  // For calls without states
  /** Sums of as many heads as there are slots. */
  ownSums: usize;
  /** One chunk, as it is folded before the next. */
  ownChunk: usize;

  /**
   * Goes to the unit `unit` of a call: a head of a sequence, or a range of its value columns.
   *
   * @param slot  of its sums, if it has no state
   */
  seek(p: LinearParams, unit: usize, slot: usize): void {
    const head = this.head;
    head.set(p, unit);
    const bytes = <usize>sumsBytes(p.featureDim, p.valueDim);
    const stateBytes = bytes + <usize>chunkBytes(p.featureDim, p.valueDim, p.chunkSize);
    const sums = p.states ? p.states + (unit / p.columnRanges) * stateBytes : this.ownSums + slot * bytes;
    const chunk = p.states ? sums + bytes : this.ownChunk;
    this.sums.set(sums, p.featureDim, p.valueDim, head.firstPanel, head.numPanels);
    this.chunk.set(chunk, p.featureDim, p.valueDim, p.chunkSize, head.firstPanel);
  }

  /** Clears the sums of the first slots. */
  clearSlots(p: LinearParams, slots: usize): void {
    memory.fill(this.ownSums, 0, slots * <usize>sumsBytes(p.featureDim, p.valueDim));
  }
}

/** The layout of a workspace at `ptr`; returns its end. The addresses are written to its head only if `isPlaced`, a literal. */
// @ts-ignore: decorator
@inline
function layOut(
  ptr: usize,
  headDim: usize,
  featureDim: usize,
  valueDim: usize,
  chunkSize: usize,
  stripRows: usize,
  isPlaced: bool,
): u64 {
  const head = ptr + offsetof<LinearWork>();
  const sums = head + offsetof<Head>();
  const chunk = sums + offsetof<Sums>();
  const decays = chunk + offsetof<Chunk>();
  const rows = decays + offsetof<Decays>();
  const channels = rows + offsetof<Rows>();
  const step = channels + offsetof<Channels>();

  const featureBytes = (ceilPanel(max(featureDim, headDim)) + PANEL) << 2;
  const stripSteps = max(max(featureDim, headDim), chunkSize);
  const numStrips = (featureDim + stripRows - 1) / stripRows;
  const valueBytes = wholeLines((<u64>ceilPanel(valueDim)) << 2);

  const addresses = wholeLines(<u64>step + offsetof<Step>());
  const ownSums = addresses + wholeLines(MAX_STRIP_ROWS * sizeof<usize>());
  const ownChunk = ownSums + slotsFor(featureDim, valueDim) * sumsBytes(featureDim, valueDim);
  const keyFeatures = ownChunk + chunkBytes(featureDim, valueDim, chunkSize);
  const queryFeatures = keyFeatures + wholeLines(<u64>chunkSize * featureBytes);
  const strip = queryFeatures + wholeLines(<u64>MAX_STRIP_ROWS * featureBytes);
  const channelStrips = strip + wholeLines(<u64>stripSteps * PANEL_BYTES);
  const scores = channelStrips + wholeLines(<u64>numStrips * chunkSize * PANEL_BYTES);
  const products = scores + MAX_STRIP_ROWS * ROW_BYTES;
  const accumulators = products + MAX_STRIP_ROWS * ROW_BYTES;
  const normalizers = accumulators + PANEL_GROUP * MAX_STRIP_ROWS * PANEL_BYTES;
  const channelSums = normalizers + wholeLines(PANEL_BYTES);
  const positionFactors = channelSums + wholeLines(PANEL_BYTES);
  const channelFactors = positionFactors + wholeLines((<u64>ceilPanel(chunkSize)) << 2);
  const maxima = channelFactors + wholeLines(featureBytes);
  const valueRow = maxima + wholeLines(featureBytes);
  const u = valueRow + valueBytes;
  const read = u + valueBytes;
  const decaySums = read + valueBytes;
  const clears = decaySums + wholeLines((<u64>ceilPanel(chunkSize)) << 3);
  const end = clears + wholeLines((<u64>ceilPanel(chunkSize)) << 2);

  if (isPlaced) {
    const work = changetype<LinearWork>(ptr);
    work.head = changetype<Head>(head);
    work.sums = changetype<Sums>(sums);
    work.chunk = changetype<Chunk>(chunk);
    work.decays = changetype<Decays>(decays);
    work.rows = changetype<Rows>(rows);
    work.channels = changetype<Channels>(channels);
    work.step = changetype<Step>(step);
    work.ownSums = <usize>ownSums;
    work.ownChunk = <usize>ownChunk;
    work.chunk.setBuffers(<usize>keyFeatures, <usize>maxima, <usize>valueRow);
    work.decays.sums = <usize>decaySums;
    work.decays.clears = <usize>clears;
    work.rows.addresses = <usize>addresses;
    work.rows.features = <usize>queryFeatures;
    work.rows.featureBytes = featureBytes;
    work.rows.strip = <usize>strip;
    work.rows.scores = <usize>scores;
    work.rows.products = <usize>products;
    work.rows.accumulators = <usize>accumulators;
    work.rows.normalizers = <usize>normalizers;
    work.channels.strips = <usize>channelStrips;
    work.channels.strip = <usize>strip;
    work.channels.products = <usize>products;
    work.channels.sums = <usize>channelSums;
    work.channels.factors = <usize>positionFactors;
    work.step.factors = <usize>channelFactors;
    work.step.u = <usize>u;
    work.step.read = <usize>read;
  }
  return end;
}

/** Heads of sequences, or ranges of their value columns. */
export function linearAttentionUnits(params: usize): usize {
  const p = changetype<LinearParams>(params);
  return p.numSequences * p.numKvHeads * p.columnRanges;
}

/** A float, because they may exceed the range of an address: then the workspace cannot exist. */
export function linearAttentionWorkspaceBytes(params: usize): f64 {
  const p = changetype<LinearParams>(params);
  return <f64>layOut(0, p.headDim, p.featureDim, p.valueDim, p.chunkSize, p.stripRows, false);
}

/** Prepares a workspace for a call; `ptr` is 64-byte aligned. */
export function linearAttentionPlace(params: usize, ptr: usize): void {
  assert((ptr & 63) == 0, "linearAttentionPlace: ptr must be 64-byte aligned");
  const p = changetype<LinearParams>(params);
  layOut(ptr, p.headDim, p.featureDim, p.valueDim, p.chunkSize, p.stripRows, true);
}
