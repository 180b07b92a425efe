/**
 * Softmax along an axis: of rows if the axis is the last one, otherwise of columns side by side.
 *
 *     out_j = exp(s_j − m) / Σ exp(s_j' − m)      or, as logarithms,  (s_j − m) − ln Σ exp(s_j' − m)      m = max s_j
 *
 * s is scale · x, or the scores from softmaxMask.ts. In a row, lane j mod 8 sums the elements j, j + 8, … of each 512, as in
 * scoreRows.ts; in a column, one lane sums each 512. So no bit depends on the rows or columns computed together.
 */
import { expByExp2Neg4 } from "../math/exp2";
import { firstLanes, lowerLanes, storeLanes, upperLanes } from "../math/lanes";
import { BLOCK, PANEL, PANEL_BYTES } from "../tiles/layout";
import { SoftmaxParams } from "../abi/softmaxParams";
import { maxLane, minusInfinity, sumLanes } from "../math/simd";
import { rowMax } from "../tiles/scoreRows";
import { COLUMNS, COLUMNS_BYTES, softmaxColumns } from "./softmaxColumns";
import { visibleRow } from "./softmaxMask";

/** Rows, or tiles of columns, as many as cover the inner axes. */
export function softmaxUnits(params: usize): usize {
  const p = changetype<SoftmaxParams>(params);
  return p.outer * ((p.inner + COLUMNS - 1) / COLUMNS);
}

export function softmaxWorkspaceBytes(params: usize): f64 {
  return changetype<SoftmaxParams>(params).inner > 1 ? <f64>COLUMNS_BYTES : 0;
}

/**
 * The units `first` to `end` − 1.
 *
 * @param workspace  the thread's own, if the axis is not the last one
 */
export function softmax(params: usize, workspace: usize, first: usize, end: usize): void {
  const p = changetype<SoftmaxParams>(params);
  if (p.inner > 1) {
    softmaxColumns(p, workspace, first, end);
  } else {
    for (let row = first; row < end; row++) softmaxRow(p, row, row + 1 < end ? p.length << 2 : 0);
  }
}

/** @param ahead  bytes to the next row to be computed, 0 if there is none */
function softmaxRow(p: SoftmaxParams, row: usize, ahead: usize): void {
  const offset = (row * p.length) << 2;
  const dst = p.out + offset;
  let src = p.x + offset;
  if (p.mask || p.bias || p.scale != 1) {
    visibleRow(p, row, src, dst);
    src = dst;
  }
  const most = maximum(src, p.length);
  // Exponentials overwrite the scores, so NaN has to be found first: −∞ gives 0 even in a row of NaN.
  if (abs(most) == Infinity || (src == dst && holdsNaN(src, p.length))) {
    fillRow(src, dst, p.length, p.isLog != 0);
  } else if (p.isLog) {
    const sum = exponentialsRow(src, dst, p.length, most, ahead, false);
    if (sum == sum) logarithmsRow(src, dst, p.length, most, Mathf.log(sum));
    else fillRow(src, dst, p.length, true);
  } else {
    const sum = exponentialsRow(src, dst, p.length, most, ahead, true);
    if (sum == sum) scaleRow(dst, p.length, 1 / sum);
    else fillRow(src, dst, p.length, false);
  }
}

/** Largest of a row, −∞ if all are; NaN is ignored. */
function maximum(ptr: usize, count: usize): f32 {
  const wholeBytes = (count & ~(PANEL - 1)) << 2;
  const most = rowMax(ptr, wholeBytes);
  const rest = count & (PANEL - 1);
  if (rest == 0) return most;
  ptr += wholeBytes;
  const none = minusInfinity();
  const x0123 = v128.bitselect(v128.load(ptr), none, firstLanes(lowerLanes(rest)));
  const x4567 = v128.bitselect(v128.load(ptr, 16), none, firstLanes(upperLanes(rest)));
  return max(most, maxLane(f32x4.pmax(f32x4.pmax(none, x0123), x4567)));
}

function holdsNaN(ptr: usize, count: usize): bool {
  const pairsEnd = ptr + ((count & ~(PANEL - 1)) << 2);
  let found0123 = f32x4.splat(0);
  let found4567 = found0123;
  for (; ptr < pairsEnd; ptr += PANEL_BYTES) {
    const x0123 = v128.load(ptr);
    const x4567 = v128.load(ptr, 16);
    found0123 = v128.or(found0123, f32x4.ne(x0123, x0123));
    found4567 = v128.or(found4567, f32x4.ne(x4567, x4567));
  }
  const rest = count & (PANEL - 1);
  const x0123 = v128.load(ptr);
  const x4567 = v128.load(ptr, 16);
  found0123 = v128.or(found0123, v128.and(f32x4.ne(x0123, x0123), firstLanes(lowerLanes(rest))));
  found4567 = v128.or(found4567, v128.and(f32x4.ne(x4567, x4567), firstLanes(upperLanes(rest))));
  return v128.any_true(v128.or(found0123, found4567));
}

/**
 * Sum of exp(x − shift), which `dst` receives if `isStored`. Reads up to 28 bytes beyond the row, to no effect. Two panels per step
 * are 6 % faster than one, as they share the constants. Each step touches the lines `ahead` bytes further on; V8 keeps the load as it
 * might trap: the next row comes from memory while this one is computed, which takes [6144, 512] 0.83 of the time.
 *
 * @param ahead  to the next row, or 0
 */
// @ts-ignore: decorator
@inline
function exponentialsRow(src: usize, dst: usize, count: usize, shift: f32, ahead: usize, isStored: bool): f32 {
  const shifts = f32x4.splat(shift);
  let sum: f64 = 0; // in float32, a million elements would cost 1e-6
  for (let remaining = count; remaining > 0;) {
    const inBlock = min(remaining, BLOCK);
    const wholeEnd = src + ((inBlock & ~(PANEL - 1)) << 2);
    let sum0123 = f32x4.splat(0);
    let sum4567 = f32x4.splat(0);
    const pairsEnd = src + ((inBlock & ~(2 * PANEL - 1)) << 2);
    for (; src < pairsEnd; src += 2 * PANEL_BYTES, dst += 2 * PANEL_BYTES) {
      load<u8>(src + ahead);
      load<u8>(dst + ahead);
      const a0123 = expByExp2Neg4(f32x4.sub(v128.load(src), shifts));
      const a4567 = expByExp2Neg4(f32x4.sub(v128.load(src, 16), shifts));
      const b0123 = expByExp2Neg4(f32x4.sub(v128.load(src, 32), shifts));
      const b4567 = expByExp2Neg4(f32x4.sub(v128.load(src, 48), shifts));
      if (isStored) {
        v128.store(dst, a0123);
        v128.store(dst, a4567, 16);
        v128.store(dst, b0123, 32);
        v128.store(dst, b4567, 48);
      }
      sum0123 = f32x4.add(f32x4.add(sum0123, a0123), b0123);
      sum4567 = f32x4.add(f32x4.add(sum4567, a4567), b4567);
    }
    for (; src < wholeEnd; src += PANEL_BYTES, dst += PANEL_BYTES) {
      const p0123 = expByExp2Neg4(f32x4.sub(v128.load(src), shifts));
      const p4567 = expByExp2Neg4(f32x4.sub(v128.load(src, 16), shifts));
      if (isStored) {
        v128.store(dst, p0123);
        v128.store(dst, p4567, 16);
      }
      sum0123 = f32x4.add(sum0123, p0123);
      sum4567 = f32x4.add(sum4567, p4567);
    }
    const rest = inBlock & (PANEL - 1);
    if (rest > 0) {
      const p0123 = expByExp2Neg4(f32x4.sub(v128.load(src), shifts));
      const p4567 = expByExp2Neg4(f32x4.sub(v128.load(src, 16), shifts));
      if (isStored) {
        storeLanes(dst, p0123, lowerLanes(rest));
        storeLanes(dst + 16, p4567, upperLanes(rest));
      }
      sum0123 = f32x4.add(sum0123, v128.and(p0123, firstLanes(lowerLanes(rest))));
      sum4567 = f32x4.add(sum4567, v128.and(p4567, firstLanes(upperLanes(rest))));
    }
    sum += sumLanes(f32x4.add(sum0123, sum4567));
    remaining -= inBlock;
  }
  return <f32>sum;
}

/** x → x · factor in place. */
function scaleRow(ptr: usize, count: usize, factor: f32): void {
  const factors = f32x4.splat(factor);
  const fourEnd = ptr + ((count & ~15) << 2);
  const wholeEnd = ptr + ((count & ~3) << 2);
  for (; ptr < fourEnd; ptr += 64) {
    const x0 = f32x4.mul(v128.load(ptr), factors);
    const x1 = f32x4.mul(v128.load(ptr, 16), factors);
    const x2 = f32x4.mul(v128.load(ptr, 32), factors);
    const x3 = f32x4.mul(v128.load(ptr, 48), factors);
    v128.store(ptr, x0);
    v128.store(ptr, x1, 16);
    v128.store(ptr, x2, 32);
    v128.store(ptr, x3, 48);
  }
  for (; ptr < wholeEnd; ptr += 16) v128.store(ptr, f32x4.mul(v128.load(ptr), factors));
  for (let rest = count & 3; rest > 0; rest--, ptr += 4) store<f32>(ptr, load<f32>(ptr) * factor);
}

/** (x − shift) − logSum. Never x − (shift + logSum): that would lose a logSum that is small compared with the shift. */
function logarithmsRow(src: usize, dst: usize, count: usize, shift: f32, logSum: f32): void {
  const shifts = f32x4.splat(shift);
  const logSums = f32x4.splat(logSum);
  const pairsEnd = dst + ((count & ~(PANEL - 1)) << 2);
  for (; dst < pairsEnd; src += PANEL_BYTES, dst += PANEL_BYTES) {
    const x0123 = f32x4.sub(f32x4.sub(v128.load(src), shifts), logSums);
    const x4567 = f32x4.sub(f32x4.sub(v128.load(src, 16), shifts), logSums);
    v128.store(dst, x0123);
    v128.store(dst, x4567, 16);
  }
  for (let rest = count & (PANEL - 1); rest > 0; rest--, src += 4, dst += 4) store<f32>(dst, load<f32>(src) - shift - logSum);
}

/** A row without a finite maximum: NaN, except 0 where a score is −∞. */
function fillRow(src: usize, dst: usize, count: usize, isLog: bool): void {
  const absent: f32 = isLog ? -Infinity : 0;
  for (let at: usize = 0; at < count << 2; at += 4) store<f32>(dst + at, load<f32>(src + at) == -Infinity ? absent : NaN);
}
