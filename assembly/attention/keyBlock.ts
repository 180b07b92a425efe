/**
 * A block of keys: up to BLOCK keys of one sequence, with their values, in panels. A call packs the keys of one head at a time into
 * its own blocks; a cache keeps blocks with all heads of a sequence.
 *
 *     states   u8 per head, on whole cache lines
 *     head 0   keys   [⌈keys / 8⌉, headDim, 8]
 *              values [⌈valueDim / 8⌉, keys, 8], a cache line between panels
 *              scales of keys [keys], scales of values [keys]; only with int8, whose panels packInt8.ts describes
 *     head 1   …
 *
 * Without the line between panels, their distance of 16 KiB would put them into the same few sets of L1.
 */
import { PAIR_PANEL_BYTES, pairsOf } from "../tiles/pairs";
import { ceilPanel, LINE, PANEL, PANEL_BYTES, wholeLines } from "../tiles/layout";

// States of a head in a block.
/** Its keys are not packed yet. */
export const UNPACKED: u8 = 0;
export const FINITE: u8 = 1;
/** Packed, and a value among them is NaN or infinite. */
export const NOT_FINITE: u8 = 2;

/** Distances within a block, in bytes. */
@unmanaged
export class BlockLayout {
  /** Offset of head 0. */
  headsOffset: usize;
  headBytes: usize;
  /** Bytes of a key: an eighth of its panel. */
  keyBytes: usize;
  /** From a head's keys to its values. */
  valuesOffset: usize;
  /** Bytes of a key's values in each panel. */
  valueBytes: usize;
  valuePanelBytes: usize;
  numValuePanels: usize;
  /** From a head's keys to their scales, and from those to the scales of the values. */
  scalesOffset: usize;
  scalesBytes: usize;

  /** @param keys  the number that a block has room for */
  set(keys: usize, numHeads: usize, headDim: usize, valueDim: usize, isInt8: bool): void {
    this.headsOffset = <usize>wholeLines(numHeads);
    this.headBytes = <usize>headBytes(keys, headDim, valueDim, isInt8);
    this.keyBytes = <usize>keyBytes(headDim, isInt8);
    this.valuesOffset = <usize>keysBytes(keys, headDim, isInt8);
    this.valueBytes = <usize>valueBytes(isInt8);
    this.valuePanelBytes = <usize>valuePanelBytes(keys, isInt8);
    this.numValuePanels = ceilPanel(valueDim) / PANEL;
    this.scalesBytes = <usize>scalesBytes(keys, isInt8);
    this.scalesOffset = this.headBytes - 2 * this.scalesBytes;
  }

  @inline
  keys(block: usize, head: usize): usize {
    return block + this.headsOffset + head * this.headBytes;
  }

  @inline
  values(block: usize, head: usize): usize {
    return this.keys(block, head) + this.valuesOffset;
  }

  @inline
  keyScales(block: usize, head: usize): usize {
    return this.keys(block, head) + this.scalesOffset;
  }

  @inline
  valueScales(block: usize, head: usize): usize {
    return this.keyScales(block, head) + this.scalesBytes;
  }
}

// @ts-ignore: decorator
@inline
function keyBytes(headDim: usize, isInt8: bool): u64 {
  return isInt8 ? 2 * pairsOf(headDim) : headDim << 2;
}

// @ts-ignore: decorator
@inline
function keysBytes(keys: usize, headDim: usize, isInt8: bool): u64 {
  return wholeLines(ceilPanel(keys) * keyBytes(headDim, isInt8));
}

// @ts-ignore: decorator
@inline
function valueBytes(isInt8: bool): u64 {
  return isInt8 ? PAIR_PANEL_BYTES >> 1 : PANEL_BYTES;
}

// @ts-ignore: decorator
@inline
function valuePanelBytes(keys: usize, isInt8: bool): u64 {
  return wholeLines((keys + (keys & 1)) * valueBytes(isInt8)) + LINE;
}

/** Of keys, or of values. */
// @ts-ignore: decorator
@inline
function scalesBytes(keys: usize, isInt8: bool): u64 {
  return isInt8 ? wholeLines(keys << 2) : 0;
}

// @ts-ignore: decorator
@inline
function headBytes(keys: usize, headDim: usize, valueDim: usize, isInt8: bool): u64 {
  const values = valuePanelBytes(keys, isInt8) * (<u64>ceilPanel(valueDim) / PANEL);
  return keysBytes(keys, headDim, isInt8) + values + 2 * scalesBytes(keys, isInt8);
}

/** Bytes of a block; beyond the range of an address if a block cannot exist. */
// @ts-ignore: decorator
@inline
export function blockBytes(keys: usize, numHeads: usize, headDim: usize, valueDim: usize, isInt8: bool): u64 {
  return wholeLines(numHeads) + numHeads * headBytes(keys, headDim, valueDim, isInt8);
}
