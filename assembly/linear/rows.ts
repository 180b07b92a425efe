/**
 * Rows of linear attention that go through the tiles together, like a strip of queries in attention: their features, packed, and
 * their products.
 */
import { LinearParams } from "../abi/linearParams";
import { madd } from "../math/simd";
import { packRows } from "../tiles/pack";
import { PANEL_BYTES, ROW_BYTES } from "../tiles/layout";

/** Panels of columns that go through a tile at once: as many as fit in a row of products. */
// @ts-ignore: decorator
@inline
export const PANEL_GROUP: usize = 64;

@unmanaged
export class Rows {
  /** Addresses of the rows, while they are packed. */
  addresses: usize;
  /** [MAX_STRIP_ROWS, featureBytes]: φ(q), row by row. */
  features: usize;
  /** Bytes of a row of features: whole panels, plus one. */
  featureBytes: usize;
  /** [max(featureDim, headDim), 8]: the rows, packed. */
  strip: usize;
  /** [MAX_STRIP_ROWS, BLOCK]: products with the keys of the open chunk. */
  scores: usize;
  /** [MAX_STRIP_ROWS, BLOCK]: products with panels of S, or of random projections. */
  products: usize;
  /** [PANEL_GROUP, tileRows, 8]: products of S and, added to them, of values. */
  accumulators: usize;
  /** [8]: the divisor of each row's results, without eps. */
  normalizers: usize;

  /** Packs rows, `rowBytes` apart, times `scale`. */
  pack(rowsPtr: usize, rowBytes: usize, numRows: usize, channels: usize, scale: f32): void {
    for (let r: usize = 0; r < numRows; r++) store<usize>(this.addresses + r * sizeof<usize>(), rowsPtr + r * rowBytes);
    packRows(this.addresses, sizeof<usize>(), numRows, this.strip, channels, scale);
  }

  @inline
  score(r: usize): usize {
    return this.scores + r * ROW_BYTES;
  }

  @inline
  product(r: usize): usize {
    return this.products + r * ROW_BYTES;
  }

  /** Row `r`'s accumulators in the first panel. */
  @inline
  accumulator(r: usize): usize {
    return this.accumulators + r * PANEL_BYTES;
  }

  @inline
  normalizer(r: usize): f32 {
    return load<f32>(this.normalizers + (r << 2));
  }

  @inline
  addToNormalizer(r: usize, x: f32): void {
    store<f32>(this.normalizers + (r << 2), this.normalizer(r) + x);
  }

  /** The normalizers begin with φ(q)ᵀz, channels in order. */
  beginNormalizers(p: LinearParams, zPtr: usize): void {
    let sum0123 = f32x4.splat(0);
    let sum4567 = f32x4.splat(0);
    let stripPtr = this.strip;
    for (const end = stripPtr + p.featureDim * PANEL_BYTES; stripPtr < end; stripPtr += PANEL_BYTES, zPtr += 4) {
      const z = v128.load32_splat(zPtr);
      sum0123 = madd(v128.load(stripPtr), z, sum0123);
      sum4567 = madd(v128.load(stripPtr, 16), z, sum4567);
    }
    v128.store(this.normalizers, sum0123);
    v128.store(this.normalizers, sum4567, 16);
  }

  /** The accumulators of row `r` begin with its products times `factor`, in `panels` panels. */
  beginAccumulators(r: usize, tileRows: usize, panels: usize, factor: f32): void {
    let accPtr = this.accumulator(r);
    if (factor == 0) {
      for (; panels > 0; panels--, accPtr += tileRows * PANEL_BYTES) memory.fill(accPtr, 0, PANEL_BYTES);
      return;
    }
    const factors = f32x4.splat(factor);
    for (let ptr = this.product(r); panels > 0; panels--, ptr += PANEL_BYTES, accPtr += tileRows * PANEL_BYTES) {
      v128.store(accPtr, f32x4.mul(v128.load(ptr), factors));
      v128.store(accPtr, f32x4.mul(v128.load(ptr, 16), factors), 16);
    }
  }
}
