/**
 * The elementwise sum of two tensors that broadcast: a residual connection, a bias.
 *
 *     out[i, j, …] = a[i · aStride₀ + j · aStride₁ + …] + b[i · bStride₀ + j · bStride₁ + …]      strides are 0 where it is broadcast
 *
 * The last axis is a row. a's row lies side by side; that of b does too, or is one number. The caller exchanges a and b where it must,
 * as the order changes no bit of a sum, and merges neighbouring axes that are broadcast alike, so that rows are long:
 *
 *     [16, 128, 768] + [16, 128, 768]    one row
 *     [16, 128, 768] + [768]             2048 rows, all with the same row of b
 *     [16, 128, 768] + [128, 1]          2048 rows, each with a number of b
 *
 * Addresses are multiples of 4. out may be a, or b, or both, where they have its sizes: an element is read before it is written.
 * Nothing beyond the last element is read or written.
 */

/** A sum of two tensors. */
@unmanaged
export class AddParams {
  a: usize;
  b: usize;
  /** Dense; may be a or b. */
  out: usize;
  /** Elements of out. */
  count: usize;
  /** AddAxisParams[numAxes], the last one being the row. */
  axes: usize;
  /** At least 1. */
  numAxes: usize;
}

/** One axis of out: strides are 0 where a or b is broadcast. */
@unmanaged
export class AddAxisParams {
  size: usize;
  aStride: usize;
  bStride: usize;
}

/** Elements of a unit: 8 KiB of each tensor, which takes 2 µs from memory. */
// @ts-ignore: decorator
@inline
const UNIT: usize = 2048;

/** Most elements of short rows that are put side by side: 2 KiB, which stay in L1. */
// @ts-ignore: decorator
@inline
const PATTERN: usize = 512;

// @ts-ignore: decorator
@inline
function axisAt(p: AddParams, axis: usize): AddAxisParams {
  return changetype<AddAxisParams>(p.axes + axis * offsetof<AddAxisParams>());
}

export function addUnits(params: usize): usize {
  return (changetype<AddParams>(params).count + UNIT - 1) / UNIT;
}

/** Axes before the last two. */
// @ts-ignore: decorator
@inline
function outerAxes(p: AddParams): usize {
  return max(p.numAxes, 2) - 2;
}

/** Whether all rows of a have the same short row of b. */
// @ts-ignore: decorator
@inline
function isShortBias(p: AddParams): bool {
  if (p.numAxes != 2 || axisAt(p, 1).size > PATTERN / 4) return false;
  return axisAt(p, 0).bStride == 0 && axisAt(p, 1).bStride == 1;
}

/** A pattern of short rows, or an index for each of the outer axes. */
export function addWorkspaceBytes(params: usize): f64 {
  const p = changetype<AddParams>(params);
  return <f64>((isShortBias(p) ? PATTERN : outerAxes(p)) << 2);
}

/**
 * The units `first` to `end` − 1 of UNIT elements each, in order of out; they begin and end anywhere in a row.
 *
 * @param workspace  the thread's own, of addWorkspaceBytes
 */
export function add(params: usize, workspace: usize, first: usize, end: usize): void {
  const p = changetype<AddParams>(params);
  assert(p.numAxes > 0, "add: there must be a row");
  const stop = min(end * UNIT, p.count);
  if (isShortBias(p)) addPattern(p, workspace, first * UNIT, stop);
  else if (axisAt(p, p.numAxes - 1).bStride) addRows(p, workspace, first * UNIT, stop, false);
  else addRows(p, workspace, first * UNIT, stop, true);
}

/**
 * The elements `at` to `stop` − 1 of out, where b is a short row: copies of it are put side by side, from the element that meets `at`
 * on, and become long rows. On an AMD EPYC, [98304, 16] + [16] takes 0.3 of the time, [524288, 3] + [3] 0.15.
 */
function addPattern(p: AddParams, pattern: usize, at: usize, stop: usize): void {
  const length = axisAt(p, 1).size;
  const whole = (PATTERN / length) * length;
  const patternEnd = pattern + (min(whole, stop - at) << 2);
  for (let ptr = pattern, column = at % length; ptr < patternEnd; ptr += 4) {
    store<f32>(ptr, load<f32>(p.b + (column << 2)));
    if (++column == length) column = 0;
  }
  for (; at < stop; at += whole) addRow(p.a + (at << 2), pattern, p.out + (at << 2), min(whole, stop - at), false);
}

/** The elements `at` to `stop` − 1 of out. The last two axes have their strides and indices in registers. */
// @ts-ignore: decorator
@inline
function addRows(p: AddParams, indices: usize, at: usize, stop: usize, isNumber: bool): void {
  const length = axisAt(p, p.numAxes - 1).size;
  const isMatrix = p.numAxes > 1;
  const rows = isMatrix ? axisAt(p, p.numAxes - 2).size : 1;
  const aStep = isMatrix ? axisAt(p, p.numAxes - 2).aStride << 2 : 0;
  const bStep = isMatrix ? axisAt(p, p.numAxes - 2).bStride << 2 : 0;
  let column = at % length;
  let row = (at / length) % rows;
  let a = p.a + row * aStep;
  let b = p.b + row * bStep;
  let out = p.out + (at << 2);
  for (let axis = outerAxes(p), index = at / length / rows; axis > 0; axis--) {
    const outer = axisAt(p, axis - 1);
    store<usize>(indices + ((axis - 1) << 2), index % outer.size);
    a += ((index % outer.size) * outer.aStride) << 2;
    b += ((index % outer.size) * outer.bStride) << 2;
    index /= outer.size;
  }
  for (;;) {
    for (; row < rows; row++, a += aStep, b += bStep) {
      const count = min(length - column, stop - at);
      addRow(a + (column << 2), isNumber ? b : b + (column << 2), out, count, isNumber);
      column = 0;
      out += count << 2;
      at += count;
      if (at == stop) return;
    }
    row = 0;
    a -= rows * aStep;
    b -= rows * bStep;
    for (let axis = outerAxes(p); axis > 0; axis--) {
      const outer = axisAt(p, axis - 1);
      const ptr = indices + ((axis - 1) << 2);
      const index = load<usize>(ptr) + 1;
      a += outer.aStride << 2;
      b += outer.bStride << 2;
      if (index < outer.size) {
        store<usize>(ptr, index);
        break;
      }
      store<usize>(ptr, 0);
      a -= (outer.size * outer.aStride) << 2;
      b -= (outer.size * outer.bStride) << 2;
    }
  }
}

/** dst = a + b, `count` elements; `isNumber` says that b is one number. */
// @ts-ignore: decorator
@inline
function addRow(a: usize, b: usize, dst: usize, count: usize, isNumber: bool): void {
  const fourEnd = dst + ((count & ~15) << 2);
  const wholeEnd = dst + ((count & ~3) << 2);
  const number = isNumber ? v128.load32_splat(b) : f32x4.splat(0);
  for (; dst < fourEnd; a += 64, dst += 64) {
    const x0 = f32x4.add(v128.load(a), isNumber ? number : v128.load(b));
    const x1 = f32x4.add(v128.load(a, 16), isNumber ? number : v128.load(b, 16));
    const x2 = f32x4.add(v128.load(a, 32), isNumber ? number : v128.load(b, 32));
    const x3 = f32x4.add(v128.load(a, 48), isNumber ? number : v128.load(b, 48));
    v128.store(dst, x0);
    v128.store(dst, x1, 16);
    v128.store(dst, x2, 32);
    v128.store(dst, x3, 48);
    if (!isNumber) b += 64;
  }
  for (; dst < wholeEnd; a += 16, dst += 16) {
    v128.store(dst, f32x4.add(v128.load(a), isNumber ? number : v128.load(b)));
    if (!isNumber) b += 16;
  }
  for (let rest = count & 3; rest > 0; rest--, a += 4, dst += 4) {
    store<f32>(dst, load<f32>(a) + load<f32>(b));
    if (!isNumber) b += 4;
  }
}
