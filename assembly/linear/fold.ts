/**
 * Folds keys into the sums of linear attention:
 *
 *     S ← S · exp(G_n) + Σ_j exp(G_n − G_j) φ(k_j) v_jᵀ          z ← z + Σ_j φ(k_j)
 *
 * A strip of channels goes through the score tile as a strip of rows does, with positions in place of channels: the sum over j is one
 * accumulator in order, and then added to S.
 */
import { decaySum, factorOfState, factors4, firstLeft } from "./decays";
import { FeatureMap } from "./featureMaps";
import { packQuad } from "../tiles/pack";
import { LinearParams } from "../abi/linearParams";
import { LinearWork, PANEL_GROUP } from "./workspace";
import { multiplyStrip } from "../tiles/multiplyStrip";
import { madd } from "../math/simd";
import { PANEL, PANEL_BYTES, ROW_BYTES, tileRowsFor } from "../tiles/layout";

/** Channels from `channel` on as a strip [count, 8] of the positions in the open chunk. */
function packChannels(p: LinearParams, work: LinearWork, channel: usize): void {
  const last = p.featureDim - 1;
  for (let j: usize = 0; j < p.chunkSize; j += PANEL) {
    const panel = work.state.keys + j * (p.featureDim << 2);
    const stripPtr = work.strip + j * PANEL_BYTES;
    const positions = min(PANEL, p.chunkSize - j);
    for (let column: usize = 0; column < p.stripRows; column += 4) {
      packQuad(
        panel + min(channel + column, last) * PANEL_BYTES,
        panel + min(channel + column + 1, last) * PANEL_BYTES,
        panel + min(channel + column + 2, last) * PANEL_BYTES,
        panel + min(channel + column + 3, last) * PANEL_BYTES,
        stripPtr + (column << 2),
        positions,
        1,
      );
    }
  }
}

/** Multiplies what the strip has of each position by what is left of it at the chunk's end. */
function decayStrip(p: LinearParams, work: LinearWork): void {
  const first = firstLeft(work, p.chunkSize - 1);
  for (let j = first; j < p.chunkSize; j++) {
    const ptr = work.strip + j * PANEL_BYTES;
    const factor = v128.load32_splat(work.scores + (j << 2));
    v128.store(ptr, f32x4.mul(v128.load(ptr), factor));
    v128.store(ptr, f32x4.mul(v128.load(ptr, 16), factor), 16);
  }
  memory.fill(work.strip, 0, first * PANEL_BYTES);
}

/** z += the sum over `steps` positions of the strip's channels. */
// @ts-ignore: decorator
@inline
function addToNormalizer(work: LinearWork, stripPtr: usize, steps: usize, channel: usize, channels: usize): void {
  let sum0123 = f32x4.splat(0);
  let sum4567 = f32x4.splat(0);
  for (const end = stripPtr + steps * PANEL_BYTES; stripPtr < end; stripPtr += PANEL_BYTES) {
    sum0123 = f32x4.add(sum0123, v128.load(stripPtr));
    sum4567 = f32x4.add(sum4567, v128.load(stripPtr, 16));
  }
  v128.store(work.normalizers, sum0123);
  v128.store(work.normalizers, sum4567, 16);
  for (let c: usize = 0; c < channels; c++) {
    const zPtr = work.state.normalizer + ((channel + c) << 2);
    store<f32>(zPtr, load<f32>(zPtr) + load<f32>(work.normalizers + (c << 2)));
  }
}

/**
 * S ← S · factor + strip · values, for the channels of one strip in the range of columns.
 *
 * @param stripPtr  [steps, 8]
 * @param vPtr      [panels, steps, 8]
 */
export function foldStrip(
  p: LinearParams,
  work: LinearWork,
  stripPtr: usize,
  vPtr: usize,
  steps: usize,
  channel: usize,
  factor: f32,
): void {
  const channels = min(p.stripRows, p.featureDim - channel);
  const sumPanelBytes = p.featureDim * PANEL_BYTES;
  const factors = f32x4.splat(factor);
  if (p.isNormalized || p.featureMap == FeatureMap.SOFTMAX) addToNormalizer(work, stripPtr, steps, channel, channels);
  for (let panel: usize = 0; panel < work.numPanels; panel += PANEL_GROUP) {
    const panels = min(PANEL_GROUP, work.numPanels - panel);
    multiplyStrip(tileRowsFor(channels), stripPtr, vPtr + panel * steps * PANEL_BYTES, work.products, steps, panels);
    for (let i: usize = 0; i < panels; i++) {
      let sumPtr = work.sums(p) + (panel + i) * sumPanelBytes + channel * PANEL_BYTES;
      let ptr = work.products + i * PANEL_BYTES;
      for (const end = ptr + channels * ROW_BYTES; ptr < end; ptr += ROW_BYTES, sumPtr += PANEL_BYTES) {
        const kept0123 = factor == 0 ? f32x4.splat(0) : v128.load(sumPtr);
        const kept4567 = factor == 0 ? f32x4.splat(0) : v128.load(sumPtr, 16);
        v128.store(sumPtr, madd(kept0123, factors, v128.load(ptr)));
        v128.store(sumPtr, madd(kept4567, factors, v128.load(ptr, 16)), 16);
      }
    }
  }
}

/** Folds the open chunk, which is complete. Values of positions that a decay has cleared are lost. */
export function foldChunk(p: LinearParams, work: LinearWork): void {
  const last = p.chunkSize - 1;
  const vPanelBytes = p.chunkSize * PANEL_BYTES;
  let factor: f32 = 1;
  if (p.decayDim) {
    factor = factorOfState(work, last);
    const sum = f64x2.splat(decaySum(work, last));
    for (let j: usize = 0; j < p.chunkSize; j += 4) {
      v128.store(work.scores + (j << 2), factors4(work.decaySums + (j << 3), sum));
    }
    const first = firstLeft(work, last);
    for (let panel: usize = 0; panel < work.numPanels; panel++) {
      memory.fill(work.values(p) + panel * vPanelBytes, 0, first * PANEL_BYTES); // not 0 · v: v may be NaN
    }
  }
  for (let channel: usize = 0; channel < p.featureDim; channel += p.stripRows) {
    packChannels(p, work, channel);
    if (p.decayDim) decayStrip(p, work);
    foldStrip(p, work, work.strip, work.values(p), p.chunkSize, channel, factor);
  }
}
