/**
 * Scores of one strip of query rows against consecutive key panels.
 *
 *     S[r, j] = Σ_d Q[r, d] · K[j, d]          r < rows, j < 8 · panels, d in order 0 … headDim − 1
 *
 * The sum over d is never split: a score has the same bits whether its row is computed with five others or alone.
 */
import { addProducts, load0123, load4567, stepBytes } from "./element";
import { IS_WIDE } from "../math/simd";
import { PANEL_BYTES, SCORE_ROW } from "./layout";
import { touchLines } from "./touch";

/** Eight scores of a row, from sums of products. */
// @ts-ignore: decorator
@inline
function storeScores(isInt8: bool, ptr: usize, sum0123: v128, sum4567: v128, qScalePtr: usize, kScalesPtr: usize): void {
  if (isInt8) {
    const qScale = v128.load32_splat(qScalePtr);
    // the product of the scales may be infinite
    sum0123 = f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(sum0123), qScale), v128.load(kScalesPtr));
    sum4567 = f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(sum4567), qScale), v128.load(kScalesPtr, 16));
  }
  v128.store(ptr, sum0123);
  v128.store(ptr, sum4567, 16);
}

/**
 *                       K panel [headDim, 8]
 *                       keys 0123    keys 4567
 *     Q strip    row 0  acc0x0123    acc0x4567      each step d: load 8 keys' channel d,
 *     [headDim,  row 1  acc1x0123    acc1x4567      splat row r's channel d, multiply, add
 *      8]        …
 *                row 5  acc5x0123    acc5x4567
 *
 * Six rows take 12 accumulators, 2 vectors of K and 1 splat of Q: all 15 registers that V8 has. Which height wins on which build
 * stands with STRIP_ROWS in `src/runtime/builds.ts`, and how to measure it in `docs/decisions/0001-blocks-strips-and-tiles.md`.
 *
 * @param isInt8      a literal: whether keys are pairs of int8 and queries pairs of int16, see element.ts
 * @param rows        rows of the tile, a literal: 1, 4 or 6
 * @param isWide      a literal: whether it takes two panels at once, in registers of 256 bits; then `panels` is even
 * @param qStripPtr   packed queries [steps, 8], scale already applied; 16-byte aligned
 * @param qScalesPtr  for int8: what a query element of 1 stands for in each row
 * @param kPanelPtr   packed keys [panels, steps, 8]; 16-byte aligned
 * @param kScalesPtr  for int8: the same for each key
 * @param scoresPtr   `rows` rows, SCORE_ROW bytes apart; 8 · panels scores of each are written whole. Must not overlap the inputs.
 * @param steps       channels, or pairs of them, ≥ 1
 * @param panels      key panels, ≥ 1
 */
// @ts-ignore: decorator
@inline
function scoreTile(
  isInt8: bool,
  rows: i32,
  isWide: bool,
  qStripPtr: usize,
  qScalesPtr: usize,
  kPanelPtr: usize,
  kScalesPtr: usize,
  scoresPtr: usize,
  steps: usize,
  panels: usize,
): void {
  assert(steps > 0 && panels > 0, "scoreTile: steps and panels must be positive");
  assert(((qStripPtr | kPanelPtr | scoresPtr) & 15) == 0, "scoreTile: pointers must be 16-byte aligned");
  const panelBytes = steps * stepBytes(isInt8);
  const kEnd = kPanelPtr + panels * panelBytes;
  let secondScoresPtr = scoresPtr + PANEL_BYTES; // walks beside scoresPtr: V8 pairs stores by their address in the code
  let secondScalesPtr = kScalesPtr + PANEL_BYTES;

  while (kPanelPtr < kEnd) {
    let acc0x0123 = f32x4.splat(0);
    let acc0x4567 = f32x4.splat(0);
    let acc1x0123 = f32x4.splat(0);
    let acc1x4567 = f32x4.splat(0);
    let acc2x0123 = f32x4.splat(0);
    let acc2x4567 = f32x4.splat(0);
    let acc3x0123 = f32x4.splat(0);
    let acc3x4567 = f32x4.splat(0);
    let acc4x0123 = f32x4.splat(0);
    let acc4x4567 = f32x4.splat(0);
    let acc5x0123 = f32x4.splat(0);
    let acc5x4567 = f32x4.splat(0);
    let acc0x89ab = f32x4.splat(0);
    let acc0xcdef = f32x4.splat(0);
    let acc1x89ab = f32x4.splat(0);
    let acc1xcdef = f32x4.splat(0);
    let acc2x89ab = f32x4.splat(0);
    let acc2xcdef = f32x4.splat(0);
    let acc3x89ab = f32x4.splat(0);
    let acc3xcdef = f32x4.splat(0);
    let acc4x89ab = f32x4.splat(0);
    let acc4xcdef = f32x4.splat(0);
    let acc5x89ab = f32x4.splat(0);
    let acc5xcdef = f32x4.splat(0);

    if (isInt8) touchLines(kPanelPtr, isWide ? 2 * panelBytes : panelBytes);
    let qPtr = qStripPtr;
    const panelEnd = kPanelPtr + panelBytes;
    do {
      const k0123 = load0123(isInt8, kPanelPtr);
      const k4567 = load4567(isInt8, kPanelPtr);
      const k89ab = isWide ? load0123(isInt8, kPanelPtr + panelBytes) : k0123;
      const kcdef = isWide ? load4567(isInt8, kPanelPtr + panelBytes) : k4567;
      let q = v128.load32_splat(qPtr);
      acc0x0123 = addProducts(isInt8, q, k0123, acc0x0123);
      acc0x4567 = addProducts(isInt8, q, k4567, acc0x4567);
      if (isWide) acc0x89ab = addProducts(isInt8, q, k89ab, acc0x89ab);
      if (isWide) acc0xcdef = addProducts(isInt8, q, kcdef, acc0xcdef);
      if (rows > 1) {
        q = v128.load32_splat(qPtr, 4);
        acc1x0123 = addProducts(isInt8, q, k0123, acc1x0123);
        acc1x4567 = addProducts(isInt8, q, k4567, acc1x4567);
        if (isWide) acc1x89ab = addProducts(isInt8, q, k89ab, acc1x89ab);
        if (isWide) acc1xcdef = addProducts(isInt8, q, kcdef, acc1xcdef);
        q = v128.load32_splat(qPtr, 8);
        acc2x0123 = addProducts(isInt8, q, k0123, acc2x0123);
        acc2x4567 = addProducts(isInt8, q, k4567, acc2x4567);
        if (isWide) acc2x89ab = addProducts(isInt8, q, k89ab, acc2x89ab);
        if (isWide) acc2xcdef = addProducts(isInt8, q, kcdef, acc2xcdef);
        q = v128.load32_splat(qPtr, 12);
        acc3x0123 = addProducts(isInt8, q, k0123, acc3x0123);
        acc3x4567 = addProducts(isInt8, q, k4567, acc3x4567);
        if (isWide) acc3x89ab = addProducts(isInt8, q, k89ab, acc3x89ab);
        if (isWide) acc3xcdef = addProducts(isInt8, q, kcdef, acc3xcdef);
      }
      if (rows > 4) {
        q = v128.load32_splat(qPtr, 16);
        acc4x0123 = addProducts(isInt8, q, k0123, acc4x0123);
        acc4x4567 = addProducts(isInt8, q, k4567, acc4x4567);
        if (isWide) acc4x89ab = addProducts(isInt8, q, k89ab, acc4x89ab);
        if (isWide) acc4xcdef = addProducts(isInt8, q, kcdef, acc4xcdef);
        q = v128.load32_splat(qPtr, 20);
        acc5x0123 = addProducts(isInt8, q, k0123, acc5x0123);
        acc5x4567 = addProducts(isInt8, q, k4567, acc5x4567);
        if (isWide) acc5x89ab = addProducts(isInt8, q, k89ab, acc5x89ab);
        if (isWide) acc5xcdef = addProducts(isInt8, q, kcdef, acc5xcdef);
      }
      qPtr += PANEL_BYTES;
      kPanelPtr += stepBytes(isInt8);
    } while (kPanelPtr < panelEnd);

    storeScores(isInt8, scoresPtr, acc0x0123, acc0x4567, qScalesPtr, kScalesPtr);
    if (isWide) storeScores(isInt8, secondScoresPtr, acc0x89ab, acc0xcdef, qScalesPtr, secondScalesPtr);
    if (rows > 1) {
      storeScores(isInt8, scoresPtr + 1 * SCORE_ROW, acc1x0123, acc1x4567, qScalesPtr + 4, kScalesPtr);
      if (isWide) storeScores(isInt8, secondScoresPtr + 1 * SCORE_ROW, acc1x89ab, acc1xcdef, qScalesPtr + 4, secondScalesPtr);
      storeScores(isInt8, scoresPtr + 2 * SCORE_ROW, acc2x0123, acc2x4567, qScalesPtr + 8, kScalesPtr);
      if (isWide) storeScores(isInt8, secondScoresPtr + 2 * SCORE_ROW, acc2x89ab, acc2xcdef, qScalesPtr + 8, secondScalesPtr);
      storeScores(isInt8, scoresPtr + 3 * SCORE_ROW, acc3x0123, acc3x4567, qScalesPtr + 12, kScalesPtr);
      if (isWide) storeScores(isInt8, secondScoresPtr + 3 * SCORE_ROW, acc3x89ab, acc3xcdef, qScalesPtr + 12, secondScalesPtr);
    }
    if (rows > 4) {
      storeScores(isInt8, scoresPtr + 4 * SCORE_ROW, acc4x0123, acc4x4567, qScalesPtr + 16, kScalesPtr);
      if (isWide) storeScores(isInt8, secondScoresPtr + 4 * SCORE_ROW, acc4x89ab, acc4xcdef, qScalesPtr + 16, secondScalesPtr);
      storeScores(isInt8, scoresPtr + 5 * SCORE_ROW, acc5x0123, acc5x4567, qScalesPtr + 20, kScalesPtr);
      if (isWide) storeScores(isInt8, secondScoresPtr + 5 * SCORE_ROW, acc5x89ab, acc5xcdef, qScalesPtr + 20, secondScalesPtr);
    }
    if (isWide) kPanelPtr += panelBytes;
    scoresPtr += isWide ? 2 * PANEL_BYTES : PANEL_BYTES;
    kScalesPtr += isWide ? 2 * PANEL_BYTES : PANEL_BYTES;
    secondScoresPtr += 2 * PANEL_BYTES;
    secondScalesPtr += 2 * PANEL_BYTES;
  }
}

/** All panels, in the wide build two at once as long as there are two. Parameters as above. */
// @ts-ignore: decorator
@inline
function scorePanels(
  isInt8: bool,
  rows: i32,
  qStripPtr: usize,
  qScalesPtr: usize,
  kPanelPtr: usize,
  kScalesPtr: usize,
  scoresPtr: usize,
  steps: usize,
  panels: usize,
): void {
  if (IS_WIDE) {
    const even = panels & ~1;
    if (even) scoreTile(isInt8, rows, true, qStripPtr, qScalesPtr, kPanelPtr, kScalesPtr, scoresPtr, steps, even);
    if (even == panels) return;
    kPanelPtr += even * steps * stepBytes(isInt8);
    kScalesPtr += even * PANEL_BYTES;
    scoresPtr += even * PANEL_BYTES;
    panels = 1;
  }
  scoreTile(isInt8, rows, false, qStripPtr, qScalesPtr, kPanelPtr, kScalesPtr, scoresPtr, steps, panels);
}

/**
 * One row against four panels at a time: a tile of two accumulators would wait for each multiplication, and memory with it. Reads
 * keys as fast as memory gives them. Parameters as above.
 */
// @ts-ignore: decorator
@inline
function scoreTile1x32(
  isInt8: bool,
  qStripPtr: usize,
  qScalesPtr: usize,
  kPanelPtr: usize,
  kScalesPtr: usize,
  scoresPtr: usize,
  steps: usize,
  panels: usize,
): void {
  const panelBytes = steps * stepBytes(isInt8);
  for (; panels >= 4; panels -= 4) {
    let acc0x0123 = f32x4.splat(0);
    let acc0x4567 = f32x4.splat(0);
    let acc1x0123 = f32x4.splat(0); // of panel 1
    let acc1x4567 = f32x4.splat(0);
    let acc2x0123 = f32x4.splat(0);
    let acc2x4567 = f32x4.splat(0);
    let acc3x0123 = f32x4.splat(0);
    let acc3x4567 = f32x4.splat(0);

    let qPtr = qStripPtr;
    let k0Ptr = kPanelPtr;
    let k1Ptr = k0Ptr + panelBytes;
    let k2Ptr = k1Ptr + panelBytes;
    let k3Ptr = k2Ptr + panelBytes;
    const panelEnd = k1Ptr;
    do {
      const q = v128.load32_splat(qPtr);
      acc0x0123 = addProducts(isInt8, q, load0123(isInt8, k0Ptr), acc0x0123);
      acc0x4567 = addProducts(isInt8, q, load4567(isInt8, k0Ptr), acc0x4567);
      acc1x0123 = addProducts(isInt8, q, load0123(isInt8, k1Ptr), acc1x0123);
      acc1x4567 = addProducts(isInt8, q, load4567(isInt8, k1Ptr), acc1x4567);
      acc2x0123 = addProducts(isInt8, q, load0123(isInt8, k2Ptr), acc2x0123);
      acc2x4567 = addProducts(isInt8, q, load4567(isInt8, k2Ptr), acc2x4567);
      acc3x0123 = addProducts(isInt8, q, load0123(isInt8, k3Ptr), acc3x0123);
      acc3x4567 = addProducts(isInt8, q, load4567(isInt8, k3Ptr), acc3x4567);
      qPtr += PANEL_BYTES;
      k0Ptr += stepBytes(isInt8);
      k1Ptr += stepBytes(isInt8);
      k2Ptr += stepBytes(isInt8);
      k3Ptr += stepBytes(isInt8);
    } while (k0Ptr < panelEnd);

    storeScores(isInt8, scoresPtr, acc0x0123, acc0x4567, qScalesPtr, kScalesPtr);
    storeScores(isInt8, scoresPtr + 1 * PANEL_BYTES, acc1x0123, acc1x4567, qScalesPtr, kScalesPtr + 1 * PANEL_BYTES);
    storeScores(isInt8, scoresPtr + 2 * PANEL_BYTES, acc2x0123, acc2x4567, qScalesPtr, kScalesPtr + 2 * PANEL_BYTES);
    storeScores(isInt8, scoresPtr + 3 * PANEL_BYTES, acc3x0123, acc3x4567, qScalesPtr, kScalesPtr + 3 * PANEL_BYTES);
    scoresPtr += 4 * PANEL_BYTES;
    kScalesPtr += 4 * PANEL_BYTES;
    kPanelPtr += 4 * panelBytes;
  }
  if (panels > 0) scoreTile(isInt8, 1, false, qStripPtr, qScalesPtr, kPanelPtr, kScalesPtr, scoresPtr, steps, panels);
}

/** The tile of the given height. Parameters as above. */
// @ts-ignore: decorator
@inline
function scoreRows(
  isInt8: bool,
  tileRows: usize,
  qStripPtr: usize,
  qScalesPtr: usize,
  kPanelPtr: usize,
  kScalesPtr: usize,
  scoresPtr: usize,
  steps: usize,
  panels: usize,
): void {
  if (tileRows == 6) scorePanels(isInt8, 6, qStripPtr, qScalesPtr, kPanelPtr, kScalesPtr, scoresPtr, steps, panels);
  else if (tileRows == 4) scorePanels(isInt8, 4, qStripPtr, qScalesPtr, kPanelPtr, kScalesPtr, scoresPtr, steps, panels);
  else scoreTile1x32(isInt8, qStripPtr, qScalesPtr, kPanelPtr, kScalesPtr, scoresPtr, steps, panels);
}

/** Scores of a strip. Parameters as above. */
export function scoreStrip(
  tileRows: usize,
  qStripPtr: usize,
  kPanelPtr: usize,
  scoresPtr: usize,
  headDim: usize,
  panels: usize,
): void {
  scoreRows(false, tileRows, qStripPtr, 0, kPanelPtr, 0, scoresPtr, headDim, panels);
}

/** The same for keys in int8. */
export function scoreStripInt8(
  tileRows: usize,
  qStripPtr: usize,
  qScalesPtr: usize,
  kPanelPtr: usize,
  kScalesPtr: usize,
  scoresPtr: usize,
  pairs: usize,
  panels: usize,
): void {
  scoreRows(true, tileRows, qStripPtr, qScalesPtr, kPanelPtr, kScalesPtr, scoresPtr, pairs, panels);
}
