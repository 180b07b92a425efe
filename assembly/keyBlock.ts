/**
 * A block of keys: up to BLOCK of one sequence, with their values, in panels. A call packs the keys of one head at a time into
 * blocks of its own; a cache keeps blocks with all heads of a sequence.
 *
 *     states   u8 a head, on whole cache lines
 *     head 0   keys   [⌈keys / 8⌉, headDim, 8]
 *              values [⌈valueDim / 8⌉, keys, 8], a cache line between panels
 *     head 1   …
 *
 * The line between panels keeps them from the same few places of L1, which their distance of 16 KiB would share.
 */
import { ceilPanel, LINE, PANEL, PANEL_BYTES, wholeLines } from "./layout";

// States of a head in a block.
/** Its keys are still to be packed. */
export const UNPACKED: u8 = 0;
export const FINITE: u8 = 1;
/** Packed, and a value among them is NaN or infinite. */
export const NOT_FINITE: u8 = 2;

/** Distances within a block, in bytes. */
@unmanaged
export class BlockLayout {
  /** Where head 0 begins. */
  headsOffset: usize;
  headBytes: usize;
  /** From a head's keys to its values. */
  valuesOffset: usize;
  valuePanelBytes: usize;
  numValuePanels: usize;

  /** @param keys  for which a block has room */
  place(keys: usize, numHeads: usize, headDim: usize, valueDim: usize): void {
    this.headsOffset = <usize>wholeLines(numHeads);
    this.headBytes = <usize>headBytes(keys, headDim, valueDim);
    this.valuesOffset = <usize>keysBytes(keys, headDim);
    this.valuePanelBytes = <usize>valuePanelBytes(keys);
    this.numValuePanels = ceilPanel(valueDim) / PANEL;
  }


  @inline
  keys(block: usize, head: usize): usize {
    return block + this.headsOffset + head * this.headBytes;
  }


  @inline
  values(block: usize, head: usize): usize {
    return this.keys(block, head) + this.valuesOffset;
  }
}

// @ts-ignore: decorator
@inline
function keysBytes(keys: usize, headDim: usize): u64 {
  return wholeLines(<u64>ceilPanel(keys) * headDim * 4);
}

// @ts-ignore: decorator
@inline
function valuePanelBytes(keys: usize): u64 {
  return wholeLines(<u64>keys * PANEL_BYTES) + LINE;
}

// @ts-ignore: decorator
@inline
function headBytes(keys: usize, headDim: usize, valueDim: usize): u64 {
  return keysBytes(keys, headDim) + valuePanelBytes(keys) * (<u64>ceilPanel(valueDim) / PANEL);
}

/** Bytes of a block; more than an address holds, where there can be none. */
// @ts-ignore: decorator
@inline
export function blockBytes(keys: usize, numHeads: usize, headDim: usize, valueDim: usize): u64 {
  return wholeLines(numHeads) + numHeads * headBytes(keys, headDim, valueDim);
}
