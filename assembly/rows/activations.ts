/**
 * Activation functions, element by element: the step between the two products of a feed-forward layer.
 *
 *     gelu       x · Φ(x), Φ the normal distribution's      Hendrycks & Gimpel 2016, arXiv:1606.08415
 *     gelu-tanh  x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))      the same article's approximation
 *     silu       x · σ(x)                                   Elfwing, Uchibe & Doya 2017, arXiv:1702.03118
 *     relu       max(x, 0)
 *     tanh
 *     sigmoid    σ(x) = 1 / (1 + e^−x)
 *
 * An activation times a gate makes a gated linear unit: Shazeer 2020, arXiv:2002.05202.
 *
 * The first three are formed as max(x, 0) − |x| · F(−|x|), with F = Φ or σ: nothing cancels for either sign, and the limit at −∞ is 0.
 */
import { expNeg4, expSumNeg4 } from "../math/exp";
import { Activation } from "../abi/activation";
import { madd } from "../math/simd";
import { tanh4 } from "../math/tanh";

/** An activation function of each element. */
@unmanaged
export class ActivateParams {
  x: usize;
  /** What each result is multiplied by; 0 where absent. */
  gate: usize;
  /** May be x. */
  out: usize;
  /** Elements. */
  count: usize;
  /** Activation */
  kind: i32;
}

/** Elements of a unit of `activate`: 4 KiB, which are still in L1 when the gate comes. */
// @ts-ignore: decorator
@inline
const UNIT: usize = 1024;

// Byte offsets of the constants, which V8 loads faster from static data than it rebuilds literals.
const ONE = 0;
const MINUS_HALF = 4;
const FAR = 8; // from here on F(−|x|) is 0: a bound, so that it is never multiplied by infinity
const THREE = 12;
const W3 = 16; // −2 √(2/π) · 0.044715
const W1 = 20; // −2 √(2/π)
const P9 = 24;
const P8 = 28;
const P7 = 32;
const P6 = 36;
const P5 = 40;
const P4 = 44;
const P3 = 48;
const P2 = 52;
const P1 = 56;
const P0 = 60;
const CONSTANTS = memory.data<f32>([
  1, -0.5, 128, 3, -0.07135481627260025, -1.5957691216057308, 5.367220364860259e-5, 0.0001155440550064668, -0.00033948535565286875,
  -0.000983758713118732, 0.0029045564588159323, 0.006132070906460285, -0.046213291585445404, 0.12322503328323364,
  -0.20640261471271515, 0.12151394784450531,
]);
/** Selects the first 12 of a float32's 24 bits: their square is exact. */
const HIGH_BITS = memory.data<u32>([0xfffff000]);

// @ts-ignore: decorator
@inline
function constant(offset: usize): v128 {
  return v128.load32_splat(CONSTANTS + offset);
}

/** |x|, at most FAR. */
// @ts-ignore: decorator
@inline
function magnitude(x: v128): v128 {
  return f32x4.pmin(f32x4.abs(x), constant(FAR));
}

/** max(x, 0) − |x| · tail; NaN and −0 stay what they are. */
// @ts-ignore: decorator
@inline
function rectified(x: v128, tail: v128): v128 {
  return f32x4.sub(f32x4.pmax(x, f32x4.splat(0)), tail);
}

/** y · σ(w) for w ≤ 0 */
// @ts-ignore: decorator
@inline
function timesSigmoid(y: v128, w: v128): v128 {
  const power = expNeg4(w);
  return f32x4.div(f32x4.mul(y, power), f32x4.add(power, constant(ONE)));
}

/**
 * y · Φ(−y) for y ≥ 0, by Φ(−y) = e^(−y²/2) · p(s), s = (y − 3) / (y + 3): p is fitted by weighted least squares on [0, 14] to a
 * relative error of 8e-9. y² comes in two parts, y_h² + (y − y_h)(y + y_h), or its rounding would be that of the exponent.
 */
// @ts-ignore: decorator
@inline
function timesNormal(y: v128): v128 {
  const high = v128.and(y, v128.load32_splat(HIGH_BITS));
  const rest = f32x4.mul(f32x4.sub(y, high), f32x4.add(y, high));
  const half = constant(MINUS_HALF);
  const power = expSumNeg4(f32x4.mul(f32x4.mul(high, high), half), f32x4.mul(rest, half));
  const s = f32x4.div(f32x4.sub(y, constant(THREE)), f32x4.add(y, constant(THREE)));
  const s2 = f32x4.mul(s, s);
  let even = madd(constant(P8), s2, constant(P6));
  let odd = madd(constant(P9), s2, constant(P7));
  even = madd(even, s2, constant(P4));
  odd = madd(odd, s2, constant(P5));
  even = madd(even, s2, constant(P2));
  odd = madd(odd, s2, constant(P3));
  even = madd(even, s2, constant(P0));
  odd = madd(odd, s2, constant(P1));
  return f32x4.mul(f32x4.mul(madd(odd, s, even), y), power);
}

// @ts-ignore: decorator
@inline
function sigmoid4(x: v128): v128 {
  const power = expNeg4(f32x4.neg(f32x4.abs(x)));
  const one = constant(ONE);
  return f32x4.div(v128.bitselect(one, power, f32x4.ge(x, f32x4.splat(0))), f32x4.add(power, one));
}

/** The activation of four elements. */
// @ts-ignore: decorator
@inline
export function activate4(x: v128, kind: i32): v128 {
  if (kind == Activation.GELU) return rectified(x, timesNormal(magnitude(x)));
  if (kind == Activation.GELU_TANH) {
    const y = magnitude(x);
    return rectified(x, timesSigmoid(y, f32x4.mul(madd(f32x4.mul(y, y), constant(W3), constant(W1)), y)));
  }
  if (kind == Activation.SILU) {
    const y = magnitude(x);
    return rectified(x, timesSigmoid(y, f32x4.neg(y)));
  }
  if (kind == Activation.RELU) return f32x4.pmax(x, f32x4.splat(0));
  if (kind == Activation.TANH) return tanh4(x);
  return sigmoid4(x);
}

/** `count` elements from `src` to `dst`. The elements after whole vectors go through the same vector code one by one: the same bits. */
// @ts-ignore: decorator
@inline
function activateSpan(src: usize, dst: usize, count: usize, kind: i32): void {
  const wholeEnd = dst + ((count & ~3) << 2);
  for (; dst < wholeEnd; src += 16, dst += 16) v128.store(dst, activate4(v128.load(src), kind));
  for (let rest = count & 3; rest > 0; rest--, src += 4, dst += 4) {
    v128.store32_lane(dst, activate4(v128.load32_splat(src), kind), 0);
  }
}

function activateElements(src: usize, dst: usize, count: usize, kind: i32): void {
  assert(kind >= Activation.GELU && kind <= Activation.SIGMOID, "activateElements: kind must be an Activation");
  if (kind == Activation.GELU) activateSpan(src, dst, count, Activation.GELU);
  else if (kind == Activation.GELU_TANH) activateSpan(src, dst, count, Activation.GELU_TANH);
  else if (kind == Activation.SILU) activateSpan(src, dst, count, Activation.SILU);
  else if (kind == Activation.RELU) activateSpan(src, dst, count, Activation.RELU);
  else if (kind == Activation.TANH) activateSpan(src, dst, count, Activation.TANH);
  else activateSpan(src, dst, count, Activation.SIGMOID);
}

/** x → activation(x) in place. The bits of an element do not depend on its index; nothing beyond the last one is read or written. */
export function activateRow(ptr: usize, count: usize, kind: i32): void {
  activateElements(ptr, ptr, count, kind);
}

/** x → x · gate in place. */
function gateRow(ptr: usize, gatePtr: usize, count: usize): void {
  const wholeEnd = ptr + ((count & ~3) << 2);
  for (; ptr < wholeEnd; ptr += 16, gatePtr += 16) v128.store(ptr, f32x4.mul(v128.load(ptr), v128.load(gatePtr)));
  for (let rest = count & 3; rest > 0; rest--, ptr += 4, gatePtr += 4) store<f32>(ptr, load<f32>(ptr) * load<f32>(gatePtr));
}

export function activateUnits(params: usize): usize {
  return (changetype<ActivateParams>(params).count + UNIT - 1) / UNIT;
}

/** out = activation(x) · gate, the units `first` to `end` − 1 of UNIT elements each. `out` may be x, not the gate. */
export function activate(params: usize, _workspace: usize, first: usize, end: usize): void {
  const p = changetype<ActivateParams>(params);
  for (let unit = first; unit < end; unit++) {
    const offset = (unit * UNIT) << 2;
    const count = min(p.count - unit * UNIT, UNIT);
    activateElements(p.x + offset, p.out + offset, count, p.kind);
    if (p.gate) gateRow(p.out + offset, p.gate + offset, count);
  }
}
