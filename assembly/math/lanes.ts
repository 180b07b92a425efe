/** The first lanes of a vector, for the rest of a row after whole vectors: the same arithmetic, and no writes beyond the row. */

const WINDOW = memory.data<i32>([-1, -1, -1, -1, 0, 0, 0, 0]);

/** All ones in the first `count` of four lanes, zeros in the others. */
// @ts-ignore: decorator
@inline
export function firstLanes(count: usize): v128 {
  return v128.load(WINDOW + 16 - (count << 2));
}

/** How many of `count` ≤ 8 elements are in the first four lanes, and how many in the next four. */
// @ts-ignore: decorator
@inline
export function lowerLanes(count: usize): usize {
  return min<usize>(count, 4);
}

// @ts-ignore: decorator
@inline
export function upperLanes(count: usize): usize {
  return max<usize>(count, 4) - 4;
}

/** Stores the first `count` of four lanes. */
// @ts-ignore: decorator
@inline
export function storeLanes(ptr: usize, x: v128, count: usize): void {
  if (count == 4) {
    v128.store(ptr, x);
  } else {
    if (count > 0) v128.store32_lane(ptr, x, 0);
    if (count > 1) v128.store32_lane(ptr, x, 1, 4);
    if (count > 2) v128.store32_lane(ptr, x, 2, 8);
  }
}
