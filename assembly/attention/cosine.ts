/**
 * Cosines instead of products: s = q·k / (‖q‖ ‖k‖), 0 where one of the two is a zero vector. Queries are packed as unit vectors, and a product is
 * divided by the norm of its key: see norms.ts.
 */
import { AttentionParams } from "../abi/attentionParams";
import { scaleFinite } from "../math/scaleFinite";
import { BLOCK, ceilPanel, ROW_BYTES, wholeLines } from "../tiles/layout";
import { LIFT, SHRINK, writeFactors, writeInt8Factors } from "../tiles/norms";
import { Panels } from "./panels";
import { Strip } from "./strip";

/** What the products with the keys of a head are multiplied by: LIFT / ‖k‖, computed block by block when a strip first needs them. */
@unmanaged
export class KeyFactors {
  /** f32[blocks, BLOCK] */
  factors: usize;
  /** Keys of each block that have their factor: usize[blocks] */
  counts: usize;
  numBlocks: usize;
  private head: usize;

  /** Lays out the parts for `numBlocks` blocks from `ptr` on; returns the end. */
  static layOut(ptr: u64, numBlocks: usize, parts: KeyFactors, isPlaced: bool): u64 {
    const counts = ptr + <u64>numBlocks * (BLOCK << 2);
    if (isPlaced) {
      parts.factors = <usize>ptr;
      parts.counts = <usize>counts;
      parts.numBlocks = numBlocks;
      parts.head = -1;
    }
    return counts + wholeLines(numBlocks * sizeof<usize>());
  }

  /** The factors of a head, counted over all sequences, from key `firstKey` on; the block is packed up to panels.end. */
  from(p: AttentionParams, panels: Panels, head: usize, firstKey: usize): usize {
    if (this.head != head) memory.fill(this.counts, 0, this.numBlocks * sizeof<usize>());
    this.head = head;
    const index = firstKey / BLOCK;
    const keys = min(BLOCK, panels.end - index * BLOCK);
    const block = this.factors + ((index * BLOCK) << 2);
    if (load<usize>(this.counts + index * sizeof<usize>()) < keys) {
      store<usize>(this.counts + index * sizeof<usize>(), keys);
      if (p.isInt8) writeInt8Factors(panels.keys(index * BLOCK), panels.keyScales(index * BLOCK), keys, p.headDim, block);
      else writeFactors(panels.keys(index * BLOCK), ceilPanel(keys), p.headDim, block);
    }
    return block + ((firstKey % BLOCK) << 2);
  }
}

/** s → s · factor of the key · scale, for a strip's products with `columns` keys. */
export function divideByNorms(strip: Strip, factorsPtr: usize, columns: usize, scoresPtr: usize): void {
  for (let r: usize = 0; r < strip.numRows; r++) {
    const scales = f32x4.splat(scaleFinite(strip.row(r).scale, strip.scoreFactor / (SHRINK * LIFT)));
    const rowScores = scoresPtr + r * ROW_BYTES;
    for (let offset: usize = 0; offset < columns << 2; offset += 16) {
      const cosines = f32x4.mul(v128.load(rowScores + offset), v128.load(factorsPtr + offset));
      v128.store(rowScores + offset, f32x4.mul(cosines, scales));
    }
  }
}
