/**
 * The largest weights of a strip's rows, and what keys receive: in a second pass over the keys, as in scoresAndWeights.ts, but none of
 * them takes memory that grows with seqLen · kvLen.
 *
 * The scores of a strip's last block are saved in the first pass: up to 512 keys, none is computed again.
 *
 * In that pass a weight is −0 where the row does not see the key. As integers, the bits of weights have the order of the weights, and
 * those of −0 are below all others. Rows that are NaN give NaN to the keys that they see, but have no largest weights.
 */
import { AttentionParams, Gaussian } from "../abi/attentionParams";
import { keptScores } from "./choice";
import { weighDistances } from "./gaussian";
import { reciprocalSum, shiftOf } from "./onlineSoftmax";
import { Row, Strip } from "./strip";
import { Workspace } from "./workspace";
import { exp2Neg4 } from "../math/exp2";
import { minusInfinity } from "../math/simd";
import { ceilPanel, PANEL, PANEL_BYTES, ROW_BYTES } from "../tiles/layout";

/** The bits of −0. */
const INVISIBLE: i32 = i32.MIN_VALUE;
// Static data: see `minusInfinity` in simd.ts.
const MINUS_ZERO = memory.data<i32>([INVISIBLE]);

/** Bytes of the weights of a row that share a maximum: 64 keys, an eighth of a block. */
const SPAN_BYTES: usize = 256;

/** What the keys of an entry receive in all query heads of a key/value head, before any row has given. */
export function clearKeyWeights(p: AttentionParams, entry: usize, kvHead: usize): void {
  const groupSize = p.numHeads / p.numKvHeads;
  const bytes = p.kvLen << 2;
  memory.fill(p.keyWeights + (entry * p.numHeads + kvHead * groupSize) * bytes, 0, groupSize * bytes);
}

/** Saves the scores of a strip's last block, before they become weights. */
export function saveScores(workspace: Workspace, strip: Strip, block: usize): void {
  if (strip.nextBlock(block) < strip.to) return;
  const bytes = (ceilPanel(strip.endKey(block)) - strip.firstKey(block)) << 2;
  for (let r: usize = 0; r < strip.numRows; r++)
    memory.copy(strip.lastScores + r * ROW_BYTES, workspace.scores + r * ROW_BYTES, bytes);
}

/** Takes in the weights of a strip that has seen its keys. */
export function lookAtWeights(p: AttentionParams, workspace: Workspace, strip: Strip): void {
  if (p.topKeys) beginTopKeys(p, strip);
  for (let block = strip.firstBlock(); block < strip.to; block = strip.nextBlock(block)) {
    const firstKey = strip.firstKey(block);
    const endKey = strip.endKey(block);
    const bytes = (ceilPanel(endKey) - firstKey) << 2;
    const isLast = strip.nextBlock(block) >= strip.to;
    const scores = isLast ? strip.lastScores : workspace.scores;
    if (!isLast) keptScores(p, workspace, strip, firstKey, endKey, scores);
    for (let r: usize = 0; r < strip.numRows; r++) {
      const row = strip.row(r);
      const weights = scores + r * ROW_BYTES;
      weigh(weights, bytes, shiftOf(row), reciprocalSum(row), workspace.largest);
      if (p.gaussian == Gaussian.FACTOR) {
        weighDistances(p, row, firstKey, weights, bytes);
        findLargest(weights, bytes, workspace.largest);
      }
      if (p.topKeys && row.sum == row.sum) {
        takeTopKeys(p, row, weights, bytes, workspace.largest, strip.sequence.keyStart + firstKey);
      }
    }
    if (p.keyWeights) addKeyWeights(p, strip, scores, firstKey, endKey);
  }
  if (p.topKeys) endTopKeys(p, strip);
}

/** Scores → weights in place, −0 where the key is invisible; the largest bits of each span of keys → `largestPtr`. */
function weigh(scoresPtr: usize, bytes: usize, shift: f32, factor: f32, largestPtr: usize): void {
  const end = scoresPtr + bytes;
  const shifts = f32x4.splat(shift);
  const factors = f32x4.splat(factor);
  const invisible = v128.load32_splat(MINUS_ZERO);
  const infinity = minusInfinity();
  while (scoresPtr < end) {
    const spanEnd = min(end, scoresPtr + SPAN_BYTES);
    let largest0 = invisible;
    let largest1 = invisible;
    for (; scoresPtr < spanEnd; scoresPtr += PANEL_BYTES) {
      const s0 = v128.load(scoresPtr);
      const s1 = v128.load(scoresPtr, 16);
      const w0 = f32x4.mul(exp2Neg4(f32x4.sub(s0, shifts)), factors);
      const w1 = f32x4.mul(exp2Neg4(f32x4.sub(s1, shifts)), factors);
      const seen0 = v128.bitselect(invisible, w0, f32x4.eq(s0, infinity));
      const seen1 = v128.bitselect(invisible, w1, f32x4.eq(s1, infinity));
      v128.store(scoresPtr, seen0);
      v128.store(scoresPtr, seen1, 16);
      largest0 = i32x4.max_s(largest0, seen0);
      largest1 = i32x4.max_s(largest1, seen1);
    }
    store<i32>(largestPtr, largestLane(i32x4.max_s(largest0, largest1)));
    largestPtr += 4;
  }
}

/** The largest bits of each span of weights → `largestPtr`, where these have changed since weigh. */
function findLargest(weightsPtr: usize, bytes: usize, largestPtr: usize): void {
  for (let span: usize = 0; span < bytes; span += SPAN_BYTES, largestPtr += 4) {
    let largest = v128.load32_splat(MINUS_ZERO);
    for (let at = span; at < min(bytes, span + SPAN_BYTES); at += 16) {
      largest = i32x4.max_s(largest, v128.load(weightsPtr + at));
    }
    store<i32>(largestPtr, largestLane(largest));
  }
}

// @ts-ignore: decorator
@inline
function largestLane(x: v128): i32 {
  const pair = i32x4.max_s(x, v128.shuffle<i32>(x, x, 2, 3, 0, 1));
  return max<i32>(i32x4.extract_lane(pair, 0), i32x4.extract_lane(pair, 1));
}

// @ts-ignore: decorator
@inline
function topIndices(p: AttentionParams, row: Row): usize {
  return p.topKeys + ((row.index * p.numTopKeys) << 2);
}

// @ts-ignore: decorator
@inline
function topWeights(p: AttentionParams, row: Row): usize {
  return p.topWeights + ((row.index * p.numTopKeys) << 2);
}

/** The lists without keys, which remain those of a row that is NaN. */
function beginTopKeys(p: AttentionParams, strip: Strip): void {
  const bytes = p.numTopKeys << 2;
  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    const indices = topIndices(p, row);
    const weights = topWeights(p, row);
    for (let at: usize = 0; at < bytes; at += 4) {
      store<f32>(indices + at, -1);
      store<f32>(weights + at, row.sum == row.sum ? -0.0 : NaN);
    }
  }
}

/** Where a row sees fewer keys than its list has places for, weights are 0. */
function endTopKeys(p: AttentionParams, strip: Strip): void {
  for (let r: usize = 0; r < strip.numRows; r++) {
    const weights = topWeights(p, strip.row(r));
    for (let at = p.numTopKeys; at > 0 && load<i32>(weights + ((at - 1) << 2)) == INVISIBLE; at--) {
      store<i32>(weights + ((at - 1) << 2), 0);
    }
  }
}

/**
 * Takes keys into a row's list, largest weight first: in ascending order, and only if they exceed the last one, so that of equal
 * weights the lower index comes first.
 *
 * @param largestPtr  the largest weight of each span of keys
 * @param firstIndex  index in k of the first key
 */
function takeTopKeys(p: AttentionParams, row: Row, weightsPtr: usize, bytes: usize, largestPtr: usize, firstIndex: usize): void {
  const indices = topIndices(p, row);
  const weights = topWeights(p, row);
  const last = (p.numTopKeys - 1) << 2;
  const floor = floorOf(largestPtr, (bytes + (SPAN_BYTES - 1)) / SPAN_BYTES, p.numTopKeys);
  let bound = max(floor, load<i32>(weights + last));
  for (let span: usize = 0; span < bytes; span += SPAN_BYTES, largestPtr += 4) {
    if (load<i32>(largestPtr) <= bound) continue;
    const end = min(bytes, span + SPAN_BYTES);
    for (let at = span; at < end; at += 16) {
      let hits = i32x4.bitmask(i32x4.gt_s(v128.load(weightsPtr + at), i32x4.splat(bound)));
      for (; hits; hits &= hits - 1) {
        const key = at + ((<usize>ctz(hits)) << 2);
        const bits = load<i32>(weightsPtr + key);
        if (bits <= bound) continue; // the bound has risen
        insert(indices, weights, last, <f32>(firstIndex + (key >> 2)), bits);
        bound = max(floor, load<i32>(weights + last));
      }
    }
  }
}

/** What the `count`-th largest weight of all spans exceeds, since each of as many spans has a weight that does. */
function floorOf(largestPtr: usize, numSpans: usize, count: usize): i32 {
  if (count > numSpans) return INVISIBLE;
  let found = INVISIBLE;
  for (let i: usize = 0; i < numSpans; i++) {
    const bits = load<i32>(largestPtr + (i << 2));
    let atLeast: usize = 0;
    for (let j: usize = 0; j < numSpans; j++) if (load<i32>(largestPtr + (j << 2)) >= bits) atLeast++;
    if (atLeast >= count) found = max(found, bits);
  }
  return found == INVISIBLE ? INVISIBLE : found - 1;
}

/** Into the list at its place; the last one falls out. `last` is its offset in bytes. */
function insert(indices: usize, weights: usize, last: usize, index: f32, bits: i32): void {
  let at = last;
  for (; at > 0; at -= 4) {
    const before = load<i32>(weights + at - 4);
    if (before >= bits) break;
    store<i32>(weights + at, before);
    store<f32>(indices + at, load<f32>(indices + at - 4));
  }
  store<i32>(weights + at, bits);
  store<f32>(indices + at, index);
}

/** Adds the weights of a strip to what its keys have received, row by row of each head; −0 changes no sum. */
function addKeyWeights(p: AttentionParams, strip: Strip, weightsPtr: usize, firstKey: usize, endKey: usize): void {
  const groupSize = p.numHeads / p.numKvHeads;
  const sequence = strip.sequence;
  const end = weightsPtr + strip.numRows * ROW_BYTES;
  for (let r: usize = 0; r < min(groupSize, strip.numRows); r++) {
    const head = sequence.batch * p.numHeads + strip.row(r).head;
    const sums = p.keyWeights + ((head * p.kvLen + sequence.keyStart + firstKey) << 2);
    addRows(sums, weightsPtr + r * ROW_BYTES, end, groupSize * ROW_BYTES, endKey - firstKey);
  }
}

/** Adds the rows from `rowPtr` to `end`, each `rowBytes` after the other, to `count` sums. */
function addRows(sumsPtr: usize, rowPtr: usize, end: usize, rowBytes: usize, count: usize): void {
  let at: usize = 0;
  for (const whole = (count & ~(PANEL - 1)) << 2; at < whole; at += PANEL_BYTES) {
    let sum0 = v128.load(sumsPtr + at);
    let sum1 = v128.load(sumsPtr + at, 16);
    for (let ptr = rowPtr + at; ptr < end; ptr += rowBytes) {
      sum0 = f32x4.add(sum0, v128.load(ptr));
      sum1 = f32x4.add(sum1, v128.load(ptr, 16));
    }
    v128.store(sumsPtr + at, sum0);
    v128.store(sumsPtr + at, sum1, 16);
  }
  for (; at < count << 2; at += 4) {
    let sum = load<f32>(sumsPtr + at);
    for (let ptr = rowPtr + at; ptr < end; ptr += rowBytes) sum += load<f32>(ptr);
    store<f32>(sumsPtr + at, sum);
  }
}
