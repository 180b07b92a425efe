/**
 * The sums of a head over the keys that are folded, in the range of columns that is in progress.
 *
 *     S = Σ φ(k) vᵀ      [⌈valueDim / 8⌉, featureDim, 8], as value panels
 *     z = Σ φ(k)         [featureDim]
 */
import { flushLimit } from "../math/exponent";
import { madd } from "../math/simd";
import { accumulateRows } from "../tiles/accumulateRows";
import { ceilPanel, PANEL, PANEL_BYTES, ROW_BYTES, wholeLines } from "../tiles/layout";

@unmanaged
export class Sums {
  /** S, in the first panel of the range. */
  panels: usize;
  numPanels: usize;
  /** z */
  normalizer: usize;
  featureDim: usize;

  /** The sums that lie at `ptr`, in `numPanels` panels from `firstPanel` on. */
  set(ptr: usize, featureDim: usize, valueDim: usize, firstPanel: usize, numPanels: usize): void {
    assert((ptr & 63) == 0, "Sums.set: ptr must be 64-byte aligned");
    this.featureDim = featureDim;
    this.panels = ptr + firstPanel * this.panelBytes;
    this.numPanels = numPanels;
    this.normalizer = ptr + <usize>panelsBytes(featureDim, valueDim);
  }

  @inline
  get panelBytes(): usize {
    return this.featureDim * PANEL_BYTES;
  }

  /** Address of S in panel `index` of the range. */
  @inline
  panel(index: usize): usize {
    return this.panels + index * this.panelBytes;
  }

  /**
   * S ← S · factor + P, for some channels in some panels; what is nearer to 0 than `limit` becomes 0.
   *
   * @param products  P: a row a channel, ROW_BYTES apart
   */
  addProducts(products: usize, channel: usize, channels: usize, firstPanel: usize, panels: usize, factor: f32, limit: v128): void {
    const factors = f32x4.splat(factor);
    for (let i: usize = 0; i < panels; i++) {
      let sumPtr = this.panel(firstPanel + i) + channel * PANEL_BYTES;
      let ptr = products + i * PANEL_BYTES;
      for (const end = ptr + channels * ROW_BYTES; ptr < end; ptr += ROW_BYTES, sumPtr += PANEL_BYTES) {
        const kept0123 = factor == 0 ? f32x4.splat(0) : v128.load(sumPtr);
        const kept4567 = factor == 0 ? f32x4.splat(0) : v128.load(sumPtr, 16);
        v128.store(sumPtr, flushToZero(madd(kept0123, factors, v128.load(ptr)), limit));
        v128.store(sumPtr, flushToZero(madd(kept4567, factors, v128.load(ptr, 16)), limit), 16);
      }
    }
  }

  /** S ← S + k uᵀ */
  addOuter(kPtr: usize, uPtr: usize): void {
    let sumPtr = this.panels;
    const kEnd = kPtr + (this.featureDim << 2);
    for (let panel: usize = 0; panel < this.numPanels; panel++, uPtr += PANEL_BYTES) {
      const u0123 = v128.load(uPtr);
      const u4567 = v128.load(uPtr, 16);
      for (let ptr = kPtr; ptr < kEnd; ptr += 4, sumPtr += PANEL_BYTES) {
        const k = v128.load32_splat(ptr);
        v128.store(sumPtr, madd(k, u0123, v128.load(sumPtr)));
        v128.store(sumPtr, madd(k, u4567, v128.load(sumPtr, 16)), 16);
      }
    }
  }

  /** S ← diag(factors) S, 0 where nearer to 0 than flushLimit(); a factor of 0 clears its channel, even of NaN. */
  decayChannels(factorsPtr: usize): void {
    let sumPtr = this.panels;
    const zero = f32x4.splat(0);
    const limit = flushLimit();
    const factorsEnd = factorsPtr + (this.featureDim << 2);
    for (let panel: usize = 0; panel < this.numPanels; panel++) {
      for (let ptr = factorsPtr; ptr < factorsEnd; ptr += 4, sumPtr += PANEL_BYTES) {
        const factor = v128.load32_splat(ptr);
        const isCleared = f32x4.eq(factor, zero); // not 0 · S: S may be NaN
        const sum0123 = v128.andnot(f32x4.mul(v128.load(sumPtr), factor), isCleared);
        const sum4567 = v128.andnot(f32x4.mul(v128.load(sumPtr, 16), factor), isCleared);
        v128.store(sumPtr, flushToZero(sum0123, limit));
        v128.store(sumPtr, flushToZero(sum4567, limit), 16);
      }
    }
  }

  /** S ← diag(1 / z) S: turns exponentials into a softmax over the positions. */
  divideByNormalizer(): void {
    let sumPtr = this.panels;
    for (let panel: usize = 0; panel < this.numPanels; panel++) {
      for (let d: usize = 0; d < this.featureDim; d++, sumPtr += PANEL_BYTES) {
        const z = load<f32>(this.normalizer + (d << 2));
        const factor = f32x4.splat(z == 0 ? 0 : <f32>1 / z);
        v128.store(sumPtr, f32x4.mul(v128.load(sumPtr), factor));
        v128.store(sumPtr, f32x4.mul(v128.load(sumPtr, 16), factor), 16);
      }
    }
  }

  /** Sᵀx of a row x, to panels at `outPtr`. */
  read(rowPtr: usize, outPtr: usize): void {
    memory.fill(outPtr, 0, this.numPanels * PANEL_BYTES);
    accumulateRows(1, rowPtr, this.panels, this.panelBytes, outPtr, this.featureDim, this.numPanels);
  }
}

/** x, flushed to 0 where it is nearer to 0 than `limit`: what decays reaches 0, and does not stay among the subnormal numbers. */
// @ts-ignore: decorator
@inline
function flushToZero(x: v128, limit: v128): v128 {
  return v128.andnot(x, f32x4.lt(f32x4.abs(x), limit));
}

function panelsBytes(featureDim: usize, valueDim: usize): u64 {
  return wholeLines((<u64>ceilPanel(valueDim) / PANEL) * featureDim * PANEL_BYTES);
}

/** Bytes of S and z of a head. */
export function sumsBytes(featureDim: usize, valueDim: usize): u64 {
  return panelsBytes(featureDim, valueDim) + wholeLines((<u64>ceilPanel(featureDim)) << 2);
}
