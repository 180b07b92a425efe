/**
 * A band: strips that go through the keys together, each block through all strips before the next block. From about 2000 keys on, a
 * head's panels no longer fit L2, so a block comes from beyond L2 once per band, not once per strip.
 */
import { AttentionParams } from "../abi/attentionParams";
import { KeyRange, sequenceOf } from "./keyRange";
import { Strip } from "./strip";

/** The band in progress: the keys that any of its strips sees, and its strips. */
@unmanaged
export class Band extends KeyRange {
  numStrips: usize;
  /** Strip[BAND_STRIPS] */
  strips: usize;

  @inline
  strip(index: usize): Strip {
    return changetype<Strip>(this.strips + index * offsetof<Strip>());
  }

  /** Rows `first` to `end` − 1 of a key/value head. */
  set(p: AttentionParams, sequence: usize, kvHead: usize, first: usize, end: usize): void {
    this.numStrips = 0;
    for (let row = first; row < end; row += p.stripRows) {
      this.strip(this.numStrips++).set(p, sequence, kvHead, row, min(p.stripRows, end - row));
    }
    this.setRows(p, sequence, first, end);
  }

  /** The keys that the rows `first` to `end` − 1 see. */
  setRows(p: AttentionParams, sequence: usize, first: usize, end: usize): void {
    const groupSize = p.numHeads / p.numKvHeads;
    this.setSpan(p, sequenceOf(p, sequence), <i32>(first / groupSize), <i32>((end - 1) / groupSize));
  }
}
