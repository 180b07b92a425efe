/** Where one thread keeps the head in work of a call of linear attention: one piece of scratch. */
import { LinearParams } from "../abi/linearParams";
import { chunkBytes, HeadState, sumsBytes } from "./state";
import { ceilPanel, MAX_STRIP_ROWS, PANEL, PANEL_BYTES, ROW_BYTES, wholeLines } from "../tiles/layout";

/** Panels of value columns that go through a tile at once: what a row of products has room for. */
// @ts-ignore: decorator
@inline
export const PANEL_GROUP: usize = 64;

/** Bytes of the sums of the heads that go through a sequence together: a share of L2. */
const SLOT_BYTES: u64 = 256 << 10;

/** Heads that go through a sequence together, each with sums of its own. */
export function slotsFor(featureDim: usize, valueDim: usize): usize {
  return <usize>max<u64>(1, SLOT_BYTES / sumsBytes(featureDim, valueDim));
}


@unmanaged
export class LinearWork {
  state: HeadState;
  batch: usize;
  /** The head of v, and of the state. */
  head: usize;
  keyHead: usize;
  /** Keys of the sequence that count. */
  keyLength: usize;
  /** The range of value columns, in panels and in columns. */
  firstPanel: usize;
  numPanels: usize;
  columns: usize;

  /** For calls that begin without states: sums of as many heads as there are slots, and one chunk, as it is folded before the next. */
  ownSums: usize;
  ownChunk: usize;
  /** [chunkSize, featureBytes]: φ of rows. */
  keyRows: usize;
  /** [MAX_STRIP_ROWS, featureBytes] */
  queryRows: usize;
  /** Bytes of a row of features: whole panels, and one more. */
  featureBytes: usize;
  /** Addresses of the rows of a strip. */
  rowPtrs: usize;
  /** [max(featureDim, headDim, chunkSize), 8]: rows, or channels, on their way through a tile. */
  strip: usize;
  /** [⌈featureDim / stripRows⌉, chunkSize, 8]: channels of keys, as strips. */
  channelStrips: usize;
  /** [MAX_STRIP_ROWS, BLOCK] */
  scores: usize;
  /** [MAX_STRIP_ROWS, BLOCK] */
  products: usize;
  /** [PANEL_GROUP, MAX_STRIP_ROWS, 8] */
  accumulators: usize;
  /** [8] */
  normalizers: usize;
  /** [featureDim]: the largest of each channel, or the factors of a decay. */
  channels: usize;
  /** [⌈valueDim / 8⌉, 8]: values of one row, or zeros. */
  valueRow: usize;
  /** [⌈valueDim / 8⌉, 8]: what one row reads from the sums. */
  valueSums: usize;
  /** f64 [chunkSize]: sums of decays since the chunk began, or since the last that cleared the state. */
  decaySums: usize;
  /** i32 [chunkSize]: the last position in the chunk, up to this one, that cleared the state; −1 for none. */
  clears: usize;

  /**
   * Turns to the unit `unit` of a call: a head of a sequence, or a range of its value columns.
   *
   * @param slot  its own sums, where it has no state
   */
  turnTo(p: LinearParams, unit: usize, slot: usize): void {
    const range = unit % p.columnRanges;
    const index = unit / p.columnRanges;
    this.batch = index / p.numKvHeads;
    this.head = index % p.numKvHeads;
    this.keyHead = (this.head * p.numKeyHeads) / p.numKvHeads;
    this.keyLength = load<u32>(p.keyLengths + (this.batch << 2));
    const panels = ceilPanel(p.valueDim) / PANEL;
    this.firstPanel = (range * panels) / p.columnRanges;
    this.numPanels = ((range + 1) * panels) / p.columnRanges - this.firstPanel;
    this.columns = min(p.valueDim - this.firstColumn, this.numPanels * PANEL);
    const bytes = <usize>sumsBytes(p.featureDim, p.valueDim);
    const ownBytes = bytes + <usize>chunkBytes(p.featureDim, p.valueDim, p.chunkSize);
    const sums = p.states ? p.states + index * ownBytes : this.ownSums + slot * bytes;
    this.state.turnTo(sums, p.states ? sums + bytes : this.ownChunk, p.featureDim, p.valueDim, p.chunkSize);
  }

  /** Clears the sums of the first slots. */
  clearSlots(p: LinearParams, slots: usize): void {
    memory.fill(this.ownSums, 0, slots * <usize>sumsBytes(p.featureDim, p.valueDim));
  }


  @inline
  get firstColumn(): usize {
    return this.firstPanel * PANEL;
  }

  /** Whether key `j` counts. */
  @inline
  counts(p: LinearParams, j: usize): bool {
    return j < this.keyLength && (!p.mask || load<u8>(p.mask + this.batch * p.maskBatchStride + j) != 0);
  }

  /** Address of key `j`, in its head. */
  @inline
  key(p: LinearParams, j: usize): usize {
    return p.k + ((this.batch * p.kBatchStride + this.keyHead * p.kHeadStride + j * p.kRowStride) << 2);
  }

  /** Address of the values of key `j` in the range of columns. */
  @inline
  value(p: LinearParams, j: usize): usize {
    return p.v + ((this.batch * p.vBatchStride + this.head * p.vHeadStride + j * p.vRowStride + this.firstColumn) << 2);
  }

  /** Address of the sums of the first panel of the range. */
  @inline
  sums(p: LinearParams): usize {
    return this.state.sums + this.firstPanel * p.featureDim * PANEL_BYTES;
  }

  /** Address of the open chunk's values in the first panel of the range. */
  @inline
  values(p: LinearParams): usize {
    return this.state.values + this.firstPanel * p.chunkSize * PANEL_BYTES;
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
  const featureBytes = (ceilPanel(max(featureDim, headDim)) + PANEL) << 2;
  const stripSteps = max(max(featureDim, headDim), chunkSize);
  const numStrips = (featureDim + stripRows - 1) / stripRows;

  const rowPtrs = wholeLines(<u64>ptr + offsetof<LinearWork>() + offsetof<HeadState>());
  const ownSums = rowPtrs + wholeLines(MAX_STRIP_ROWS * sizeof<usize>());
  const ownChunk = ownSums + slotsFor(featureDim, valueDim) * sumsBytes(featureDim, valueDim);
  const keyRows = ownChunk + chunkBytes(featureDim, valueDim, chunkSize);
  const queryRows = keyRows + wholeLines(<u64>chunkSize * featureBytes);
  const strip = queryRows + wholeLines(<u64>MAX_STRIP_ROWS * featureBytes);
  const channelStrips = strip + wholeLines(<u64>stripSteps * PANEL_BYTES);
  const scores = channelStrips + wholeLines(<u64>numStrips * chunkSize * PANEL_BYTES);
  const products = scores + MAX_STRIP_ROWS * ROW_BYTES;
  const accumulators = products + MAX_STRIP_ROWS * ROW_BYTES;
  const normalizers = accumulators + PANEL_GROUP * MAX_STRIP_ROWS * PANEL_BYTES;
  const channels = normalizers + wholeLines(PANEL_BYTES);
  const valueRow = channels + wholeLines(featureBytes);
  const valueSums = valueRow + wholeLines((<u64>ceilPanel(valueDim)) << 2);
  const decaySums = valueSums + wholeLines((<u64>ceilPanel(valueDim)) << 2);
  const clears = decaySums + wholeLines((<u64>ceilPanel(chunkSize)) << 3);
  const end = clears + wholeLines((<u64>ceilPanel(chunkSize)) << 2);

  if (isPlaced) {
    const work = changetype<LinearWork>(ptr);
    work.state = changetype<HeadState>(ptr + offsetof<LinearWork>());
    work.rowPtrs = <usize>rowPtrs;
    work.ownSums = <usize>ownSums;
    work.ownChunk = <usize>ownChunk;
    work.keyRows = <usize>keyRows;
    work.queryRows = <usize>queryRows;
    work.featureBytes = featureBytes;
    work.strip = <usize>strip;
    work.channelStrips = <usize>channelStrips;
    work.scores = <usize>scores;
    work.products = <usize>products;
    work.accumulators = <usize>accumulators;
    work.normalizers = <usize>normalizers;
    work.channels = <usize>channels;
    work.valueRow = <usize>valueRow;
    work.valueSums = <usize>valueSums;
    work.decaySums = <usize>decaySums;
    work.clears = <usize>clears;
  }
  return end;
}

/** Bytes of a workspace. As a float, because they may be more than an address holds: then there can be none. */
export function linearWorkBytes(headDim: usize, featureDim: usize, valueDim: usize, chunkSize: usize, stripRows: usize): f64 {
  return <f64>layOut(0, headDim, featureDim, valueDim, chunkSize, stripRows, false);
}

/** Prepares a workspace for a call; `ptr` is 64-byte aligned. */
export function placeLinearWork(params: usize, ptr: usize): void {
  assert((ptr & 63) == 0, "placeLinearWork: ptr must be 64-byte aligned");
  const p = changetype<LinearParams>(params);
  layOut(ptr, p.headDim, p.featureDim, p.valueDim, p.chunkSize, p.stripRows, true);
}
