/**
 * Biases by the distance of a key from the row's position: ALiBi, which is linear in it, and a table. No bias of a pair is ever in memory.
 *
 *     s_j ← s_j − slope · │position − j│        Press, Smith & Lewis 2022, arXiv:2108.12409
 *     s_j ← s_j + table[clamp(j − position + zero)]
 */
import { AttentionParams } from "../abi/attentionParams";
import { firstLanes } from "../math/lanes";
import { madd, minusInfinity } from "../math/simd";
import { scaleFinite, scaleFinite4 } from "../math/scaleFinite";
import { BAND_STRIPS, BLOCK, LINE, MAX_STRIP_ROWS, PANEL } from "../tiles/layout";
import { Row } from "./strip";

/** Distances of one row to a block of keys, and of the band's other rows to it; keys are taken in whole panels. */
const WINDOW: usize = BLOCK + BAND_STRIPS * MAX_STRIP_ROWS + PANEL;
/** A window: its fields on a cache line, then its values on whole lines. */
const VALUES_OFFSET: usize = LINE;
const WINDOW_BYTES: usize = VALUES_OFFSET + (((WINDOW << 2) + (LINE - 1)) & ~(LINE - 1));

// Static data: see `minusInfinity` in simd.ts.
const KEY_NUMBERS = memory.data<i32>([0, 1, 2, 3]);
const FOUR = memory.data<i32>([4]);

/** The part of a table around the distances in progress, times the factor on scores: the strips of a band go through it one after the other. */
@unmanaged
export class BiasWindow {
  /** The head's table. */
  private table: usize;
  private factor: f64;
  /** Distances of its first value and one past its last. None: both are equal. */
  private first: i32;
  private end: i32;
  /** Whether all values are finite. */
  isFinite: bool;

  /** The window of a row's head: a strip has rows of all heads of a group, so each has its own. */
  @inline
  static of(p: AttentionParams, windows: usize, head: usize): BiasWindow {
    return changetype<BiasWindow>(windows + (head % windowsOf(p)) * WINDOW_BYTES);
  }

  /** Lays out the windows from `ptr` on, a line's first byte; returns the end. */
  @inline
  static layOut(p: AttentionParams, ptr: u64, isPlaced: bool): u64 {
    if (!p.relativeBias) return ptr;
    if (isPlaced) {
      for (let i: usize = 0; i < windowsOf(p); i++) BiasWindow.of(p, <usize>ptr, i).forget();
    }
    return ptr + <u64>windowsOf(p) * WINDOW_BYTES;
  }

  @inline
  forget(): void {
    this.end = this.first;
  }

  /** f32[WINDOW] */
  @inline
  private get values(): usize {
    return changetype<usize>(this) + VALUES_OFFSET;
  }

  /** The value of a distance from which on `count` ≤ BLOCK + PANEL values will be read. */
  at(p: AttentionParams, head: usize, factor: f64, distance: i32, count: i32): usize {
    const table = p.relativeBias + ((head * p.relativeBiasHeadStride) << 2);
    const isHere = this.table == table && this.factor == factor && this.first <= distance && distance + count <= this.end;
    if (!isHere) this.fill(p, table, factor, distance + count);
    return this.values + ((distance - this.first) << 2);
  }

  /** Writes the values before distance `end`: the strips to come are at later positions. */
  private fill(p: AttentionParams, table: usize, factor: f64, end: i32): void {
    this.table = table;
    this.factor = factor;
    this.first = end - <i32>WINDOW;
    this.end = end;
    const last = <i32>p.biasDistances - 1;
    const start = this.first + p.biasZero; // the index in the table of the first value
    const inner = min(max(0, -start), <i32>WINDOW); // values before the table's first
    const innerEnd = max(inner, min(<i32>WINDOW, last + 1 - start));
    const factors = f32x4.splat(<f32>factor);
    let i = inner;
    this.repeat(0, inner, table, factors);
    for (; i + 4 <= innerEnd; i += 4) {
      v128.store(this.values + (i << 2), scaleFinite4(v128.load(table + ((start + i) << 2)), factors));
    }
    for (; i < innerEnd; i++) this.set(i, table + ((start + i) << 2), factors);
    this.repeat(innerEnd, <i32>WINDOW, table + (last << 2), factors);
    const zero = f32x4.splat(0);
    let zeros = zero; // 0 · value summed: NaN as soon as one value is not finite
    for (i = 0; i < <i32>WINDOW; i += 4) zeros = f32x4.add(zeros, f32x4.mul(v128.load(this.values + (i << 2)), zero));
    this.isFinite = !v128.any_true(f32x4.ne(zeros, zeros));
  }

  /** Writes one number of the table as the values `i` to `end` − 1. */
  private repeat(i: i32, end: i32, from: usize, factors: v128): void {
    const value = scaleFinite4(v128.load32_splat(from), factors);
    for (; i + 4 <= end; i += 4) v128.store(this.values + (i << 2), value);
    for (; i < end; i++) v128.store32_lane(this.values + (i << 2), value, 0);
  }

  /** Writes value `i`, from its place in the table, with the arithmetic of four. */
  @inline
  private set(i: i32, from: usize, factors: v128): void {
    v128.store32_lane(this.values + (i << 2), scaleFinite4(v128.load32_splat(from), factors), 0);
  }
}

/** Windows in use: one for each head that a strip can hold. */
// @ts-ignore: decorator
@inline
function windowsOf(p: AttentionParams): usize {
  return p.relativeBiasHeadStride ? p.numHeads / p.numKvHeads : 1;
}

/** Subtracts the slope's part of `keys` keys from `firstKey` on from the scores of a row. Before biases, whose −∞ hides what is NaN. */
export function addSlopes(row: Row, firstKey: usize, keys: usize, factor: f64, scoresPtr: usize): void {
  addSlope(scoresPtr, keys, <i32>firstKey - row.position, -scaleFinite(load<f32>(row.alibiSlope), factor));
}

/** Adds the values of a table to the scores of `keys` keys from `firstKey` on. After biases: a key that one of both hides stays hidden. */
export function addTable(
  p: AttentionParams,
  windows: usize,
  row: Row,
  firstKey: usize,
  keys: usize,
  factor: f64,
  scoresPtr: usize,
): void {
  if (keys == 0) return;
  const window = BiasWindow.of(p, windows, row.head);
  const values = window.at(p, row.head, factor, <i32>firstKey - row.position, <i32>(keys + 3));
  if (window.isFinite) addValues(scoresPtr, values, keys, true);
  else addValues(scoresPtr, values, keys, false);
}

/** s → s + slope · │distance│, where distances rise by 1 from key to key. */
function addSlope(scoresPtr: usize, keys: usize, distance: i32, slope: f32): void {
  const slopes = f32x4.splat(slope);
  let distances = i32x4.add(i32x4.splat(distance), v128.load(KEY_NUMBERS));
  const wholeEnd = scoresPtr + ((keys & ~3) << 2);
  for (; scoresPtr < wholeEnd; scoresPtr += 16) {
    v128.store(scoresPtr, madd(slopes, f32x4.abs(f32x4.convert_i32x4_s(distances)), v128.load(scoresPtr)));
    distances = i32x4.add(distances, v128.load32_splat(FOUR));
  }
  if ((keys & 3) == 0) return;
  const scores = v128.load(scoresPtr);
  const sum = madd(slopes, f32x4.abs(f32x4.convert_i32x4_s(distances)), scores);
  v128.store(scoresPtr, v128.bitselect(sum, scores, firstLanes(keys & 3)));
}

/** @param isFinite  a literal: whether all values are, so that none of them hides a key, nor makes a hidden one NaN */
// @ts-ignore: decorator
@inline
function addValues(scoresPtr: usize, values: usize, keys: usize, isFinite: bool): void {
  const wholeEnd = scoresPtr + ((keys & ~3) << 2);
  for (; scoresPtr < wholeEnd; scoresPtr += 16, values += 16) {
    v128.store(scoresPtr, plus(v128.load(scoresPtr), v128.load(values), isFinite));
  }
  if ((keys & 3) == 0) return;
  const scores = v128.load(scoresPtr);
  v128.store(scoresPtr, v128.bitselect(plus(scores, v128.load(values), isFinite), scores, firstLanes(keys & 3)));
}

// @ts-ignore: decorator
@inline
function plus(scores: v128, values: v128, isFinite: bool): v128 {
  const sums = f32x4.add(scores, values);
  if (isFinite) return sums;
  const invisible = minusInfinity();
  return v128.bitselect(invisible, sums, v128.or(f32x4.eq(scores, invisible), f32x4.eq(values, invisible)));
}
