/**
 * Biases by the distance of a key from the row's position: ALiBi, which is linear in it, and a table. No bias of a pair is ever in memory.
 *
 *     s_j ← s_j − slope · │position − j│        Press, Smith & Lewis 2022, arXiv:2108.12409
 *     s_j ← s_j + table[clamp(j − position + zero)]
 */
import { AttentionParams } from "../abi/attentionParams";
import { biased } from "../tiles/mask";
import { firstLanes } from "../math/lanes";
import { madd } from "../math/simd";
import { scaleFinite4 } from "../math/scaleFinite";
import { BAND_STRIPS, BLOCK, MAX_STRIP_ROWS, PANEL } from "../tiles/layout";
import { Row } from "./strip";

/** Distances of one row to a block of keys, and of the band's other rows to it; keys are taken in whole panels. */
export const WINDOW: usize = BLOCK + BAND_STRIPS * MAX_STRIP_ROWS + PANEL;

const KEY_NUMBERS = memory.data<i32>([0, 1, 2, 3]);

/** A window of a head's table, times the factor on scores: the strips of a band go through it one after the other. */
@unmanaged
export class BiasWindow {
  /** f32[WINDOW] */
  values: usize;
  private head: usize;
  private factor: f64;
  /** Distances of its first value and one past its last. None: both are equal. */
  private first: i32;
  private end: i32;
  /** Whether a value hides keys. */
  hidesKeys: bool;

  @inline
  forget(): void {
    this.end = this.first;
  }

  /** The value of a distance from which on `count` ≤ BLOCK + PANEL values will be read. */
  at(p: AttentionParams, head: usize, factor: f64, distance: i32, count: i32): usize {
    const isHere = this.head == head && this.factor == factor && this.first <= distance && distance + count <= this.end;
    if (!isHere) this.fill(p, head, factor, distance + count);
    return this.values + ((distance - this.first) << 2);
  }

  /** Writes the values before distance `end`: the strips to come are at later positions. */
  private fill(p: AttentionParams, head: usize, factor: f64, end: i32): void {
    this.head = head;
    this.factor = factor;
    this.first = end - <i32>WINDOW;
    this.end = end;
    const table = p.relativeBias + ((head * p.relativeBiasHeadStride) << 2);
    const last = <i32>p.biasDistances - 1;
    const start = this.first + p.biasZero; // the index in the table of the first value
    const inner = min(max(0, -start), <i32>WINDOW); // values before the table's first
    const innerEnd = max(inner, min(<i32>WINDOW, last + 1 - start));
    const factors = f32x4.splat(<f32>factor);
    let i = 0;
    for (; i < inner; i++) this.set(i, table, factors);
    for (; i + 4 <= innerEnd; i += 4) {
      v128.store(this.values + (i << 2), scaleFinite4(v128.load(table + ((start + i) << 2)), factors));
    }
    for (; i < innerEnd; i++) this.set(i, table + ((start + i) << 2), factors);
    for (; i < <i32>WINDOW; i++) this.set(i, table + (last << 2), factors);
    let hides = false;
    for (i = 0; i < <i32>WINDOW; i++) hides = hides || load<f32>(this.values + (i << 2)) == -Infinity;
    this.hidesKeys = hides;
  }

  /** Writes value `i`, from its place in the table, with the arithmetic of four. */
  @inline
  private set(i: i32, from: usize, factors: v128): void {
    v128.store32_lane(this.values + (i << 2), scaleFinite4(v128.load32_splat(from), factors), 0);
  }
}

/** Adds the biases of `keys` keys from `firstKey` on to the scores of a row. */
export function addPositions(
  p: AttentionParams,
  window: BiasWindow,
  row: Row,
  firstKey: usize,
  keys: usize,
  factor: f64,
  scoresPtr: usize,
): void {
  const distance = <i32>firstKey - row.position;
  if (p.alibiSlopes) addSlope(scoresPtr, keys, distance, <f32>-(<f64>load<f32>(row.alibiSlope) * factor));
  if (!p.relativeBias) return;
  const values = window.at(p, row.head, factor, distance, <i32>(keys + 3));
  if (window.hidesKeys) addValues(scoresPtr, values, keys, true);
  else addValues(scoresPtr, values, keys, false);
}

/** s → s + slope · │distance│, where distances rise by 1 from key to key. */
function addSlope(scoresPtr: usize, keys: usize, distance: i32, slope: f32): void {
  const slopes = f32x4.splat(slope);
  let distances = i32x4.add(i32x4.splat(distance), v128.load(KEY_NUMBERS));
  const wholeEnd = scoresPtr + ((keys & ~3) << 2);
  for (; scoresPtr < wholeEnd; scoresPtr += 16) {
    v128.store(scoresPtr, madd(slopes, f32x4.abs(f32x4.convert_i32x4_s(distances)), v128.load(scoresPtr)));
    distances = i32x4.add(distances, i32x4.splat(4));
  }
  if ((keys & 3) == 0) return;
  const scores = v128.load(scoresPtr);
  const sum = madd(slopes, f32x4.abs(f32x4.convert_i32x4_s(distances)), scores);
  v128.store(scoresPtr, v128.bitselect(sum, scores, firstLanes(keys & 3)));
}

/** @param hidesKeys  a literal: whether a value of −∞ hides a key whose score is NaN, too */
// @ts-ignore: decorator
@inline
function addValues(scoresPtr: usize, values: usize, keys: usize, hidesKeys: bool): void {
  const wholeEnd = scoresPtr + ((keys & ~3) << 2);
  for (; scoresPtr < wholeEnd; scoresPtr += 16, values += 16) {
    v128.store(scoresPtr, plus(v128.load(scoresPtr), v128.load(values), hidesKeys));
  }
  if ((keys & 3) == 0) return;
  const scores = v128.load(scoresPtr);
  v128.store(scoresPtr, v128.bitselect(plus(scores, v128.load(values), hidesKeys), scores, firstLanes(keys & 3)));
}

// @ts-ignore: decorator
@inline
function plus(scores: v128, values: v128, hidesKeys: bool): v128 {
  return hidesKeys ? biased(scores, values) : f32x4.add(scores, values);
}
