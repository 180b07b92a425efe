/**
 * The keys of the n largest scores, as a heap: its root is the least of them, so a key takes logarithmic time if it is among the n
 * largest so far, and a comparison otherwise. Williams 1964, Algorithm 232.
 *
 * A rank is a number that orders keys by their scores, in the upper half; of equal scores, the lower key has the higher rank. NaN is
 * above all numbers.
 */
import { AttentionParams } from "../abi/attentionParams";
import { minusInfinity } from "../math/simd";
import { MAX_STRIP_ROWS, wholeLines } from "../tiles/layout";

const RANK_OF_NAN: i32 = i32.MAX_VALUE;
const MAGNITUDE: i32 = 0x7fffffff;

/** Lower than every rank: with it as the least, every key is kept. */
// @ts-ignore: decorator
@inline
export const LOWEST_RANK: i64 = i64.MIN_VALUE;

/** How many keys a row keeps, if it sees as many. */
// @ts-ignore: decorator
@inline
export function mostKept(p: AttentionParams): usize {
  return max<usize>(1, min(p.keptKeys, p.maxKvLen));
}

/** Bytes of the heaps of a strip's rows. */
export function heapsBytes(p: AttentionParams): u64 {
  return wholeLines(MAX_STRIP_ROWS * heapBytes(mostKept(p)));
}

/** Bytes of a heap of `count` ranks. */
// @ts-ignore: decorator
@inline
export function heapBytes(count: usize): u64 {
  return (<u64>count) << 3;
}

export function rankOf(score: f32, key: usize): i64 {
  const bits = reinterpret<i32>(score); // scores are sums, which begin with 0: none is −0
  const scoreRank = score != score ? RANK_OF_NAN : bits < 0 ? bits ^ MAGNITUDE : bits;
  return ((<i64>scoreRank) << 32) | (<i64>~(<u32>key));
}

// @ts-ignore: decorator
@inline
export function keyOf(rank: i64): usize {
  return ~(<u32>rank);
}

function scoreOf(rank: i64): f32 {
  const scoreRank = <i32>(rank >> 32);
  return scoreRank == RANK_OF_NAN ? NaN : reinterpret<f32>(scoreRank < 0 ? scoreRank ^ MAGNITUDE : scoreRank);
}

/**
 * Takes the keys from `firstKey` on, `columns` (a multiple of 4), whose scores are not −∞, into a heap of `size` ranks that has room for
 * `count` ≥ 1; returns its new size. Keys come in ascending order.
 */
export function takeLargest(scoresPtr: usize, firstKey: usize, columns: usize, heap: usize, size: usize, count: usize): usize {
  const end = firstKey + columns;
  let least: f32 = size == count ? scoreOf(load<i64>(heap)) : -Infinity;
  for (let key = firstKey; key < end; key += 4, scoresPtr += 16) {
    const scores = v128.load(scoresPtr);
    const isNotLess = v128.or(f32x4.gt(scores, f32x4.splat(least)), f32x4.ne(scores, scores));
    if (!v128.any_true(isNotLess)) continue;
    for (let lane: usize = 0; lane < 4; lane++) {
      const score = load<f32>(scoresPtr + (lane << 2));
      if (score == -Infinity) continue;
      const rank = rankOf(score, key + lane);
      if (size < count) raise(heap, size++, rank);
      else if (rank > load<i64>(heap)) lower(heap, size, rank);
    }
    if (size == count) least = scoreOf(load<i64>(heap));
  }
  return size;
}

/** Puts a rank at the end of a heap of `size` ranks, and raises it to where it belongs. */
function raise(heap: usize, size: usize, rank: i64): void {
  let index = size;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = load<i64>(heap + (parent << 3));
    if (above <= rank) break;
    store<i64>(heap + (index << 3), above);
    index = parent;
  }
  store<i64>(heap + (index << 3), rank);
}

/** Replaces the root, and lowers the new one to where it belongs. */
function lower(heap: usize, size: usize, rank: i64): void {
  let index: usize = 0;
  for (let child: usize = 1; child < size; child = 2 * index + 1) {
    const isRightLess = child + 1 < size && load<i64>(heap + ((child + 1) << 3)) < load<i64>(heap + (child << 3));
    if (isRightLess) child++;
    const below = load<i64>(heap + (child << 3));
    if (below >= rank) break;
    store<i64>(heap + (index << 3), below);
    index = child;
  }
  store<i64>(heap + (index << 3), rank);
}

/** Writes −∞ to the scores of the keys from `firstKey` on, `columns` (a multiple of 4), whose ranks are below `least`. */
export function hideBelow(scoresPtr: usize, firstKey: usize, columns: usize, least: i64): void {
  if (least == LOWEST_RANK) return;
  const end = firstKey + columns;
  const leasts = f32x4.splat(scoreOf(least));
  for (let key = firstKey; key < end; key += 4, scoresPtr += 16) {
    const scores = v128.load(scoresPtr);
    const isTie = v128.or(f32x4.eq(scores, leasts), f32x4.ne(scores, scores));
    if (!v128.any_true(isTie)) {
      v128.store(scoresPtr, v128.bitselect(scores, minusInfinity(), f32x4.gt(scores, leasts)));
      continue;
    }
    for (let lane: usize = 0; lane < 4; lane++) {
      const score = load<f32>(scoresPtr + (lane << 2));
      if (rankOf(score, key + lane) < least) store<f32>(scoresPtr + (lane << 2), -Infinity);
    }
  }
}
