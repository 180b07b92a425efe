/**
 * Scores of one strip of query rows against consecutive key panels.
 *
 *     S[r, j] = Σ_d Q[r, d] · K[j, d]          r < rows, j < 8 · panels, d in order 0 … headDim − 1
 *
 * The sum over d is never split: a score has the same bits whether its row is computed with five others or alone.
 */
import { madd } from "./simd";
import { PANEL_BYTES, SCORE_ROW } from "./layout";

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
 * @param rows       rows of the tile, a literal: 1, 4 or 6
 * @param qStripPtr  packed queries [headDim, 8], scale already applied; 16-byte aligned
 * @param kPanelPtr  packed keys [panels, headDim, 8]; 16-byte aligned
 * @param scoresPtr  `rows` rows, SCORE_ROW bytes apart; 8 · panels scores of each are written whole. Must not overlap the inputs.
 * @param headDim    channels, ≥ 1
 * @param panels     key panels, ≥ 1
 */
// @ts-ignore: decorator
@inline
function scoreTile(rows: i32, qStripPtr: usize, kPanelPtr: usize, scoresPtr: usize, headDim: usize, panels: usize): void {
  assert(headDim > 0 && panels > 0, "scoreTile: headDim and panels must be positive");
  assert(((qStripPtr | kPanelPtr | scoresPtr) & 15) == 0, "scoreTile: pointers must be 16-byte aligned");
  const panelBytes = headDim * PANEL_BYTES;
  const kEnd = kPanelPtr + panels * panelBytes;

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

    let qPtr = qStripPtr;
    const panelEnd = kPanelPtr + panelBytes;
    do {
      const k0123 = v128.load(kPanelPtr);
      const k4567 = v128.load(kPanelPtr, 16);
      let q = v128.load32_splat(qPtr);
      acc0x0123 = madd(q, k0123, acc0x0123);
      acc0x4567 = madd(q, k4567, acc0x4567);
      if (rows > 1) {
        q = v128.load32_splat(qPtr, 4);
        acc1x0123 = madd(q, k0123, acc1x0123);
        acc1x4567 = madd(q, k4567, acc1x4567);
        q = v128.load32_splat(qPtr, 8);
        acc2x0123 = madd(q, k0123, acc2x0123);
        acc2x4567 = madd(q, k4567, acc2x4567);
        q = v128.load32_splat(qPtr, 12);
        acc3x0123 = madd(q, k0123, acc3x0123);
        acc3x4567 = madd(q, k4567, acc3x4567);
      }
      if (rows > 4) {
        q = v128.load32_splat(qPtr, 16);
        acc4x0123 = madd(q, k0123, acc4x0123);
        acc4x4567 = madd(q, k4567, acc4x4567);
        q = v128.load32_splat(qPtr, 20);
        acc5x0123 = madd(q, k0123, acc5x0123);
        acc5x4567 = madd(q, k4567, acc5x4567);
      }
      qPtr += PANEL_BYTES;
      kPanelPtr += PANEL_BYTES;
    } while (kPanelPtr < panelEnd);

    v128.store(scoresPtr, acc0x0123);
    v128.store(scoresPtr, acc0x4567, 16);
    if (rows > 1) {
      v128.store(scoresPtr, acc1x0123, SCORE_ROW);
      v128.store(scoresPtr, acc1x4567, SCORE_ROW + 16);
      v128.store(scoresPtr, acc2x0123, 2 * SCORE_ROW);
      v128.store(scoresPtr, acc2x4567, 2 * SCORE_ROW + 16);
      v128.store(scoresPtr, acc3x0123, 3 * SCORE_ROW);
      v128.store(scoresPtr, acc3x4567, 3 * SCORE_ROW + 16);
    }
    if (rows > 4) {
      v128.store(scoresPtr, acc4x0123, 4 * SCORE_ROW);
      v128.store(scoresPtr, acc4x4567, 4 * SCORE_ROW + 16);
      v128.store(scoresPtr, acc5x0123, 5 * SCORE_ROW);
      v128.store(scoresPtr, acc5x4567, 5 * SCORE_ROW + 16);
    }
    scoresPtr += PANEL_BYTES;
  }
}

function scoreTile6x8(qStripPtr: usize, kPanelPtr: usize, scoresPtr: usize, headDim: usize, panels: usize): void {
  scoreTile(6, qStripPtr, kPanelPtr, scoresPtr, headDim, panels);
}

function scoreTile4x8(qStripPtr: usize, kPanelPtr: usize, scoresPtr: usize, headDim: usize, panels: usize): void {
  scoreTile(4, qStripPtr, kPanelPtr, scoresPtr, headDim, panels);
}

function scoreTile1x8(qStripPtr: usize, kPanelPtr: usize, scoresPtr: usize, headDim: usize, panels: usize): void {
  scoreTile(1, qStripPtr, kPanelPtr, scoresPtr, headDim, panels);
}

/**
 * One row against four panels at a time: a tile of two accumulators would wait for each multiplication, and memory with it. Reads
 * keys as fast as memory gives them. Parameters as above.
 */
function scoreTile1x32(qStripPtr: usize, kPanelPtr: usize, scoresPtr: usize, headDim: usize, panels: usize): void {
  const panelBytes = headDim * PANEL_BYTES;
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
      acc0x0123 = madd(q, v128.load(k0Ptr), acc0x0123);
      acc0x4567 = madd(q, v128.load(k0Ptr, 16), acc0x4567);
      acc1x0123 = madd(q, v128.load(k1Ptr), acc1x0123);
      acc1x4567 = madd(q, v128.load(k1Ptr, 16), acc1x4567);
      acc2x0123 = madd(q, v128.load(k2Ptr), acc2x0123);
      acc2x4567 = madd(q, v128.load(k2Ptr, 16), acc2x4567);
      acc3x0123 = madd(q, v128.load(k3Ptr), acc3x0123);
      acc3x4567 = madd(q, v128.load(k3Ptr, 16), acc3x4567);
      qPtr += PANEL_BYTES;
      k0Ptr += PANEL_BYTES;
      k1Ptr += PANEL_BYTES;
      k2Ptr += PANEL_BYTES;
      k3Ptr += PANEL_BYTES;
    } while (k0Ptr < panelEnd);

    v128.store(scoresPtr, acc0x0123);
    v128.store(scoresPtr, acc0x4567, 16);
    v128.store(scoresPtr, acc1x0123, 1 * PANEL_BYTES);
    v128.store(scoresPtr, acc1x4567, 1 * PANEL_BYTES + 16);
    v128.store(scoresPtr, acc2x0123, 2 * PANEL_BYTES);
    v128.store(scoresPtr, acc2x4567, 2 * PANEL_BYTES + 16);
    v128.store(scoresPtr, acc3x0123, 3 * PANEL_BYTES);
    v128.store(scoresPtr, acc3x4567, 3 * PANEL_BYTES + 16);
    scoresPtr += 4 * PANEL_BYTES;
    kPanelPtr += 4 * panelBytes;
  }
  if (panels > 0) scoreTile1x8(qStripPtr, kPanelPtr, scoresPtr, headDim, panels);
}

/** The tile of the given height; parameters as above. */
export function scoreStrip(
  tileRows: usize,
  qStripPtr: usize,
  kPanelPtr: usize,
  scoresPtr: usize,
  headDim: usize,
  panels: usize,
): void {
  if (tileRows == 6) scoreTile6x8(qStripPtr, kPanelPtr, scoresPtr, headDim, panels);
  else if (tileRows == 4) scoreTile4x8(qStripPtr, kPanelPtr, scoresPtr, headDim, panels);
  else scoreTile1x32(qStripPtr, kPanelPtr, scoresPtr, headDim, panels);
}
