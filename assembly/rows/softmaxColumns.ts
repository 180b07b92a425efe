/**
 * Softmax of columns side by side, a row of a tile at a time, so that memory is read in runs. The state of a tile's columns is in
 * a workspace, one lane per column.
 *
 *              COLUMNS
 *     step 0   s s s s …
 *     step 1   s s s s …      p.inner elements from one step to the next
 *     …
 *              maximum, then shift          one number per column
 *              lanes to be filled
 *              sum, then factor or logarithm
 *              sum of the block in progress
 */
import { expByExp2Neg4 } from "../math/exp2";
import { lowerLanes, storeLanes } from "../math/lanes";
import { BLOCK } from "../tiles/layout";
import { SoftmaxParams } from "../abi/softmaxParams";
import { minusInfinity } from "../math/simd";
import { visibleColumns } from "./softmaxMask";

// Byte offsets of the constants.
const ONE = 0;
const INFINITY = 4;
const CONSTANTS = memory.data<f32>([1, Infinity]);

// @ts-ignore: decorator
@inline
function constant(offset: usize): v128 {
  return v128.load32_splat(CONSTANTS + offset);
}

/** Columns of a tile: runs of 512 bytes. [6144, 512] along axis 0 takes a fifth of the time of runs of 32. */
// @ts-ignore: decorator
@inline
export const COLUMNS: usize = 128;

// Byte offsets in the workspace
const SHIFT: usize = 0;
const FILLED: usize = COLUMNS << 2;
const SUM: usize = COLUMNS << 3;
const BLOCK_SUM: usize = COLUMNS * 12;
const STARTS: usize = COLUMNS << 4; // two addresses per column, see `visibleColumns`
/** Bytes of the workspace. */
export const COLUMNS_BYTES: usize = COLUMNS * 24;

/** The units `first` to `end` − 1: tiles of COLUMNS columns, the last one of each outer index narrower. */
export function softmaxColumns(p: SoftmaxParams, workspace: usize, first: usize, end: usize): void {
  const tiles = (p.inner + COLUMNS - 1) / COLUMNS;
  for (let unit = first; unit < end; unit++) {
    const outer = unit / tiles;
    const firstColumn = (unit % tiles) * COLUMNS;
    const columns = min(p.inner - firstColumn, COLUMNS);
    const offset = (outer * p.length * p.inner + firstColumn) << 2;
    const dst = p.out + offset;
    if (p.mask || p.bias) {
      visibleColumns(p, outer, firstColumn, columns, p.x + offset, dst, workspace + STARTS);
      softmaxTile(p, workspace, dst, dst, columns, 1);
    } else {
      softmaxTile(p, workspace, p.x + offset, dst, columns, p.scale);
    }
  }
}

/** Lanes without a finite maximum: NaN or +∞ among their scores, or only −∞. */
// @ts-ignore: decorator
@inline
function unusable(most: v128, isNaN: v128): v128 {
  return v128.or(isNaN, f32x4.eq(f32x4.abs(most), constant(INFINITY)));
}

/** exp(s − shift), 0 where s is −∞; where `filled`, NaN for every other s. */
// @ts-ignore: decorator
@inline
function weight(s: v128, shift: v128, filled: v128): v128 {
  const power = expByExp2Neg4(f32x4.sub(s, shift));
  return v128.or(power, v128.andnot(filled, f32x4.eq(s, minusInfinity())));
}

/** Replaces the sums of the columns by ln sum, 0 where `filled`, or by 1 / sum, 1 where `filled`. */
function closeSums(workspace: usize, bytes: usize, isLog: bool): void {
  if (isLog) for (let at = workspace; at < workspace + bytes; at += 4) store<f32>(at, Mathf.log(load<f32>(at, SUM)), SUM);
  const one = constant(ONE);
  for (let at = workspace; at < workspace + bytes; at += 16) {
    const sum = v128.load(at, SUM);
    const filled = v128.load(at, FILLED);
    v128.store(at, isLog ? v128.andnot(sum, filled) : v128.bitselect(one, f32x4.div(one, sum), filled), SUM);
  }
}

/** (s − shift) − logSum, −∞ where s is; where `filled`, NaN for every other s. */
// @ts-ignore: decorator
@inline
function logWeight(s: v128, shift: v128, logSum: v128, filled: v128): v128 {
  return v128.or(f32x4.sub(f32x4.sub(s, shift), logSum), v128.andnot(filled, f32x4.eq(s, minusInfinity())));
}

/** Columns from `src` to `dst`, which may be `src`. Reads whole vectors: up to 12 bytes beyond, to no effect. */
function softmaxTile(p: SoftmaxParams, workspace: usize, src: usize, dst: usize, columns: usize, scale: f32): void {
  const step = p.inner << 2;
  const bytes = columns << 2;
  const scales = f32x4.splat(scale);
  const isLog = p.isLog != 0;

  for (let at: usize = 0; at < bytes; at += 16) {
    v128.store(workspace + at, minusInfinity(), SHIFT);
    v128.store(workspace + at, f32x4.splat(0), FILLED);
    v128.store(workspace + at, f32x4.splat(0), SUM);
    v128.store(workspace + at, f32x4.splat(0), BLOCK_SUM);
  }
  for (let j: usize = 0, row = src; j < p.length; j++, row += step) {
    for (let at: usize = 0; at < bytes; at += 16) {
      const s = f32x4.mul(v128.load(row + at), scales);
      const most = f32x4.pmax(v128.load(workspace + at, SHIFT), s);
      const isNaN = v128.or(v128.load(workspace + at, FILLED), f32x4.ne(s, s));
      v128.store(workspace + at, most, SHIFT);
      v128.store(workspace + at, isNaN, FILLED);
    }
  }
  for (let at: usize = 0; at < bytes; at += 16) {
    const most = v128.load(workspace + at, SHIFT);
    const filled = unusable(most, v128.load(workspace + at, FILLED));
    v128.store(workspace + at, v128.andnot(most, filled), SHIFT);
    v128.store(workspace + at, filled, FILLED);
  }

  for (let j: usize = 0; j < p.length; j++) {
    const row = j * step;
    for (let at: usize = 0; at < bytes; at += 16) {
      const s = f32x4.mul(v128.load(src + row + at), scales);
      const power = weight(s, v128.load(workspace + at, SHIFT), v128.load(workspace + at, FILLED));
      if (!isLog) storeLanes(dst + row + at, power, lowerLanes((bytes - at) >> 2));
      v128.store(workspace + at, f32x4.add(v128.load(workspace + at, BLOCK_SUM), power), BLOCK_SUM);
    }
    if ((j + 1) % BLOCK == 0 || j + 1 == p.length) closeBlock(workspace, bytes);
  }

  closeSums(workspace, bytes, isLog);
  for (let j: usize = 0; j < p.length; j++) {
    const row = j * step;
    for (let at: usize = 0; at < bytes; at += 16) {
      const factor = v128.load(workspace + at, SUM);
      let result = f32x4.mul(v128.load(dst + row + at), factor);
      if (isLog) {
        const s = f32x4.mul(v128.load(src + row + at), scales);
        result = logWeight(s, v128.load(workspace + at, SHIFT), factor, v128.load(workspace + at, FILLED));
      }
      storeLanes(dst + row + at, result, lowerLanes((bytes - at) >> 2));
    }
  }
}

/** Adds the sums of a block to those of the columns. */
function closeBlock(workspace: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += 16) {
    v128.store(workspace + at, f32x4.add(v128.load(workspace + at, SUM), v128.load(workspace + at, BLOCK_SUM)), SUM);
    v128.store(workspace + at, f32x4.splat(0), BLOCK_SUM);
  }
}
