/** The head in progress: its indices, its number of keys, and the range of its value columns. */
import { LinearParams } from "../abi/linearParams";
import { ceilPanel, PANEL } from "../tiles/layout";

/** Number of heads of the result that read one state. */
// @ts-ignore: decorator
@inline
export function membersOf(p: LinearParams): usize {
  return max(p.numHeads / p.numKvHeads, 1);
}

@unmanaged
export class Head {
  batch: usize;
  /** Index of the head of v, and of the state. */
  index: usize;
  /** Index of the head of k. */
  keyHead: usize;
  /** Number of keys of the sequence. */
  keyLength: usize;

  // The range of value columns
  firstPanel: usize;
  numPanels: usize;
  columns: usize;

  /** Goes to the unit `unit` of a call: a head, or a range of its columns. */
  set(p: LinearParams, unit: usize): void {
    const range = unit % p.columnRanges;
    const index = unit / p.columnRanges;
    this.batch = index / p.numKvHeads;
    this.index = index % p.numKvHeads;
    this.keyHead = (this.index * p.numKeyHeads) / p.numKvHeads;
    this.keyLength = load<u32>(p.keyLengths + (this.batch << 2));
    const panels = ceilPanel(p.valueDim) / PANEL;
    this.firstPanel = (range * panels) / p.columnRanges;
    this.numPanels = ((range + 1) * panels) / p.columnRanges - this.firstPanel;
    this.columns = min(p.valueDim - this.firstColumn, this.numPanels * PANEL);
  }

  @inline
  get firstColumn(): usize {
    return this.firstPanel * PANEL;
  }

  /** Whether key `j` is present: not beyond the length, and not masked. */
  @inline
  sees(p: LinearParams, j: usize): bool {
    return j < this.keyLength && (!p.mask || load<u8>(p.mask + this.batch * p.maskBatchStride + j) != 0);
  }

  /** Address of key `j`. */
  @inline
  key(p: LinearParams, j: usize): usize {
    return p.k + ((this.batch * p.kBatchStride + this.keyHead * p.kHeadStride + j * p.kRowStride) << 2);
  }

  /** Address of the values of key `j` in the range of columns. */
  @inline
  value(p: LinearParams, j: usize): usize {
    return p.v + ((this.batch * p.vBatchStride + this.index * p.vHeadStride + j * p.vRowStride + this.firstColumn) << 2);
  }

  /** Address of the decay of position `i`, or of its decays. */
  @inline
  decay(p: LinearParams, i: usize): usize {
    return p.decay + ((this.batch * p.decayBatchStride + this.index * p.decayHeadStride + i * p.decayRowStride) << 2);
  }

  /** Address of β of position `i`. */
  @inline
  beta(p: LinearParams, i: usize): usize {
    return p.beta + ((this.batch * p.betaBatchStride + this.index * p.betaHeadStride + i * p.betaRowStride) << 2);
  }

  /** Address of row `i` of q for head `member` of the out heads that read the state. */
  @inline
  query(p: LinearParams, member: usize, i: usize): usize {
    const head = p.numHeads < p.numKvHeads ? (this.index * p.numHeads) / p.numKvHeads : this.index * membersOf(p) + member;
    return p.q + ((this.batch * p.qBatchStride + head * p.qHeadStride + i * p.qRowStride) << 2);
  }

  /** Address of row `i` of that out head, in the range of columns. */
  @inline
  out(p: LinearParams, member: usize, i: usize): usize {
    const head = this.index * membersOf(p) + member;
    return p.out + ((this.batch * p.outBatchStride + head * p.outHeadStride + i * p.outRowStride + this.firstColumn) << 2);
  }
}
