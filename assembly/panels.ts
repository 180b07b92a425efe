/**
 * The packed keys and values of the head in work. A block of them is packed when a strip first scores it: what no strip of this
 * thread sees stays unpacked, and what it sees is still in the cache when the tiles come.
 */
import { AttentionParams } from "./params";
import { packKeys, packValues } from "./pack";
import { BLOCK, ceilBlock } from "./layout";

// States of a block of keys.
const UNPACKED: u8 = 0;
const FINITE: u8 = 1;
/** Packed, and a value among them is NaN or infinite. */
const NOT_FINITE: u8 = 2;

/** No head is packed. */
const NO_HEAD: usize = -1;


@unmanaged
export class Panels {
  /** Counted through the batch: batch · numKvHeads + kvHead. */
  head: usize;
  /** No strip in work sees a key from here on. */
  end: usize;
  /** State of each block of keys, a byte each. */
  states: usize;
  /** [⌈kvLen / 8⌉, headDim, 8] */
  keys: usize;
  /** [⌈valueDim / 8⌉, kvLen, 8] */
  values: usize;
  valuePanelBytes: usize;
  numValuePanels: usize;


  @inline
  forget(): void {
    this.head = NO_HEAD;
  }

  /** Turns to a head of which strips will see keys below `end`; what is packed of it already stays. */
  turnTo(p: AttentionParams, head: usize, end: usize): void {
    if (this.head != head) {
      memory.fill(this.states, UNPACKED, ceilBlock(p.kvLen) / BLOCK);
      this.head = head;
      this.end = end;
    } else if (end > this.end) {
      if (this.end % BLOCK != 0) store<u8>(this.states + this.end / BLOCK, UNPACKED); // its last keys are missing
      this.end = end;
    }
  }

  /** Packs the block of keys that begins at `block`, once. */
  @inline
  pack(p: AttentionParams, block: usize): void {
    if (load<u8>(this.states + block / BLOCK) == UNPACKED) this.packBlock(p, block);
  }

  /** Whether all values of a packed block are finite. */
  @inline
  isFinite(block: usize): bool {
    return load<u8>(this.states + block / BLOCK) == FINITE;
  }

  private packBlock(p: AttentionParams, block: usize): void {
    const batch = this.head / p.numKvHeads;
    const kvHead = this.head % p.numKvHeads;
    const kPtr = p.k + ((batch * p.kBatchStride + kvHead * p.kHeadStride) << 2);
    const vPtr = p.v + ((batch * p.vBatchStride + kvHead * p.vHeadStride) << 2);
    const end = min(block + BLOCK, this.end);
    packKeys(kPtr, p.kRowStride << 2, block, end, p.headDim, this.keys);
    const isFinite = packValues(vPtr, p.vRowStride << 2, block, end, p.valueDim, this.values, this.valuePanelBytes);
    store<u8>(this.states + block / BLOCK, isFinite ? FINITE : NOT_FINITE);
  }
}
