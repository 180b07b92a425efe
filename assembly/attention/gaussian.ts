/**
 * The Gaussian of local attention: keys count less the farther they are from the centre of a row's window. Luong, Pham & Manning 2015,
 * arXiv:1508.04025, eq. 10.
 *
 *     weight_j · exp(−(j − centre)² / 2σ²) ,  σ = halfWidth / 2        or the same exponent as a bias
 */
import { AttentionParams, Gaussian } from "../abi/attentionParams";
import { exp2Neg4 } from "../math/exp2";
import { LOG2E } from "../math/exponent";
import { madd } from "../math/simd";
import { Row } from "./strip";

// Static data: see `minusInfinity` in simd.ts.
const KEY_NUMBERS = memory.data<f32>([0, 1, 2, 3]);
const SLOPE = memory.data<f32>([<f32>(-2 * LOG2E)]);

/** Multiplies the weights of keys from `firstKey` on by the Gaussian, if it is a factor. */
// @ts-ignore: decorator
@inline
export function weighDistances(p: AttentionParams, row: Row, firstKey: usize, weightsPtr: usize, bytes: usize): void {
  if (p.gaussian == Gaussian.FACTOR) multiplyGaussian(p, row, firstKey, weightsPtr, bytes);
}

function multiplyGaussian(p: AttentionParams, row: Row, firstKey: usize, weightsPtr: usize, bytes: usize): void {
  const slopes = v128.load32_splat(SLOPE);
  for (let byte: usize = 0; byte < bytes; byte += 16) {
    const factors = exp2Neg4(f32x4.mul(slopes, squares(p, row, firstKey + (byte >> 2))));
    v128.store(weightsPtr + byte, f32x4.mul(v128.load(weightsPtr + byte), factors));
  }
}

/** Adds the exponent of the Gaussian to the scores of keys from `firstKey` on, a multiple of 4. */
export function addExponents(p: AttentionParams, row: Row, firstKey: usize, keys: usize, factor: f64, scoresPtr: usize): void {
  const slopes = f32x4.splat(<f32>(-2 * factor));
  for (let index: usize = 0; index < keys; index += 4, scoresPtr += 16) {
    v128.store(scoresPtr, madd(slopes, squares(p, row, firstKey + index), v128.load(scoresPtr)));
  }
}

/** ((j − centre) / halfWidth)² of the four keys from `key` on. */
// @ts-ignore: decorator
@inline
function squares(p: AttentionParams, row: Row, key: usize): v128 {
  const keys = f32x4.add(f32x4.splat(<f32>key), v128.load(KEY_NUMBERS));
  const distances = f32x4.div(f32x4.sub(keys, f32x4.splat(row.centre)), f32x4.splat(p.halfWidth));
  return f32x4.mul(distances, distances);
}
