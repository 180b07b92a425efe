/**
 * The open chunk of a head: the keys that are not folded into the sums yet.
 *
 *     isFinite     i32, on its own cache line       1 as long as all values are finite
 *     keys         [⌈chunkSize / 8⌉, featureDim, 8]      φ(k), as key panels
 *     values       [⌈valueDim / 8⌉, chunkSize, 8]        v, or u of a delta rule, as value panels
 *     decays       [chunkSize]                           see decays.ts
 *
 * Chunks begin at multiples of chunkSize, counted from the sequence's first key: results do not depend on the calls' cuts.
 */
import { ceilPanel, LINE, PANEL, PANEL_BYTES, wholeLines } from "../tiles/layout";

@unmanaged
export class Chunk {
  private ptr: usize;
  keys: usize;
  /** The values in the first panel of the range of columns. */
  values: usize;
  valuePanelBytes: usize;
  decays: usize;

  // On the way into the chunk
  /** [chunkSize, featureBytes]: φ(k), row by row. */
  features: usize;
  /** [featureDim]: the largest element of each channel over all keys, for FeatureMap.SOFTMAX. */
  maxima: usize;
  /** [⌈valueDim / 8⌉, 8] */
  private row: usize;

  /** The buffers that all chunks of a thread share. */
  setBuffers(features: usize, maxima: usize, row: usize): void {
    this.features = features;
    this.maxima = maxima;
    this.row = row;
  }

  /** The chunk that lies at `ptr`, in the panels of columns from `firstPanel` on. */
  set(ptr: usize, featureDim: usize, valueDim: usize, chunkSize: usize, firstPanel: usize): void {
    assert((ptr & 63) == 0, "Chunk.set: ptr must be 64-byte aligned");
    this.ptr = ptr;
    this.keys = ptr + LINE;
    this.valuePanelBytes = chunkSize * PANEL_BYTES;
    const values = this.keys + <usize>keysBytes(featureDim, chunkSize);
    this.values = values + firstPanel * this.valuePanelBytes;
    this.decays = values + <usize>valuesBytes(valueDim, chunkSize);
  }

  @inline
  get isFinite(): bool {
    return load<i32>(this.ptr) != 0;
  }

  @inline
  set isFinite(isFinite: bool) {
    store<i32>(this.ptr, isFinite);
  }

  /** Values of position `j` in panel `panel` of the range. */
  @inline
  value(panel: usize, j: usize): usize {
    return this.values + panel * this.valuePanelBytes + j * PANEL_BYTES;
  }

  /** [⌈valueDim / 8⌉, 8]: the values of one key, which a delta rule corrects. */
  @inline
  get valueRow(): usize {
    return this.row;
  }

  /** The same memory, for the values of absent keys; packing clears it first. */
  @inline
  get zeroRow(): usize {
    return this.row;
  }
}

function keysBytes(featureDim: usize, chunkSize: usize): u64 {
  return wholeLines(<u64>featureDim * (ceilPanel(chunkSize) << 2));
}

function valuesBytes(valueDim: usize, chunkSize: usize): u64 {
  return wholeLines((<u64>ceilPanel(valueDim) / PANEL) * chunkSize * PANEL_BYTES);
}

/** Bytes of an open chunk. */
export function chunkBytes(featureDim: usize, valueDim: usize, chunkSize: usize): u64 {
  return LINE + keysBytes(featureDim, chunkSize) + valuesBytes(valueDim, chunkSize) + wholeLines((<u64>chunkSize) << 2);
}
