/**
 * Norms of packed queries and keys, for cosines. Sums are in float64: squares of float32 neither overflow nor underflow there.
 *
 * Queries become unit vectors times SHRINK, so that no product with a key overflows, however large the key is; a product is then multiplied by
 * LIFT / ‖k‖. The products of a zero vector are 0.
 */
import { scaleColumn } from "./pack";
import { PAIR_PANEL_BYTES, pairsOf } from "./pairs";
import { PANEL, PANEL_BYTES } from "./layout";

// Powers of two, so that no factor is subnormal.
/** The sum over up to 65536 channels of the largest float32 stays finite. */
export const SHRINK: f64 = 0.00390625; // 2⁻⁸
/** Factors of keys are this much larger. */
export const LIFT: f64 = 256; // 2⁸
/** Queries longer than the reciprocal are multiplied by this first, and those shorter than this are divided by it. */
const FAR: f64 = 5.421010862427522e-20; // 2⁻⁶⁴

/** Makes a packed query a unit vector times SHRINK; a zero vector stays what it is. */
export function normalizeColumn(columnPtr: usize, rowPtr: usize, channels: usize): void {
  let sum: f64 = 0;
  for (const end = rowPtr + (channels << 2); rowPtr < end; rowPtr += 4) {
    const x = <f64>load<f32>(rowPtr);
    sum += x * x;
  }
  const first = sum * FAR * FAR > 1 ? FAR : sum < FAR * FAR ? 1 / FAR : 1;
  if (first != 1) scaleColumn(columnPtr, channels, <f32>first);
  scaleColumn(columnPtr, channels, reciprocalRoot(sum, SHRINK / first));
}

/** factor / √sum, kept finite: a zero vector stays one. */
// @ts-ignore: decorator
@inline
function reciprocalRoot(sum: f64, factor: f64): f32 {
  return <f32>min<f64>(f32.MAX_VALUE, factor / sqrt(sum));
}

/** LIFT / ‖k‖ of `keys` packed keys, eight at a time: their sums of squares in four vectors of float64. */
export function writeFactors(panelPtr: usize, keys: usize, channels: usize, toPtr: usize): void {
  for (const end = toPtr + (keys << 2); toPtr < end; toPtr += PANEL_BYTES) {
    let sum01 = f64x2.splat(0);
    let sum23 = f64x2.splat(0);
    let sum45 = f64x2.splat(0);
    let sum67 = f64x2.splat(0);
    for (const panelEnd = panelPtr + channels * PANEL_BYTES; panelPtr < panelEnd; panelPtr += PANEL_BYTES) {
      const k01 = f64x2.promote_low_f32x4(v128.load64_zero(panelPtr));
      const k23 = f64x2.promote_low_f32x4(v128.load64_zero(panelPtr, 8));
      const k45 = f64x2.promote_low_f32x4(v128.load64_zero(panelPtr, 16));
      const k67 = f64x2.promote_low_f32x4(v128.load64_zero(panelPtr, 24));
      sum01 = f64x2.add(sum01, f64x2.mul(k01, k01));
      sum23 = f64x2.add(sum23, f64x2.mul(k23, k23));
      sum45 = f64x2.add(sum45, f64x2.mul(k45, k45));
      sum67 = f64x2.add(sum67, f64x2.mul(k67, k67));
    }
    storePair(toPtr, sum01);
    storePair(toPtr + 8, sum23);
    storePair(toPtr + 16, sum45);
    storePair(toPtr + 24, sum67);
  }
}

// @ts-ignore: decorator
@inline
function storePair(ptr: usize, sums: v128): void {
  store<f32>(ptr, reciprocalRoot(f64x2.extract_lane(sums, 0), LIFT));
  store<f32>(ptr, reciprocalRoot(f64x2.extract_lane(sums, 1), LIFT), 4);
}

/** The same for keys of int8, which lie in pairs of channels and have scales. */
export function writeInt8Factors(panelsPtr: usize, scales: usize, keys: usize, channels: usize, toPtr: usize): void {
  const pairs = pairsOf(channels);
  for (let j: usize = 0; j < keys; j++) {
    let ptr = panelsPtr + (j / PANEL) * pairs * PAIR_PANEL_BYTES + ((j % PANEL) << 1);
    let sum: i64 = 0;
    for (let pair: usize = 0; pair < pairs; pair++, ptr += PAIR_PANEL_BYTES) {
      const a = <i64>load<i8>(ptr);
      const b = <i64>load<i8>(ptr, 1);
      sum += a * a + b * b;
    }
    const scale = <f64>load<f32>(scales + (j << 2));
    store<f32>(toPtr + (j << 2), reciprocalRoot(<f64>sum * scale * scale, LIFT));
  }
}
