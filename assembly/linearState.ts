/**
 * What linear attention keeps of one head: the sums over the chunks that are complete, and the keys since.
 *
 *     sums         [⌈valueDim / 8⌉, featureDim, 8]      S = Σ φ(k) vᵀ, as value panels
 *     normalizer   [featureDim]                         z = Σ φ(k)
 *     keys         [⌈chunkSize / 8⌉, featureDim, 8]     φ(k) of the open chunk, as key panels
 *     values       [⌈valueDim / 8⌉, chunkSize, 8]       v of the open chunk, or what a delta rule makes of it, as value panels
 *     decays       [chunkSize]                          of the open chunk
 *
 * Chunks begin at multiples of chunkSize of a key's index in its sequence: what a row gives depends on no other cut.
 */
import { ceilPanel, PANEL, PANEL_BYTES, wholeLines } from "./layout";

/** Addresses of the parts. */
@unmanaged
export class HeadState {
  /** Address of an i32: 1 as long as all values of the open chunk are finite. */
  isFinite: usize;
  sums: usize;
  normalizer: usize;
  keys: usize;
  values: usize;
  decays: usize;

  /** Turns to the state at `ptr`. */
  turnTo(ptr: usize, featureDim: usize, valueDim: usize, chunkSize: usize): void {
    assert((ptr & 63) == 0, "HeadState.turnTo: ptr must be 64-byte aligned");
    layOut(changetype<usize>(this), ptr, featureDim, valueDim, chunkSize, true);
  }

  /** Forgets everything. */
  clear(): void {
    store<i32>(this.isFinite, 1);
    memory.fill(this.sums, 0, this.keys - this.sums);
  }
}

/** The layout of a state at `ptr`; returns its end. The addresses are written to `state` only if `isPlaced`, a literal. */
// @ts-ignore: decorator
@inline
function layOut(state: usize, ptr: usize, featureDim: usize, valueDim: usize, chunkSize: usize, isPlaced: bool): u64 {
  const valuePanels = <u64>ceilPanel(valueDim) / PANEL;
  const sums = <u64>ptr + wholeLines(sizeof<i32>());
  const normalizer = sums + wholeLines(valuePanels * featureDim * PANEL_BYTES);
  const keys = normalizer + wholeLines((<u64>ceilPanel(featureDim)) << 2);
  const values = keys + wholeLines(<u64>featureDim * (ceilPanel(chunkSize) << 2));
  const decays = values + wholeLines(valuePanels * chunkSize * PANEL_BYTES);
  if (isPlaced) {
    const placed = changetype<HeadState>(state);
    placed.isFinite = ptr;
    placed.sums = <usize>sums;
    placed.normalizer = <usize>normalizer;
    placed.keys = <usize>keys;
    placed.values = <usize>values;
    placed.decays = <usize>decays;
  }
  return decays + wholeLines((<u64>chunkSize) << 2);
}

/** Bytes of a state. As a float, because they may be more than an address holds: then there can be none. */
export function linearStateBytes(featureDim: usize, valueDim: usize, chunkSize: usize): f64 {
  return <f64>layOut(0, 0, featureDim, valueDim, chunkSize, false);
}
