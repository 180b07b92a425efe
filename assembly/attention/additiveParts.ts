/**
 * What additive scores read besides the packed rows: score vectors, exponentials of keys and rows, and how large these are.
 *
 * Each row and each key has a class by its largest channel, and is light or not for a score vector u:
 *
 *     light:   16 Σ_c │u_c│ min(1, │x_c│) < Σ_c │u_c│        the large elements of u meet small channels
 */
import { AttentionParams } from "../abi/attentionParams";
import { expAny4 } from "../math/expAny";
import { BLOCK, ceilPanel, PANEL, PANEL_BYTES, wholeLines } from "../tiles/layout";
import { Panels } from "./panels";
import { Strip } from "./strip";

// Classes by the largest |a| of a row, or |b| of a key.
/** Up to here tanh is a polynomial: 1 − 2 / d would lose what is small beside 1. */
export const SMALL: u8 = 0;
/** Up to here two denominators may be multiplied. */
export const PAIRS: u8 = 1;
/** Up to here both exponentials are normal numbers. */
export const FRACTIONS: u8 = 2;
export const EXACT: u8 = 3;
/** The largest of each class but the last: tanh of twice the first is a polynomial, e to four times the second is 2⁶². */
const LIMITS = memory.data<f32>([0.2, 10.7, 34]);
/** See `light` above. */
const LIGHT = memory.data<f32>([16]);
const ONE = memory.data<f32>([1]);

/** Score vectors longer than this are divided, so that no product of their elements with a denominator overflows. */
const LARGEST_ELEMENT: f32 = 1.8446744073709552e19; // 2⁶⁴

/** Channels in whole pairs. */
// @ts-ignore: decorator
@inline
export function evenChannels(channels: usize): usize {
  return (channels + 1) & ~1;
}

/** Score vectors: one for each head, or one for all. */
// @ts-ignore: decorator
@inline
function vectorsOf(p: AttentionParams): usize {
  return p.scoreVectorHeadStride ? p.numHeads : 1;
}

/** Score vectors that the rows on a head of keys have. */
// @ts-ignore: decorator
@inline
function vectorsOfGroup(p: AttentionParams): usize {
  return p.scoreVectorHeadStride ? p.numHeads / p.numKvHeads : 1;
}

/** Elements of a copied score vector: it, its sum, the power of two that it was divided by, and the sum of its magnitudes. */
// @ts-ignore: decorator
@inline
function vectorElements(p: AttentionParams): usize {
  return evenChannels(p.headDim) + 4;
}

@unmanaged
export class AdditiveParts {
  /** f32[heads, evenChannels + 4] */
  vectors: usize;
  /** e²ᵇ of the block in progress: [BLOCK / 8, evenChannels, 8] */
  keyPowers: usize;
  /** Classes of its keys: u8[BLOCK] */
  keyClasses: usize;
  /** Which are light, all bits set: u8[score vectors of the group, BLOCK] */
  lightKeys: usize;
  /** e²ᵃ of the strip in progress: [evenChannels, 8] */
  rowPowers: usize;
  /** Classes of its rows: u8[8] */
  rowClasses: usize;
  /** Which are light, each for the score vector of its head: u8[8] */
  lightRows: usize;
  /** Scores of two panels in another form: f32[16] */
  spare: usize;
  private head: usize;
  private block: usize;
  private count: usize;

  /** Lays out the parts from `ptr` on; returns the end. */
  static layOut(p: AttentionParams, ptr: u64, parts: AdditiveParts, isPlaced: bool): u64 {
    const channels = <u64>evenChannels(p.headDim);
    const keyPowers = ptr + wholeLines(vectorsOf(p) * (vectorElements(p) << 2));
    const rowPowers = keyPowers + channels * (BLOCK << 2);
    const keyClasses = rowPowers + channels * PANEL_BYTES;
    const lightKeys = keyClasses + <u64>BLOCK;
    const rowClasses = lightKeys + <u64>vectorsOfGroup(p) * BLOCK;
    const spare = rowClasses + 64;
    if (isPlaced) {
      parts.vectors = <usize>ptr;
      parts.keyPowers = <usize>keyPowers;
      parts.rowPowers = <usize>rowPowers;
      parts.keyClasses = <usize>keyClasses;
      parts.lightKeys = <usize>lightKeys;
      parts.rowClasses = <usize>rowClasses;
      parts.lightRows = <usize>rowClasses + PANEL;
      parts.spare = <usize>spare;
      parts.count = 0;
      parts.takeVectors(p);
    }
    return spare + 64;
  }

  /** Copies the score vectors. */
  private takeVectors(p: AttentionParams): void {
    const channels = evenChannels(p.headDim);
    for (let head: usize = 0; head < vectorsOf(p); head++) {
      const from = p.scoreVector + ((head * p.scoreVectorHeadStride) << 2);
      const to = this.vector(p, head);
      let largest: f32 = 0;
      for (let c: usize = 0; c < p.headDim; c++) largest = max<f32>(largest, abs(load<f32>(from + (c << 2))));
      const isDivided = largest >= LARGEST_ELEMENT && largest < Infinity;
      // the exponent's bits alone, less 64
      const power = isDivided ? reinterpret<f32>((reinterpret<u32>(largest) & 0x7f800000) - (64 << 23)) : <f32>1;
      let sum: f64 = 0;
      let magnitudes: f64 = 0;
      for (let c: usize = 0; c < channels; c++) {
        const u = c < p.headDim ? load<f32>(from + (c << 2)) / power : 0;
        store<f32>(to + (c << 2), u);
        sum += <f64>u;
        magnitudes += <f64>abs(u);
      }
      const end = to + (channels << 2);
      store<f32>(end, <f32>sum);
      store<f32>(end, power, 4);
      store<f32>(end, magnitudes < Infinity ? <f32>magnitudes : NaN, 8); // NaN: every row and key is light
    }
  }

  /** The score vector of a query head. */
  @inline
  vector(p: AttentionParams, head: usize): usize {
    return this.vectors + (p.scoreVectorHeadStride ? head : 0) * (vectorElements(p) << 2);
  }

  /** Which keys of the block are light for the score vector of a query head. */
  @inline
  lightKeysOf(p: AttentionParams, head: usize): usize {
    return this.lightKeys + (head % vectorsOfGroup(p)) * BLOCK;
  }

  /** Takes the exponentials and classes of the keys of a block, which is packed up to panels.end. */
  takeBlock(p: AttentionParams, panels: Panels, head: usize, block: usize): void {
    const count = min(BLOCK, panels.end - block);
    if (this.head == head && this.block == block && this.count == count) return;
    this.head = head;
    this.block = block;
    this.count = count;
    const channels = evenChannels(p.headDim);
    const firstVector = (head % p.numKvHeads) * vectorsOfGroup(p);
    for (let panel: usize = 0; panel < ceilPanel(count) / PANEL; panel++) {
      const from = panels.keys(block) + panel * p.headDim * PANEL_BYTES;
      takePowers(from, p.headDim, this.keyPowers + panel * channels * PANEL_BYTES, this.keyClasses + panel * PANEL);
      for (let index: usize = 0; index < vectorsOfGroup(p); index++) {
        v128.store64_lane(
          this.lightKeysOf(p, index) + panel * PANEL,
          lightColumns(from, p.headDim, this.vector(p, firstVector + index)),
          0,
        );
      }
    }
  }

  /** Takes those of the rows of a strip. */
  takeRows(p: AttentionParams, strip: Strip): void {
    takePowers(strip.queryPanel, p.headDim, this.rowPowers, this.rowClasses);
    for (let r: usize = 0; r < strip.numRows; r++) {
      const light = lightColumns(strip.queryPanel, p.headDim, this.vector(p, strip.row(r).head));
      v128.store64_lane(this.spare, light, 0);
      store<u8>(this.lightRows + r, load<u8>(this.spare + r));
    }
  }
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
  v128.store64_lane(classesPtr, bytesOf(classes4(most0123), classes4(most4567)), 0);
}

/** The classes of four columns, EXACT for NaN. */
// @ts-ignore: decorator
@inline
function classes4(most: v128): v128 {
  const isAboveSmall = v128.not(f32x4.le(most, v128.load32_splat(LIMITS)));
  const isAbovePairs = v128.not(f32x4.le(most, v128.load32_splat(LIMITS, 4)));
  const isAboveFractions = v128.not(f32x4.le(most, v128.load32_splat(LIMITS, 8)));
  return i32x4.neg(i32x4.add(i32x4.add(isAboveSmall, isAbovePairs), isAboveFractions));
}

/** Which of a panel's columns are light for a score vector, in eight bytes. */
function lightColumns(panelPtr: usize, channels: usize, vectorPtr: usize): v128 {
  let sum0123 = f32x4.splat(0);
  let sum4567 = f32x4.splat(0);
  const ones = v128.load32_splat(ONE);
  const magnitudes = v128.load32_splat(vectorPtr + (evenChannels(channels) << 2), 8);
  for (const end = vectorPtr + (channels << 2); vectorPtr < end; vectorPtr += 4, panelPtr += PANEL_BYTES) {
    const u = f32x4.abs(v128.load32_splat(vectorPtr));
    sum0123 = f32x4.add(sum0123, f32x4.mul(u, f32x4.pmin(ones, f32x4.abs(v128.load(panelPtr)))));
    sum4567 = f32x4.add(sum4567, f32x4.mul(u, f32x4.pmin(ones, f32x4.abs(v128.load(panelPtr, 16)))));
  }
  const factor = v128.load32_splat(LIGHT);
  const isHeavy0123 = f32x4.ge(f32x4.mul(sum0123, factor), magnitudes);
  const isHeavy4567 = f32x4.ge(f32x4.mul(sum4567, factor), magnitudes);
  return bytesOf(v128.not(isHeavy0123), v128.not(isHeavy4567));
}

/** Eight small integers as bytes. */
// @ts-ignore: decorator
@inline
function bytesOf(low: v128, high: v128): v128 {
  const words = i16x8.narrow_i32x4_s(low, high);
  return i8x16.narrow_i16x8_s(words, words);
}
