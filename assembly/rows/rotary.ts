/**
 * Rotary position embedding: pairs of channels rotated by angles that grow with the position, so that a score depends only on the
 * distance between query and key. Su et al. 2021, arXiv:2104.09864.
 *
 *     (a, b) → (a cos θ − b sin θ, b cos θ + a sin θ)        θ = position · frequency_i
 *
 * A pair i is the channels i and i + rotaryDim / 2, or 2i and 2i + 1 where they are interleaved, counted from rotaryStart on; the other
 * channels stay.
 */
import { storeCosSin } from "./angles";
import { lowerLanes, storeLanes } from "../math/lanes";
import { madd } from "../math/simd";

/** Cosines and sines of rotary embeddings. */
@unmanaged
export class RotaryTablesParams {
  // [rows, pairs]
  cos: usize;
  sin: usize;
  /** i32[rows]; 0 if a row's index is its position. */
  positions: usize;
  /** f64[pairs + 1]: those of the pairs, then a factor on cosines and sines. */
  frequencies: usize;
  rows: usize;
  /** Pairs of channels to rotate. */
  pairs: usize;
}

/** Rotary embeddings of rows. */
@unmanaged
export class RotaryParams {
  x: usize;
  /** May be x. */
  out: usize;
  // [rows of the tables, rotaryDim / 2]
  cos: usize;
  sin: usize;
  /** Which row of the tables each row takes: u32[batchSize, seqLen]. */
  tableRows: usize;

  batchSize: usize;
  seqLen: usize;
  numHeads: usize;
  headDim: usize;
  /** First channel to rotate. */
  rotaryStart: usize;
  /** Number of channels to rotate, even. */
  rotaryDim: usize;

  xRowStride: usize;
  xHeadStride: usize;
  xBatchStride: usize;
  outRowStride: usize;
  outHeadStride: usize;
  outBatchStride: usize;

  /** 1: pairs are neighbours, otherwise half of rotaryDim apart. */
  isInterleaved: i32;
  /** 1: rotate back. */
  isInverse: i32;
}

// The sign bit of a lane.
const SIGNS = memory.data<u32>([0x80000000, 0x80000000, 0x80000000, 0x80000000]);
const EVEN_SIGNS = memory.data<u32>([0x80000000, 0, 0x80000000, 0]);

export function rotaryTablesUnits(params: usize): usize {
  return changetype<RotaryTablesParams>(params).rows;
}

/** Cosines and sines of the rows `first` to `end` − 1 of the tables. */
export function rotaryTables(params: usize, _workspace: usize, first: usize, end: usize): void {
  const p = changetype<RotaryTablesParams>(params);
  for (let row = first; row < end; row++) {
    const position: f64 = p.positions ? <f64>load<i32>(p.positions + (row << 2)) : <f64>row;
    const at = (row * p.pairs) << 2;
    storeRow(position, p.frequencies, p.pairs, load<f64>(p.frequencies + (p.pairs << 3)), p.cos + at, p.sin + at);
  }
}

/** Cosines and sines of one position, [pairs], without a factor. */
export function rotaryRow(position: f64, frequencies: usize, pairs: usize, cosPtr: usize, sinPtr: usize): void {
  storeRow(position, frequencies, pairs, 1, cosPtr, sinPtr);
}

function storeRow(position: f64, frequencies: usize, pairs: usize, factor: f64, cosPtr: usize, sinPtr: usize): void {
  for (let i: usize = 0; i < pairs; i++) {
    storeCosSin(position * load<f64>(frequencies + (i << 3)), factor, cosPtr + (i << 2), sinPtr + (i << 2));
  }
}

export function rotaryUnits(params: usize): usize {
  const p = changetype<RotaryParams>(params);
  return p.batchSize * p.seqLen;
}

/** All heads of the rows `first` to `end` − 1, counted through the batch. */
export function rotary(params: usize, _workspace: usize, first: usize, end: usize): void {
  const p = changetype<RotaryParams>(params);
  const pairs = p.rotaryDim >> 1;
  const start = p.rotaryStart << 2;
  const rest = start + (pairs << 3); // the channels after those that are rotated
  const flip = p.isInverse ? v128.load(SIGNS) : f32x4.splat(0);
  for (let row = first; row < end; row++) {
    const batch = row / p.seqLen;
    const i = row % p.seqLen;
    const tableRow = (load<usize>(p.tableRows + (row << 2)) * pairs) << 2;
    let src = p.x + ((batch * p.xBatchStride + i * p.xRowStride) << 2);
    let dst = p.out + ((batch * p.outBatchStride + i * p.outRowStride) << 2);
    for (let head: usize = 0; head < p.numHeads; head++) {
      if (p.isInterleaved) rotateNeighbours(src + start, dst + start, pairs, p.cos + tableRow, p.sin + tableRow, flip);
      else rotateHalves(src + start, dst + start, pairs, p.cos + tableRow, p.sin + tableRow, flip);
      if (src != dst) {
        memory.copy(dst, src, start);
        memory.copy(dst + rest, src + rest, (p.headDim << 2) - rest);
      }
      src += p.xHeadStride << 2;
      dst += p.outHeadStride << 2;
    }
  }
}

/** Reads up to 12 bytes beyond the channels and the table's row, to no effect. `flip` is the sign bit to rotate back, else 0. */
function rotateHalves(src: usize, dst: usize, pairs: usize, cosPtr: usize, sinPtr: usize, flip: v128): void {
  const bytes = pairs << 2;
  for (let at: usize = 0; at < bytes; at += 16) {
    const cos = v128.load(cosPtr + at);
    const sin = v128.xor(v128.load(sinPtr + at), flip);
    const a = v128.load(src + at);
    const b = v128.load(src + bytes + at);
    const lanes = lowerLanes((bytes - at) >> 2);
    storeLanes(dst + at, madd(a, cos, f32x4.neg(f32x4.mul(b, sin))), lanes);
    storeLanes(dst + bytes + at, madd(b, cos, f32x4.mul(a, sin)), lanes);
  }
}

/** The same for neighbouring channels: (a₀, b₀, a₁, b₁) · cos + (b₀, a₀, b₁, a₁) · (−sin, sin, −sin, sin). */
function rotateNeighbours(src: usize, dst: usize, pairs: usize, cosPtr: usize, sinPtr: usize, flip: v128): void {
  const signs = v128.xor(v128.load(EVEN_SIGNS), flip);
  const bytes = pairs << 3;
  for (let at: usize = 0; at < bytes; at += 16, cosPtr += 8, sinPtr += 8) {
    const cos = v128.load64_zero(cosPtr);
    const sin = v128.load64_zero(sinPtr);
    const x = v128.load(src + at);
    const rotated = f32x4.mul(v128.shuffle<f32>(x, x, 1, 0, 3, 2), v128.xor(v128.shuffle<f32>(sin, sin, 0, 0, 1, 1), signs));
    storeLanes(dst + at, madd(x, v128.shuffle<f32>(cos, cos, 0, 0, 1, 1), rotated), lowerLanes((bytes - at) >> 2));
  }
}
