/** The head in progress: its sequence, its indices, and the range of its value columns. */
import { LinearParams, LinearSequenceParams } from "../abi/linearParams";
import { ceilPanel, PANEL } from "../tiles/layout";

/** Number of heads of the result that read one state. */
// @ts-ignore: decorator
@inline
export function membersOf(p: LinearParams): usize {
  return max(p.numHeads / p.numKvHeads, 1);
}

@unmanaged
export class Head {
  sequence: LinearSequenceParams;
  /** Index of the head of v, and of the state. */
  index: usize;
  /** Index of the head of k. */
  keyHead: usize;

  // The range of value columns
  firstPanel: usize;
  numPanels: usize;
  columns: usize;

  /** Goes to the unit `unit` of a call: a head, or a range of its columns. */
  set(p: LinearParams, unit: usize): void {
    const range = unit % p.columnRanges;
    const index = unit / p.columnRanges;
    this.sequence = changetype<LinearSequenceParams>(p.sequences + (index / p.numKvHeads) * offsetof<LinearSequenceParams>());
    this.index = index % p.numKvHeads;
    this.keyHead = (this.index * p.numKeyHeads) / p.numKvHeads;
    const panels = ceilPanel(p.valueDim) / PANEL;
    this.firstPanel = (range * panels) / p.columnRanges;
    this.numPanels = ((range + 1) * panels) / p.columnRanges - this.firstPanel;
    this.columns = min(p.valueDim - this.firstColumn, this.numPanels * PANEL);
  }

  @inline
  get keyLength(): usize {
    return this.sequence.keyLength;
  }

  @inline
  get firstColumn(): usize {
    return this.firstPanel * PANEL;
  }

  /** Whether key `j` is present: not beyond the length, and not masked. */
  @inline
  sees(p: LinearParams, j: usize): bool {
    return j < this.keyLength && (!p.mask || load<u8>(p.mask + this.rowOffset(p.maskBatchStride, 1, j)) != 0);
  }

  /** From the first row of a tensor to row `i` of the sequence, in elements. */
  @inline
  rowOffset(batchStride: usize, rowStride: usize, i: usize): usize {
    return this.sequence.batch * batchStride + (this.sequence.start + i) * rowStride;
  }

  /** Address of key `j`. */
  @inline
  key(p: LinearParams, j: usize): usize {
    return p.k + ((this.rowOffset(p.kBatchStride, p.kRowStride, j) + this.keyHead * p.kHeadStride) << 2);
  }

  /** Address of the values of key `j` in the range of columns. */
  @inline
  value(p: LinearParams, j: usize): usize {
    return p.v + ((this.rowOffset(p.vBatchStride, p.vRowStride, j) + this.index * p.vHeadStride + this.firstColumn) << 2);
  }

  /** Address of the decay of position `i`, or of its decays. */
  @inline
  decay(p: LinearParams, i: usize): usize {
    return p.decay + ((this.rowOffset(p.decayBatchStride, p.decayRowStride, i) + this.index * p.decayHeadStride) << 2);
  }

  /** Address of β of position `i`. */
  @inline
  beta(p: LinearParams, i: usize): usize {
    return p.beta + ((this.rowOffset(p.betaBatchStride, p.betaRowStride, i) + this.index * p.betaHeadStride) << 2);
  }

  /** Address of row `i` of q for head `member` of the out heads that read the state. */
  @inline
  query(p: LinearParams, member: usize, i: usize): usize {
    const head = p.numHeads < p.numKvHeads ? (this.index * p.numHeads) / p.numKvHeads : this.index * membersOf(p) + member;
    return p.q + ((this.rowOffset(p.qBatchStride, p.qRowStride, i) + head * p.qHeadStride) << 2);
  }

  /** Address of row `i` of that out head, in the range of columns. */
  @inline
  out(p: LinearParams, member: usize, i: usize): usize {
    const head = this.index * membersOf(p) + member;
    return p.out + ((this.rowOffset(p.outBatchStride, p.outRowStride, i) + head * p.outHeadStride + this.firstColumn) << 2);
  }
}
