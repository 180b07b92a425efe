/**
 * What linear attention keeps of one head: the sums over the chunks that are complete, and the keys since.
 *
 *     sums         [⌈valueDim / 8⌉, featureDim, 8]      S = Σ φ(k) vᵀ, as value panels
 *     normalizer   [featureDim]                         z = Σ φ(k)
 *     isFinite     i32                                  1 as long as all values of the open chunk are finite
 *     keys         [⌈chunkSize / 8⌉, featureDim, 8]     φ(k) of the open chunk, as key panels
 *     values       [⌈valueDim / 8⌉, chunkSize, 8]       v of the open chunk, or what a delta rule makes of it, as value panels
 *     decays       [chunkSize]                          of the open chunk
 *
 * Chunks begin at multiples of chunkSize of a key's index in its sequence: what a row gives depends on no other cut.
 */
import { ceilPanel, LINE, PANEL, PANEL_BYTES, wholeLines } from "../tiles/layout";

/** Addresses of the parts. */
@unmanaged
export class HeadState {
  sums: usize;
  normalizer: usize;
  isFinite: usize;
  keys: usize;
  values: usize;
  decays: usize;

  /** Turns to the sums at one place, and the open chunk at another. */
  turnTo(sums: usize, chunk: usize, featureDim: usize, valueDim: usize, chunkSize: usize): void {
    assert(((sums | chunk) & 63) == 0, "HeadState.turnTo: places must be 64-byte aligned");
    this.sums = sums;
    this.normalizer = sums + <usize>sumBytes(featureDim, valueDim);
    this.isFinite = chunk;
    this.keys = chunk + LINE;
    this.values = this.keys + <usize>keyBytes(featureDim, chunkSize);
    this.decays = this.values + <usize>valueBytes(valueDim, chunkSize);
  }
}

function sumBytes(featureDim: usize, valueDim: usize): u64 {
  return wholeLines((<u64>ceilPanel(valueDim) / PANEL) * featureDim * PANEL_BYTES);
}

function keyBytes(featureDim: usize, chunkSize: usize): u64 {
  return wholeLines(<u64>featureDim * (ceilPanel(chunkSize) << 2));
}

function valueBytes(valueDim: usize, chunkSize: usize): u64 {
  return wholeLines((<u64>ceilPanel(valueDim) / PANEL) * chunkSize * PANEL_BYTES);
}

/** Bytes of sums and normalizer. */
export function sumsBytes(featureDim: usize, valueDim: usize): u64 {
  return sumBytes(featureDim, valueDim) + wholeLines((<u64>ceilPanel(featureDim)) << 2);
}

/** Bytes of an open chunk. */
export function chunkBytes(featureDim: usize, valueDim: usize, chunkSize: usize): u64 {
  return LINE + keyBytes(featureDim, chunkSize) + valueBytes(valueDim, chunkSize) + wholeLines((<u64>chunkSize) << 2);
}

/** Bytes of a state: its sums, then its open chunk. As a float, because they may be more than an address holds: then there can be none. */
export function linearStateBytes(featureDim: usize, valueDim: usize, chunkSize: usize): f64 {
  return <f64>(sumsBytes(featureDim, valueDim) + chunkBytes(featureDim, valueDim, chunkSize));
}
