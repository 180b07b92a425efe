/** Keys of linear attention on their way into the open chunk: φ(k) and v as panels. */
import { mapRows } from "./featureMaps";
import { Head } from "./head";
import { LinearParams } from "../abi/linearParams";
import { LinearWork } from "./workspace";
import { packKeys, packValues } from "../tiles/pack";
import { touchLines } from "../tiles/touch";

/** Touches keys and values that come from distant memory, all at once. */
function touchKeys(p: LinearParams, head: Head, first: usize, count: usize): void {
  for (let j = first; j < first + count; j++) {
    touchLines(head.key(p, j), p.headDim << 2);
    touchLines(head.value(p, j), head.columns << 2);
  }
}

/** φ of the keys `first` to `first + count − 1`, row by row; 0 for absent keys. */
export function mapKeys(p: LinearParams, work: LinearWork, first: usize, count: usize): void {
  const head = work.head;
  const features = work.chunk.features;
  const featureBytes = work.rows.featureBytes;
  touchKeys(p, head, first, count);
  mapRows(p, work, head.key(p, first), p.kRowStride << 2, count, features, false);
  if (!p.mask) return;
  for (let j: usize = 0; j < count; j++) {
    if (!head.sees(p, first + j)) memory.fill(features + j * featureBytes, 0, p.featureDim << 2);
  }
}

/**
 * Packs values of the keys `first` to `first + count − 1`, in the range of columns, into panels `panelBytes` apart, from `at` on;
 * 0 for absent keys. Returns whether all are finite.
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
  const head = work.head;
  const columns = head.columns;
  if (!p.mask) return packValues(head.value(p, first), p.vRowStride << 2, at, count, columns, panelsPtr, panelBytes);
  const zeros = work.chunk.zeroRow;
  memory.fill(zeros, 0, columns << 2);
  let isFinite = true;
  for (let j: usize = 0; j < count; j++) {
    const row = head.sees(p, first + j) ? head.value(p, first + j) : zeros;
    if (!packValues(row, 0, at + j, 1, columns, panelsPtr, panelBytes)) isFinite = false;
  }
  return isFinite;
}

/** Takes φ(k) and the decays of the keys `first` to `first + count − 1` into the open chunk, from position `at` on. */
export function takeKeys(p: LinearParams, work: LinearWork, first: usize, count: usize, at: usize): void {
  const chunk = work.chunk;
  mapKeys(p, work, first, count);
  packKeys(chunk.features, work.rows.featureBytes, at, count, p.featureDim, chunk.keys);
  if (p.decayDim == 1) work.decays.take(p, work.head, chunk, first, count, at);
}

/** Takes v of these keys into the open chunk. */
export function takeValues(p: LinearParams, work: LinearWork, first: usize, count: usize, at: usize): void {
  const chunk = work.chunk;
  const isFinite = packChunkValues(p, work, first, count, chunk.values, chunk.valuePanelBytes, at);
  if (at == 0) chunk.isFinite = true;
  if (!isFinite) chunk.isFinite = false;
}
