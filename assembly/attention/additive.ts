/**
 * Additive scores of projected queries and keys. Bahdanau, Cho & Bengio 2015, arXiv:1409.0473.
 *
 *     s_ij = Σ_c u_c φ(a_ic + b_jc)        φ = tanh, or another activation
 *
 * tanh(a + b) = 1 − 2 / (1 + e²ᵃ e²ᵇ): with both exponentials taken once for a row and for a key, a pair costs a product, a sum and a division,
 * and two channels share the division: u₀/d₀ + u₁/d₁ = (u₀ d₁ + u₁ d₀) / (d₀ d₁). No array of all pairs and channels is ever in memory.
 *
 * How far that form reaches depends on how large the numbers are. A pair has the higher of the classes of its row and its key, so that its
 * bits do not depend on its neighbours. Its error is a share of Σ │u_c│, whatever tanh is: where both row and key are light for u, that
 * sum outweighs the score, and tanh is computed channel by channel. additiveParts.ts has classes and lightness.
 */
import { AttentionParams } from "../abi/attentionParams";
import { Activation } from "../abi/activation";
import { activate4 } from "../rows/activations";
import { madd } from "../math/simd";
import { scaleFinite } from "../math/scaleFinite";
import { BLOCK, floorBlock, PANEL, PANEL_BYTES, ROW_BYTES } from "../tiles/layout";
import { AdditiveParts, EXACT, evenChannels, FRACTIONS, PAIRS, SMALL } from "./additiveParts";
import { Panels } from "./panels";
import { Strip } from "./strip";

// Forms of other activations.
const RECTIFIED: u8 = 4;
const GELU: u8 = 5;
// Static data: see `minusInfinity` in simd.ts.
const FORMS = memory.data<u8>([SMALL, PAIRS, FRACTIONS, EXACT]);

/** Scores of a strip's rows with `numPanels` panels of keys from `firstKey` on; `head` is the head of keys, counted over all sequences. */
export function additiveScores(
  p: AttentionParams,
  parts: AdditiveParts,
  panels: Panels,
  head: usize,
  strip: Strip,
  firstKey: usize,
  numPanels: usize,
  scoresPtr: usize,
): void {
  const isTanh = p.scoreActivation == Activation.TANH;
  const other = p.scoreActivation == Activation.RELU ? RECTIFIED : GELU;
  if (isTanh) {
    parts.takeBlock(p, panels, head, floorBlock(firstKey));
    parts.takeRows(p, strip);
  }
  const keyPanelBytes = p.headDim * PANEL_BYTES;
  const powerPanelBytes = evenChannels(p.headDim) * PANEL_BYTES;
  const keysPtr = panels.keys(firstKey);
  const powersPtr = parts.keyPowers + ((firstKey % BLOCK) / PANEL) * powerPanelBytes;
  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    const vector = parts.vector(p, row.head);
    const classes = parts.keyClasses + (firstKey % BLOCK);
    const light = load<u8>(parts.lightRows + r) ? parts.lightKeysOf(p, row.head) + (firstKey % BLOCK) : 0;
    const rowClass = i8x16.splat(load<i8>(parts.rowClasses + r));
    const factor = scaleFinite(row.scale, strip.scoreFactor);
    for (let panel: usize = 0; panel < numPanels; panel += 2) {
      const hasTwo = panel + 1 < numPanels;
      const to = scoresPtr + r * ROW_BYTES + panel * PANEL_BYTES;
      const rows = strip.queryPanel + (r << 2);
      const rowPowers = parts.rowPowers + (r << 2);
      const keys = keysPtr + panel * keyPanelBytes;
      const keyPowers = powersPtr + panel * powerPanelBytes;
      const step = hasTwo ? keyPanelBytes : 0;
      const powersStep = hasTwo ? powerPanelBytes : 0;
      if (!isTanh) {
        addForm(other, rows, rowPowers, vector, keys, step, keyPowers, powersStep, p.headDim, factor, to);
        continue;
      }
      let forms = i8x16.max_u(rowClass, load16(classes + panel * PANEL, hasTwo));
      if (light) {
        const isFast = v128.or(
          i8x16.eq(forms, v128.load8_splat(FORMS + PAIRS)),
          i8x16.eq(forms, v128.load8_splat(FORMS + FRACTIONS)),
        );
        const isLight = v128.and(isFast, load16(light + panel * PANEL, hasTwo));
        forms = v128.bitselect(v128.load8_splat(FORMS + EXACT), forms, isLight);
      }
      const first = i8x16.extract_lane_u(forms, 0);
      if (i8x16.all_true(i8x16.eq(forms, i8x16.splat(<i8>first)))) {
        addForm(first, rows, rowPowers, vector, keys, step, keyPowers, powersStep, p.headDim, factor, to);
        continue;
      }
      for (let form = SMALL; form <= EXACT; form++) {
        const isForm = i8x16.eq(forms, i8x16.splat(form));
        if (!v128.any_true(isForm)) continue;
        addForm(form, rows, rowPowers, vector, keys, step, keyPowers, powersStep, p.headDim, factor, parts.spare);
        copyWhere(isForm, parts.spare, to);
      }
    }
  }
}

/** Bytes of two panels, or of one, twice. */
// @ts-ignore: decorator
@inline
function load16(ptr: usize, hasTwo: bool): v128 {
  return hasTwo ? v128.load(ptr) : v128.load64_splat(ptr);
}

/** Copies those of 16 scores whose byte of `mask` is set. */
function copyWhere(mask: v128, fromPtr: usize, toPtr: usize): void {
  const low = i16x8.extend_low_i8x16_s(mask);
  const high = i16x8.extend_high_i8x16_s(mask);
  copyWhere4(i32x4.extend_low_i16x8_s(low), fromPtr, toPtr);
  copyWhere4(i32x4.extend_high_i16x8_s(low), fromPtr + 16, toPtr + 16);
  copyWhere4(i32x4.extend_low_i16x8_s(high), fromPtr + 32, toPtr + 32);
  copyWhere4(i32x4.extend_high_i16x8_s(high), fromPtr + 48, toPtr + 48);
}

// @ts-ignore: decorator
@inline
function copyWhere4(mask: v128, fromPtr: usize, toPtr: usize): void {
  v128.store(toPtr, v128.bitselect(v128.load(fromPtr), v128.load(toPtr), mask));
}

/** The scores of one row with two panels of keys in one form; `step` and `powersStep` are 0 if there is one panel. */
function addForm(
  form: u8,
  rows: usize,
  rowPowers: usize,
  vector: usize,
  keys: usize,
  step: usize,
  keyPowers: usize,
  powersStep: usize,
  channels: usize,
  factor: f32,
  toPtr: usize,
): void {
  if (form == PAIRS) addRow(PAIRS, rowPowers, vector, keyPowers, powersStep, channels, factor, toPtr);
  else if (form == FRACTIONS) addRow(FRACTIONS, rowPowers, vector, keyPowers, powersStep, channels, factor, toPtr);
  else if (form == SMALL) addRow(SMALL, rows, vector, keys, step, channels, factor, toPtr);
  else if (form == EXACT) addRow(EXACT, rows, vector, keys, step, channels, factor, toPtr);
  else if (form == RECTIFIED) addRow(RECTIFIED, rows, vector, keys, step, channels, factor, toPtr);
  else addRow(GELU, rows, vector, keys, step, channels, factor, toPtr);
}

// Byte offsets of the constants, which V8 loads faster from static data than it rebuilds literals.
const ONE = 0;
const MINUS_TWO = 4;
const T4 = 8; // tanh x = x · (T0 + T1 x² + …) for |x| ≤ 0.4, fitted to a relative error of 1.6e-9
const T3 = 12;
const T2 = 16;
const T1 = 20;
const CONSTANTS = memory.data<f32>([1, -2, 0.01867216151322875, -0.05353616889837703, 0.13330907519169333, -0.3333328532690984]);

// @ts-ignore: decorator
@inline
function constant(offset: usize): v128 {
  return v128.load32_splat(CONSTANTS + offset);
}

/** φ of four sums. @param form  a literal: SMALL, EXACT, RECTIFIED or GELU */
// @ts-ignore: decorator
@inline
function activated(form: u8, x: v128): v128 {
  if (form == RECTIFIED) return activate4(x, Activation.RELU);
  if (form == GELU) return activate4(x, Activation.GELU);
  if (form == EXACT) return activate4(x, Activation.TANH);
  const t = f32x4.mul(x, x);
  let q = madd(constant(T4), t, constant(T3));
  q = madd(q, t, constant(T2));
  q = madd(q, t, constant(T1));
  return madd(f32x4.mul(q, t), x, x);
}

/** u₀/d₀ + u₁/d₁ with d = 1 + a·b, of four keys. */
// @ts-ignore: decorator
@inline
function pairOfFractions(u0: v128, u1: v128, a0: v128, a1: v128, b0: v128, b1: v128): v128 {
  const d0 = madd(a0, b0, constant(ONE));
  const d1 = madd(a1, b1, constant(ONE));
  return f32x4.div(madd(u0, d1, f32x4.mul(u1, d0)), f32x4.mul(d0, d1));
}

/**
 * The scores of one row with two panels of keys, of which the second is `step` bytes behind the first; a splat serves both.
 *
 * @param form       a literal: in PAIRS and FRACTIONS `columnPtr` and `bPtr` lead to exponentials, else to the numbers themselves
 * @param columnPtr  the row's channels, PANEL_BYTES apart
 * @param vectorPtr  its score vector
 * @param toPtr      16 scores
 */
// @ts-ignore: decorator
@inline
function addRow(
  form: u8,
  columnPtr: usize,
  vectorPtr: usize,
  bPtr: usize,
  step: usize,
  channels: usize,
  factor: f32,
  toPtr: usize,
): void {
  let sum0123 = f32x4.splat(0);
  let sum4567 = f32x4.splat(0);
  let sum89ab = f32x4.splat(0);
  let sumcdef = f32x4.splat(0);
  const vectorEnd = vectorPtr + (evenChannels(channels) << 2);
  const end = form == PAIRS ? vectorEnd : vectorPtr + (channels << 2);
  while (vectorPtr < end) {
    const u0 = v128.load32_splat(vectorPtr);
    const a0 = v128.load32_splat(columnPtr);
    const second = bPtr + step;
    if (form == PAIRS) {
      const u1 = v128.load32_splat(vectorPtr, 4);
      const a1 = v128.load32_splat(columnPtr, 32);
      sum0123 = f32x4.add(sum0123, pairOfFractions(u0, u1, a0, a1, v128.load(bPtr), v128.load(bPtr, 32)));
      sum4567 = f32x4.add(sum4567, pairOfFractions(u0, u1, a0, a1, v128.load(bPtr, 16), v128.load(bPtr, 48)));
      sum89ab = f32x4.add(sum89ab, pairOfFractions(u0, u1, a0, a1, v128.load(second), v128.load(second, 32)));
      sumcdef = f32x4.add(sumcdef, pairOfFractions(u0, u1, a0, a1, v128.load(second, 16), v128.load(second, 48)));
      vectorPtr += 8;
      columnPtr += 2 * PANEL_BYTES;
      bPtr += 2 * PANEL_BYTES;
      continue;
    }
    if (form == FRACTIONS) {
      sum0123 = f32x4.add(sum0123, f32x4.div(u0, madd(a0, v128.load(bPtr), constant(ONE))));
      sum4567 = f32x4.add(sum4567, f32x4.div(u0, madd(a0, v128.load(bPtr, 16), constant(ONE))));
      sum89ab = f32x4.add(sum89ab, f32x4.div(u0, madd(a0, v128.load(second), constant(ONE))));
      sumcdef = f32x4.add(sumcdef, f32x4.div(u0, madd(a0, v128.load(second, 16), constant(ONE))));
    } else {
      sum0123 = madd(u0, activated(form, f32x4.add(a0, v128.load(bPtr))), sum0123);
      sum4567 = madd(u0, activated(form, f32x4.add(a0, v128.load(bPtr, 16))), sum4567);
      sum89ab = madd(u0, activated(form, f32x4.add(a0, v128.load(second))), sum89ab);
      sumcdef = madd(u0, activated(form, f32x4.add(a0, v128.load(second, 16))), sumcdef);
    }
    vectorPtr += 4;
    columnPtr += PANEL_BYTES;
    bPtr += PANEL_BYTES;
  }
  if (form == PAIRS || form == FRACTIONS) {
    const total = v128.load32_splat(vectorEnd);
    sum0123 = madd(sum0123, constant(MINUS_TWO), total);
    sum4567 = madd(sum4567, constant(MINUS_TWO), total);
    sum89ab = madd(sum89ab, constant(MINUS_TWO), total);
    sumcdef = madd(sumcdef, constant(MINUS_TWO), total);
  }
  // sums · power · factor, or sums · factor · power: what is small comes first, lest a number overflow that the product does not
  const power = load<f32>(vectorEnd, 4);
  const powers = f32x4.splat(power);
  const factors = f32x4.splat(factor);
  const first = abs(factor) < 1 ? factors : powers;
  const last = abs(factor) < 1 ? powers : factors;
  v128.store(toPtr, f32x4.mul(f32x4.mul(sum0123, first), last));
  v128.store(toPtr, f32x4.mul(f32x4.mul(sum4567, first), last), 16);
  v128.store(toPtr, f32x4.mul(f32x4.mul(sum89ab, first), last), 32);
  v128.store(toPtr, f32x4.mul(f32x4.mul(sumcdef, first), last), 48);
}
