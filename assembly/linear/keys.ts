/** Keys of linear attention on their way into the open chunk: φ(k) and v as panels, and the sums of decays. */
import { lowestExponent } from "../math/exp";
import { mapRows } from "./featureMaps";
import { packKeys, packValues } from "../tiles/pack";
import { LinearParams } from "../abi/linearParams";
import { LinearWork } from "./workspace";
import { PANEL_BYTES } from "../tiles/layout";
import { touchLines } from "../tiles/touch";

/** Asks for keys and values that come from far away, at once. */
function touchKeys(p: LinearParams, work: LinearWork, first: usize, count: usize): void {
  for (let j = first; j < first + count; j++) {
    touchLines(work.key(p, j), p.headDim << 2);
    touchLines(work.value(p, j), work.columns << 2);
  }
}

/** φ of the keys `first` to `first + count − 1` as rows at `work.keyRows`; those that don't count are 0. */
export function mapKeys(p: LinearParams, work: LinearWork, first: usize, count: usize): void {
  touchKeys(p, work, first, count);
  mapRows(p, work, work.key(p, first), p.kRowStride << 2, count, work.keyRows, false);
  if (!p.mask) return;
  for (let j: usize = 0; j < count; j++) {
    if (!work.counts(p, first + j)) memory.fill(work.keyRows + j * work.featureBytes, 0, p.featureDim << 2);
  }
}

/**
 * Values of the keys `first` to `first + count − 1` as panels `panelBytes` apart, of the range of columns, from position `at` on;
 * those of keys that don't count are 0. Returns whether all are finite.
 */
export function packChunkValues(
  p: LinearParams,
  work: LinearWork,
  first: usize,
  count: usize,
  panelsPtr: usize,
  panelBytes: usize,
  at: usize,
): bool {
  if (!p.mask) return packValues(work.value(p, first), p.vRowStride << 2, at, count, work.columns, panelsPtr, panelBytes);
  memory.fill(work.valueRow, 0, work.columns << 2);
  let isFinite = true;
  for (let j: usize = 0; j < count; j++) {
    const row = work.counts(p, first + j) ? work.value(p, first + j) : work.valueRow;
    if (!packValues(row, 0, at + j, 1, work.columns, panelsPtr, panelBytes)) isFinite = false;
  }
  return isFinite;
}

/** Takes φ(k) and v of the keys `first` to `first + count − 1` into the open chunk, from position `at` on. */
export function takeKeys(p: LinearParams, work: LinearWork, first: usize, count: usize, at: usize): void {
  mapKeys(p, work, first, count);
  packKeys(work.keyRows, work.featureBytes, at, count, p.featureDim, work.state.keys);
  if (p.decayDim == 1) takeDecays(p, work, first, count, at);
}

/** Takes v of these keys into the open chunk. */
export function takeValues(p: LinearParams, work: LinearWork, first: usize, count: usize, at: usize): void {
  const isFinite = packChunkValues(p, work, first, count, work.values(p), p.chunkSize * PANEL_BYTES, at);
  if (at == 0) store<i32>(work.state.isFinite, 1);
  if (!isFinite) store<i32>(work.state.isFinite, 0);
}

function takeDecays(p: LinearParams, work: LinearWork, first: usize, count: usize, at: usize): void {
  const start = work.batch * p.decayBatchStride + work.head * p.decayHeadStride;
  for (let j: usize = 0; j < count; j++) {
    const decay = load<f32>(p.decay + ((start + (first + j) * p.decayRowStride) << 2));
    store<f32>(work.state.decays + ((at + j) << 2), decay);
  }
  addDecays(work, at, at + count);
}

/** Sums of decays at the positions `from` to `to` − 1 of the open chunk, from the decays there. */
export function addDecays(work: LinearWork, from: usize, to: usize): void {
  const lowest = f32x4.extract_lane(lowestExponent(), 0); // the factor of a decay below it is 0, as expOfAny4 has it
  let sum: f64 = from == 0 ? 0 : load<f64>(work.decaySums + ((from - 1) << 3));
  let clear: i32 = from == 0 ? -1 : load<i32>(work.clears + ((from - 1) << 2));
  for (let j = from; j < to; j++) {
    const decay = load<f32>(work.state.decays + (j << 2));
    if (decay < lowest) {
      sum = 0;
      clear = <i32>j;
    } else {
      sum += <f64>decay;
    }
    store<f64>(work.decaySums + (j << 3), sum);
    store<i32>(work.clears + (j << 2), clear);
  }
}
