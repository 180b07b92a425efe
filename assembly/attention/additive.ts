/**
 * Additive scores of projected queries and keys. Bahdanau, Cho & Bengio 2015, arXiv:1409.0473.
 *
 *     s_ij = Σ_c u_c φ(a_ic + b_jc)        φ = tanh, or another activation
 *
 * tanh(a + b) = 1 − 2 / (1 + e²ᵃ e²ᵇ): with both exponentials taken once for a row and for a key, a pair costs a product, a sum and a division,
 * and two channels share the division: u₀/d₀ + u₁/d₁ = (u₀ d₁ + u₁ d₀) / (d₀ d₁). No array of all pairs and channels is ever in memory.
 *
 * How far that form reaches depends on how large the numbers are. Each row and each key has a class by its largest channel, and a pair the
 * higher class of its two, so that its bits do not depend on its neighbours.
 */
import { AttentionParams } from "../abi/attentionParams";
import { Activation } from "../abi/activation";
import { activate4 } from "../rows/activations";
import { expAny4 } from "../math/expAny";
import { madd } from "../math/simd";
import { scaleFinite } from "../math/scaleFinite";
import { BLOCK, ceilPanel, floorBlock, PANEL, PANEL_BYTES, ROW_BYTES, wholeLines } from "../tiles/layout";
import { Panels } from "./panels";
import { Strip } from "./strip";

// Classes by the largest |a| of a row, or |b| of a key.
/** Up to here tanh is a polynomial: 1 − 2 / d would lose what is small beside 1. */
const SMALL: u8 = 0;
/** Up to here two denominators may be multiplied. */
const PAIRS: u8 = 1;
/** Up to here both exponentials are normal numbers. */
const FRACTIONS: u8 = 2;
const EXACT: u8 = 3;
// Forms of other activations.
const RECTIFIED: u8 = 4;
const GELU: u8 = 5;
const SMALL_LIMIT: f32 = 0.2;
const PAIRS_LIMIT: f32 = 10.7;
const FRACTIONS_LIMIT: f32 = 34;

// @ts-ignore: decorator
@inline
function classOf(largest: f32): u8 {
  return largest <= SMALL_LIMIT ? SMALL : largest <= PAIRS_LIMIT ? PAIRS : largest <= FRACTIONS_LIMIT ? FRACTIONS : EXACT;
}

/** Channels in whole pairs. */
// @ts-ignore: decorator
@inline
export function evenChannels(channels: usize): usize {
  return (channels + 1) & ~1;
}

/** What additive scores read besides the packed rows: score vectors, exponentials of a block of keys and of a strip's rows. */
@unmanaged
export class AdditiveParts {
  /** Score vectors of all heads times powers of two: f32[heads, evenChannels], sums behind them, and the powers' reciprocals. */
  vectors: usize;
  /** e²ᵇ of the block in progress: [BLOCK / 8, evenChannels, 8] */
  keyPowers: usize;
  /** Classes of its keys: u8[BLOCK] */
  keyClasses: usize;
  /** e²ᵃ of the strip in progress: [evenChannels, 8] */
  rowPowers: usize;
  /** Classes of its rows: u8[8] */
  rowClasses: usize;
  /** Scores of two panels in another form: f32[16] */
  spare: usize;
  private head: usize;
  private block: usize;
  private count: usize;

  /** Lays out the parts from `ptr` on; returns the end. */
  static layOut(p: AttentionParams, ptr: u64, parts: AdditiveParts, isPlaced: bool): u64 {
    const channels = <u64>evenChannels(p.headDim);
    const keyPowers = ptr + wholeLines(vectorsOf(p) * ((channels + 2) << 2));
    const rowPowers = keyPowers + channels * (BLOCK << 2);
    const keyClasses = rowPowers + channels * PANEL_BYTES;
    const rowClasses = keyClasses + <u64>BLOCK;
    const spare = rowClasses + 64;
    if (isPlaced) {
      parts.vectors = <usize>ptr;
      parts.keyPowers = <usize>keyPowers;
      parts.rowPowers = <usize>rowPowers;
      parts.keyClasses = <usize>keyClasses;
      parts.rowClasses = <usize>rowClasses;
      parts.spare = <usize>spare;
      parts.count = 0;
      parts.takeVectors(p);
    }
    return spare + 64;
  }

  /** Copies the score vectors. They are divided by a power of two, so that no product with a denominator overflows. */
  takeVectors(p: AttentionParams): void {
    const channels = evenChannels(p.headDim);
    for (let head: usize = 0; head < vectorsOf(p); head++) {
      const from = p.scoreVector + ((head * p.scoreVectorHeadStride) << 2);
      const to = this.vector(p, head);
      let largest: f32 = 0;
      for (let c: usize = 0; c < p.headDim; c++) largest = max<f32>(largest, abs(load<f32>(from + (c << 2))));
      // the exponent's bits alone: 2ⁿ ≤ largest
      const power = largest >= <f32>1 && largest < Infinity ? reinterpret<f32>(reinterpret<u32>(largest) & 0x7f800000) : <f32>1;
      let sum: f64 = 0;
      for (let c: usize = 0; c < channels; c++) {
        const u = c < p.headDim ? load<f32>(from + (c << 2)) / power : 0;
        store<f32>(to + (c << 2), u);
        sum += <f64>u;
      }
      store<f32>(to + (channels << 2), <f32>sum);
      store<f32>(to + (channels << 2) + 4, power);
    }
  }

  /** The score vector of a query head. */
  @inline
  vector(p: AttentionParams, head: usize): usize {
    return this.vectors + (p.scoreVectorHeadStride ? head : 0) * ((evenChannels(p.headDim) + 2) << 2);
  }

  /** Takes the exponentials of the keys of a block, which is packed up to panels.end. */
  takeBlock(p: AttentionParams, panels: Panels, head: usize, block: usize): void {
    const count = min(BLOCK, panels.end - block);
    if (this.head == head && this.block == block && this.count == count) return;
    this.head = head;
    this.block = block;
    this.count = count;
    const channels = evenChannels(p.headDim);
    for (let panel: usize = 0; panel < ceilPanel(count) / PANEL; panel++) {
      const from = panels.keys(block) + panel * p.headDim * PANEL_BYTES;
      takePowers(from, p.headDim, this.keyPowers + panel * channels * PANEL_BYTES, this.keyClasses + panel * PANEL);
    }
  }
}

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
  if (isTanh) {
    parts.takeBlock(p, panels, head, floorBlock(firstKey));
    takePowers(strip.queryPanel, p.headDim, parts.rowPowers, parts.rowClasses);
  }
  const keyPanelBytes = p.headDim * PANEL_BYTES;
  const powerPanelBytes = evenChannels(p.headDim) * PANEL_BYTES;
  const keysPtr = panels.keys(firstKey);
  const powersPtr = parts.keyPowers + ((firstKey % BLOCK) / PANEL) * powerPanelBytes;
  for (let r: usize = 0; r < strip.numRows; r++) {
    const row = strip.row(r);
    const vector = parts.vector(p, row.head);
    const power = load<f32>(vector + (evenChannels(p.headDim) << 2) + 4);
    const factor = scaleFinite(row.scale, strip.scoreFactor * power);
    const rowScores = scoresPtr + r * ROW_BYTES;
    for (let panel: usize = 0; panel < numPanels; panel += 2) {
      const hasTwo = panel + 1 < numPanels;
      const to = rowScores + panel * PANEL_BYTES;
      const raw = keysPtr + panel * keyPanelBytes;
      const rawStep = hasTwo ? keyPanelBytes : 0;
      const column = strip.queryPanel + (r << 2);
      if (!isTanh) {
        if (p.scoreActivation == Activation.RELU) addRow(RECTIFIED, column, vector, raw, rawStep, p.headDim, factor, to);
        else addRow(GELU, column, vector, raw, rawStep, p.headDim, factor, to);
        continue;
      }
      const powers = powersPtr + panel * powerPanelBytes;
      const powersStep = hasTwo ? powerPanelBytes : 0;
      const powersColumn = parts.rowPowers + (r << 2);
      const rowClass = load<u8>(parts.rowClasses + r);
      const classes = parts.keyClasses + (firstKey % BLOCK) + panel * PANEL;
      const keys: usize = hasTwo ? 2 * PANEL : PANEL;
      let low = EXACT;
      let high = rowClass;
      for (let j: usize = 0; j < keys; j++) {
        low = min(low, load<u8>(classes + j));
        high = max(high, load<u8>(classes + j));
      }
      low = max(low, rowClass);
      for (let form = low; form <= high; form++) {
        const target = form == low ? to : parts.spare;
        if (form == PAIRS) addRow(PAIRS, powersColumn, vector, powers, powersStep, p.headDim, factor, target);
        else if (form == FRACTIONS) addRow(FRACTIONS, powersColumn, vector, powers, powersStep, p.headDim, factor, target);
        else if (form == SMALL) addRow(SMALL, column, vector, raw, rawStep, p.headDim, factor, target);
        else addRow(EXACT, column, vector, raw, rawStep, p.headDim, factor, target);
        if (form == low) continue;
        for (let j: usize = 0; j < keys; j++) {
          if (max(rowClass, load<u8>(classes + j)) == form) store<f32>(to + (j << 2), load<f32>(target + (j << 2)));
        }
      }
    }
  }
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
  const sumPtr = vectorPtr + (evenChannels(channels) << 2);
  const end = form == PAIRS ? sumPtr : vectorPtr + (channels << 2);
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
    const total = v128.load32_splat(sumPtr);
    sum0123 = madd(sum0123, constant(MINUS_TWO), total);
    sum4567 = madd(sum4567, constant(MINUS_TWO), total);
    sum89ab = madd(sum89ab, constant(MINUS_TWO), total);
    sumcdef = madd(sumcdef, constant(MINUS_TWO), total);
  }
  const factors = f32x4.splat(factor);
  v128.store(toPtr, f32x4.mul(sum0123, factors));
  v128.store(toPtr, f32x4.mul(sum4567, factors), 16);
  v128.store(toPtr, f32x4.mul(sum89ab, factors), 32);
  v128.store(toPtr, f32x4.mul(sumcdef, factors), 48);
}

/** Score vectors: one for each head, or one for all. */
// @ts-ignore: decorator
@inline
export function vectorsOf(p: AttentionParams): usize {
  return p.scoreVectorHeadStride ? p.numHeads : 1;
}

/** Exponentials e²ˣ of a panel [channels, 8], a channel of zeros if their number is odd, and the classes of its eight columns. */
function takePowers(panelPtr: usize, channels: usize, toPtr: usize, classesPtr: usize): void {
  let most0123 = f32x4.splat(0);
  let most4567 = f32x4.splat(0);
  const end = panelPtr + channels * PANEL_BYTES;
  for (; panelPtr < end; panelPtr += PANEL_BYTES, toPtr += PANEL_BYTES) {
    const x0123 = v128.load(panelPtr);
    const x4567 = v128.load(panelPtr, 16);
    most0123 = f32x4.max(most0123, f32x4.abs(x0123));
    most4567 = f32x4.max(most4567, f32x4.abs(x4567));
    v128.store(toPtr, expAny4(f32x4.add(x0123, x0123)));
    v128.store(toPtr, expAny4(f32x4.add(x4567, x4567)), 16);
  }
  if (channels & 1) {
    v128.store(toPtr, f32x4.splat(0));
    v128.store(toPtr, f32x4.splat(0), 16);
  }
  store<u8>(classesPtr, classOf(f32x4.extract_lane(most0123, 0)));
  store<u8>(classesPtr, classOf(f32x4.extract_lane(most0123, 1)), 1);
  store<u8>(classesPtr, classOf(f32x4.extract_lane(most0123, 2)), 2);
  store<u8>(classesPtr, classOf(f32x4.extract_lane(most0123, 3)), 3);
  store<u8>(classesPtr, classOf(f32x4.extract_lane(most4567, 0)), 4);
  store<u8>(classesPtr, classOf(f32x4.extract_lane(most4567, 1)), 5);
  store<u8>(classesPtr, classOf(f32x4.extract_lane(most4567, 2)), 6);
  store<u8>(classesPtr, classOf(f32x4.extract_lane(most4567, 3)), 7);
}
