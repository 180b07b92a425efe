/**
 * Folds keys into the sums of linear attention:
 *
 *     S ← S · exp(G_n) + Σ_j exp(G_n − G_j) φ(k_j) v_jᵀ          z ← z + Σ_j φ(k_j)
 *
 * A strip of channels goes through the product tile like a strip of rows, with positions in place of channels: the sum over j is
 * one accumulator, in order, which is then added to S.
 */
import { mapKeys, packChunkValues } from "./keys";
import { FeatureMap, LinearParams } from "../abi/linearParams";
import { PANEL_GROUP } from "./rows";
import { LinearWork } from "./workspace";
import { flushLimit } from "../math/exponent";
import { PANEL, PANEL_BYTES, tileRowsFor } from "../tiles/layout";
import { multiplyStrip } from "../tiles/multiplyStrip";
import { packQuad } from "../tiles/pack";

/** Folds the open chunk, which must be complete. Overwrites the values of positions that a decay has cleared. */
export function foldChunk(p: LinearParams, work: LinearWork): void {
  const chunk = work.chunk;
  const decays = work.decays;
  const last = p.chunkSize - 1;
  let factor: f32 = 1;
  if (p.decayDim) {
    factor = decays.factorOfState(last);
    decays.factorsAt(last, p.chunkSize, work.channels.factors);
    const cleared = decays.firstKept(last) * PANEL_BYTES;
    for (let panel: usize = 0; panel < work.sums.numPanels; panel++) {
      memory.fill(chunk.value(panel, 0), 0, cleared); // not 0 · v: v may be NaN
    }
  }
  for (let channel: usize = 0; channel < p.featureDim; channel += p.stripRows) {
    packChannels(p, work, channel);
    if (p.decayDim) decayStrip(p, work);
    foldStrip(p, work, work.channels.strip, chunk.values, p.chunkSize, channel, factor);
  }
}

/** Folds the keys `first` to `first + count − 1`, which every row sees, in the memory of the open chunk but not as its keys. */
export function foldKeys(p: LinearParams, work: LinearWork, first: usize, count: usize): void {
  const chunk = work.chunk;
  const strips = work.channels.strips;
  const featureBytes = work.rows.featureBytes;
  const stripBytes = count * PANEL_BYTES;
  mapKeys(p, work, first, count);
  packChunkValues(p, work, first, count, chunk.values, stripBytes, 0);
  for (let j: usize = 0; j < count; j++) {
    let rowPtr = chunk.features + j * featureBytes;
    let stripPtr = strips + j * PANEL_BYTES;
    for (let channel: usize = 0; channel < p.featureDim; channel += p.stripRows, stripPtr += stripBytes) {
      v128.store(stripPtr, v128.load(rowPtr));
      v128.store(stripPtr, v128.load(rowPtr, 16), 16);
      rowPtr += p.stripRows << 2;
    }
  }
  let stripPtr = strips;
  for (let channel: usize = 0; channel < p.featureDim; channel += p.stripRows, stripPtr += stripBytes) {
    foldStrip(p, work, stripPtr, chunk.values, count, channel, 1);
  }
}

/** Channels from `channel` on as a strip [chunkSize, 8] of the positions in the open chunk. */
function packChannels(p: LinearParams, work: LinearWork, channel: usize): void {
  const last = p.featureDim - 1;
  for (let j: usize = 0; j < p.chunkSize; j += PANEL) {
    const panel = work.chunk.keys + j * (p.featureDim << 2);
    const stripPtr = work.channels.strip + j * PANEL_BYTES;
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

/** Multiplies the strip's elements of each position by its factor at the chunk's end. */
function decayStrip(p: LinearParams, work: LinearWork): void {
  const strip = work.channels.strip;
  const factors = work.channels.factors;
  const first = work.decays.firstKept(p.chunkSize - 1);
  for (let j = first; j < p.chunkSize; j++) {
    const ptr = strip + j * PANEL_BYTES;
    const factor = v128.load32_splat(factors + (j << 2));
    v128.store(ptr, f32x4.mul(v128.load(ptr), factor));
    v128.store(ptr, f32x4.mul(v128.load(ptr, 16), factor), 16);
  }
  memory.fill(strip, 0, first * PANEL_BYTES);
}

/**
 * S ← S · factor + strip · values, and z ← z + strip, for the channels of one strip in the range of columns.
 *
 * @param stripPtr  [steps, 8]
 * @param vPtr      [panels, steps, 8]
 */
function foldStrip(
  p: LinearParams,
  work: LinearWork,
  stripPtr: usize,
  vPtr: usize,
  steps: usize,
  channel: usize,
  factor: f32,
): void {
  const sums = work.sums;
  const products = work.channels.products;
  const channels = min(p.stripRows, p.featureDim - channel);
  const limit = p.decayDim ? flushLimit() : f32x4.splat(0);
  if (p.isNormalized || p.featureMap == FeatureMap.SOFTMAX) addToNormalizer(work, stripPtr, steps, channel, channels);
  for (let panel: usize = 0; panel < sums.numPanels; panel += PANEL_GROUP) {
    const panels = min(PANEL_GROUP, sums.numPanels - panel);
    multiplyStrip(tileRowsFor(channels), stripPtr, vPtr + panel * steps * PANEL_BYTES, products, steps, panels);
    sums.addProducts(products, channel, channels, panel, panels, factor, limit);
  }
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
  const channelSums = work.channels.sums;
  v128.store(channelSums, sum0123);
  v128.store(channelSums, sum4567, 16);
  let zPtr = work.sums.normalizer + (channel << 2);
  for (let c: usize = 0; c < channels; c++, zPtr += 4) store<f32>(zPtr, load<f32>(zPtr) + load<f32>(channelSums + (c << 2)));
}
