/**
 * The packed keys and values of the head in progress, block by block: those of a cache, or else the call's own. Its own block is
 * packed when a strip first scores it: keys that no strip of this thread sees stay unpacked, and the others are still in cache
 * when the tiles come.
 */
import { AttentionParams } from "../abi/attentionParams";
import { BlockLayout, FINITE, NOT_FINITE, UNPACKED } from "./keyBlock";
import { sequenceOf } from "./keyRange";
import { packKeys, packValues } from "../tiles/pack";
import { BLOCK, ceilBlock } from "../tiles/layout";

/** No head is packed. */
const NO_HEAD: usize = -1;

@unmanaged
export class Panels {
  layout: BlockLayout;
  /** Addresses of the blocks of the sequence in progress. */
  blocks: usize;
  /** The head in progress, counted within a block. */
  headOfBlock: usize;

  /** No strip in progress sees this key or a later one. */
  end: usize;

  // The call's own blocks, each of one head.
  /** Their addresses. */
  ownBlocks: usize;
  /** The head that is packed there: sequence · numKvHeads + kvHead. */
  head: usize;

  @inline
  forget(): void {
    this.head = NO_HEAD;
  }

  /** Goes to a head whose strips will see keys below `end`; blocks of it that are already packed stay. */
  seek(p: AttentionParams, sequence: usize, kvHead: usize, end: usize): void {
    if (p.blocks) {
      this.blocks = p.blocks + sequence * blocksOf(p.maxKvLen) * sizeof<usize>();
      this.headOfBlock = kvHead;
      this.end = min(end, sequenceOf(p, sequence).extraEnd);
      return;
    }
    this.blocks = this.ownBlocks;
    this.headOfBlock = 0;
    const head = sequence * p.numKvHeads + kvHead;
    if (this.head != head) {
      const keys = sequenceOf(p, sequence).extraEnd;
      for (let block: usize = 0; block < keys; block += BLOCK) store<u8>(this.block(block), UNPACKED);
      this.head = head;
      this.end = end;
    } else if (end > this.end) {
      if (this.end % BLOCK != 0) store<u8>(this.block(this.end), UNPACKED); // its last keys are missing
      this.end = end;
    }
  }

  /** Whether the block of a key is present: a cache may have evicted it. */
  @inline
  has(key: usize): bool {
    return this.block(key) != 0;
  }

  /** Packs the block of keys that begins at `block`, once; blocks of a cache are always packed. */
  @inline
  pack(p: AttentionParams, block: usize): void {
    if (this.state(block) == UNPACKED) this.packBlock(p, block);
  }

  /** Whether all values of a key's block, which is packed, are finite. */
  @inline
  isFinite(key: usize): bool {
    return this.state(key) == FINITE;
  }

  /** Key `key`, a panel's first: [⌈keys / 8⌉, headDim, 8] from that key on. */
  @inline
  keys(key: usize): usize {
    return this.layout.keys(this.block(key), this.headOfBlock) + (key % BLOCK) * this.layout.keyBytes;
  }

  /** The values of key `key`, a panel's first, in panel `panel` of its block. */
  @inline
  values(key: usize, panel: usize): usize {
    const first = this.layout.values(this.block(key), this.headOfBlock) + (key % BLOCK) * this.layout.valueBytes;
    return first + panel * this.layout.valuePanelBytes;
  }

  /** Scales of the keys from `key` on. */
  @inline
  keyScales(key: usize): usize {
    return this.layout.keyScales(this.block(key), this.headOfBlock) + ((key % BLOCK) << 2);
  }

  /** Scales of the values from `key` on. */
  @inline
  valueScales(key: usize): usize {
    return this.layout.valueScales(this.block(key), this.headOfBlock) + ((key % BLOCK) << 2);
  }

  /** Address of the block that holds a key. */
  @inline
  private block(key: usize): usize {
    return load<usize>(this.blocks + (key / BLOCK) * sizeof<usize>());
  }

  @inline
  private state(key: usize): u8 {
    return load<u8>(this.block(key) + this.headOfBlock);
  }

  private packBlock(p: AttentionParams, block: usize): void {
    const sequence = sequenceOf(p, this.head / p.numKvHeads);
    const kvHead = this.head % p.numKvHeads;
    const kRowBytes = p.kRowStride << 2;
    const vRowBytes = p.vRowStride << 2;
    const row = sequence.keyStart + block;
    const kPtr = p.k + ((sequence.batch * p.kBatchStride + kvHead * p.kHeadStride) << 2) + row * kRowBytes;
    const vPtr = p.v + ((sequence.batch * p.vBatchStride + kvHead * p.vHeadStride) << 2) + row * vRowBytes;
    const keys = min(BLOCK, this.end - block);
    packKeys(kPtr, kRowBytes, 0, keys, p.headDim, this.keys(block));
    const isFinite = packValues(vPtr, vRowBytes, 0, keys, p.valueDim, this.values(block, 0), this.layout.valuePanelBytes);
    store<u8>(this.block(block), isFinite ? FINITE : NOT_FINITE);
  }
}

/** Blocks that hold `keys` keys. */
// @ts-ignore: decorator
@inline
export function blocksOf(keys: usize): usize {
  return ceilBlock(keys) / BLOCK;
}
