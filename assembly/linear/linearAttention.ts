/**
 * Linear attention: a state of fixed size in place of scores, time linear in the length. Katharopoulos et al. 2020, arXiv:2006.16236.
 *
 *     full        S = Σ_j φ(k_j) v_jᵀ, block by block; then out_i = φ(q_i)ᵀS / (φ(q_i)ᵀz + eps), strip by strip
 *     causal      for each chunk of keys, Hua et al. 2022, arXiv:2202.10447, section 3.2
 *                   take its keys and values      (delta rules: u in place of the values)
 *                   its rows                      from the sums over the chunks before, and from the chunk itself
 *                   fold it into the sums         (gated rules: with decay)
 *     by channel  with a decay for each channel: the recurrence itself, see recurrence.ts
 */
import { takeCorrections } from "./deltaRule";
import { raiseMaxima } from "./featureMaps";
import { foldChunk, foldKeys } from "./fold";
import { takeKeys, takeValues } from "./keys";
import { FeatureMap, LinearParams } from "../abi/linearParams";
import { attendQueries } from "./queries";
import { recur } from "./recurrence";
import { LinearWork, slotsFor } from "./workspace";

/** Rows that a head processes before the next one does, if rows need no chunks. */
const ROWS_AT_ONCE: usize = 48;

/**
 * Computes the units `first` to `end` − 1: heads of the sequences, or ranges of their value columns. States are updated.
 *
 * Several heads of a sequence go through it together, chunk by chunk: in layout "bshd" their rows are adjacent, so memory is
 * read in order.
 *
 * @param params        LinearParams
 * @param workspacePtr  laid out by linearAttentionPlace for the same parameters; no other thread may use it during the call
 */
export function linearAttention(params: usize, workspacePtr: usize, first: usize, end: usize): void {
  const p = changetype<LinearParams>(params);
  const work = changetype<LinearWork>(workspacePtr);
  const slots = slotsFor(p.featureDim, p.valueDim);
  const unitsOfSequence = p.numKvHeads * p.columnRanges;
  for (let unit = first; unit < end;) {
    const next = min(min(end, unit + slots), unit - (unit % unitsOfSequence) + unitsOfSequence);
    if (!p.states) work.clearSlots(p, next - unit);
    work.seek(p, unit, 0);
    if (!p.causal) attendFull(p, work, unit, next);
    else if (p.decayDim > 1) attendSteps(p, work, unit, next);
    else attendChunks(p, work, unit, next);
    unit = next;
  }
}

function attendSteps(p: LinearParams, work: LinearWork, first: usize, end: usize): void {
  const rows = work.head.sequence.rows;
  for (let row: usize = 0; row < rows; row += ROWS_AT_ONCE) {
    for (let unit = first; unit < end; unit++) {
      work.seek(p, unit, unit - first);
      recur(p, work, row, min(rows, row + ROWS_AT_ONCE));
    }
  }
}

function attendChunks(p: LinearParams, work: LinearWork, first: usize, end: usize): void {
  const rows = work.head.sequence.rows;
  let at = work.head.sequence.openKeys;
  for (let row: usize = 0; row < rows;) {
    const count = min(p.chunkSize - at, max(work.head.keyLength, row) - row);
    const isLast = row + count >= work.head.keyLength;
    const endRow = isLast ? rows : row + count; // rows after the last key read the open chunk
    for (let unit = first; unit < end; unit++) {
      work.seek(p, unit, unit - first);
      attendChunk(p, work, row, endRow, at, count);
    }
    at = at + count == p.chunkSize ? 0 : at + count;
    row = endRow;
  }
}

/** Takes `count` keys from `row` on into a chunk that has `at`, computes the rows before `endRow`, and folds a complete chunk. */
function attendChunk(p: LinearParams, work: LinearWork, row: usize, endRow: usize, at: usize, count: usize): void {
  if (p.decayDim) work.decays.sumUp(work.chunk, 0, at);
  if (count > 0) {
    takeKeys(p, work, row, count, at);
    if (p.isDelta) takeCorrections(p, work, row, count, at);
    else takeValues(p, work, row, count, at);
  }
  attendQueries(p, work, row, endRow, at, at + count, true);
  if (at + count == p.chunkSize) foldChunk(p, work);
}

function attendFull(p: LinearParams, work: LinearWork, first: usize, end: usize): void {
  const isSoftmax = p.featureMap == FeatureMap.SOFTMAX;
  const group: usize = isSoftmax ? 1 : end - first; // the maxima belong to one head
  for (let unit = first; unit < end; unit += group) {
    if (isSoftmax) {
      work.seek(p, unit, unit - first);
      findMaxima(p, work);
    }
    for (let key: usize = 0; key < work.head.keyLength; key += p.chunkSize) {
      for (let each = unit; each < unit + group; each++) {
        work.seek(p, each, each - first);
        foldKeys(p, work, key, min(p.chunkSize, work.head.keyLength - key));
      }
    }
    if (isSoftmax) work.sums.divideByNormalizer();
  }
  work.chunk.isFinite = true;
  const rows = work.head.sequence.rows;
  for (let row: usize = 0; row < rows; row += ROWS_AT_ONCE) {
    for (let unit = first; unit < end; unit++) {
      work.seek(p, unit, unit - first);
      attendQueries(p, work, row, min(rows, row + ROWS_AT_ONCE), 0, 0, false);
    }
  }
}

/** The largest element of each channel over the keys. */
function findMaxima(p: LinearParams, work: LinearWork): void {
  const head = work.head;
  const maxima = work.chunk.maxima;
  for (let d: usize = 0; d < p.featureDim; d++) store<f32>(maxima + (d << 2), -Infinity);
  for (let j: usize = 0; j < head.keyLength; j++) {
    if (head.sees(p, j)) raiseMaxima(maxima, head.key(p, j), p.featureDim);
  }
}
