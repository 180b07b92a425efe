/**
 * The order of strips, the units that threads share: those of a sequence's first key/value head, those of its other
 * heads, then the next sequence's. Sequences may have different numbers of rows.
 */
import { AttentionParams } from "../abi/attentionParams";
import { HAS_EVERY_OPTION } from "../abi/options";
import { sequenceOf } from "./keyRange";

@unmanaged
export class StripOrder {
  /** The key/value head in progress. */
  sequence: usize;
  kvHead: usize;
  /** Its query rows, over all query heads of the group. */
  numRows: usize;
  /** Its first strip, and one past its last. */
  first: usize;
  end: usize;

  private firstOfSequence: usize;

  /** Returns to the first sequence. */
  @inline
  restart(): void {
    this.sequence = 0;
    this.firstOfSequence = 0;
  }

  /** Goes to the head of a strip. */
  seek(p: AttentionParams, strip: usize): void {
    if (strip < this.firstOfSequence) this.restart();
    let strips = this.countStrips(p);
    while (strip >= this.firstOfSequence + strips * p.numKvHeads) {
      this.firstOfSequence += strips * p.numKvHeads;
      this.sequence++;
      strips = this.countStrips(p);
    }
    this.kvHead = (strip - this.firstOfSequence) / strips;
    this.first = this.firstOfSequence + this.kvHead * strips;
    this.end = this.first + strips;
  }

  /** Goes to a head, for all its rows at once. */
  goTo(p: AttentionParams, sequence: usize, kvHead: usize): void {
    this.sequence = sequence;
    this.kvHead = kvHead;
    this.numRows = groupRows(p, sequence);
  }

  /** Row at which a strip of the head begins, or at which the last one ends. */
  @inline
  row(p: AttentionParams, strip: usize): usize {
    return min(this.numRows, (strip - this.first) * p.stripRows);
  }

  /** Strips of one key/value head of the sequence. */
  private countStrips(p: AttentionParams): usize {
    this.numRows = groupRows(p, this.sequence);
    return stripsOf(p, this.numRows);
  }
}

/** Query rows of a sequence over all query heads of a group. */
// @ts-ignore: decorator
@inline
function groupRows(p: AttentionParams, sequence: usize): usize {
  return sequenceOf(p, sequence).queryRows * (p.numHeads / p.numKvHeads);
}

// @ts-ignore: decorator
@inline
function stripsOf(p: AttentionParams, rows: usize): usize {
  return (rows + p.stripRows - 1) / p.stripRows;
}

/** Strips of the call; key/value heads of its entries where threads share those. */
export function attentionUnits(params: usize): usize {
  const p = changetype<AttentionParams>(params);
  if (HAS_EVERY_OPTION && p.keyWeights) return (sequenceOf(p, p.numSequences - 1).batch + 1) * p.numKvHeads;
  let strips: usize = 0;
  for (let sequence: usize = 0; sequence < p.numSequences; sequence++) strips += stripsOf(p, groupRows(p, sequence));
  return strips * p.numKvHeads;
}
