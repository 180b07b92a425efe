/**
 * Local attention: each row sees a window of keys around a centre of its own, and keys count less the farther they are from it. Luong, Pham
 * & Manning 2015, arXiv:1508.04025, section 3.2.
 *
 *     |j − centre| ≤ halfWidth        weight_j · exp(−(j − centre)² / 2σ²) ,  σ = halfWidth / 2
 */
import { AttentionParams, Gaussian, SequenceParams } from "../abi/attentionParams";
import { exp2Neg4 } from "../math/exp2";
import { LOG2E } from "../math/exponent";
import { madd } from "../math/simd";
import { Row } from "./strip";

const KEY_NUMBERS = memory.data<f32>([0, 1, 2, 3]);

/** Confines a row, whose position is known, to its window; `index` is its number in [batch, numHeads, seqLen]. */
export function confineRow(p: AttentionParams, sequence: SequenceParams, row: Row, index: usize): void {
  let centre = <f64>row.position;
  if (p.centers) {
    centre = <f64>load<f32>(p.centers + (index << 2));
    if (p.predictsCenters) centre = <f64>(<f32>(centre * <f64>sequence.keyLength));
  }
  const keys = <f64>sequence.keyRows;
  const from = max(0, Math.ceil(centre - <f64>p.halfWidth));
  const to = min(keys, Math.floor(centre + <f64>p.halfWidth) + 1);
  const seesKeys = from < to; // not if the centre is NaN
  row.centre = seesKeys ? <f32>centre : 0;
  row.localFrom = seesKeys ? <i32>from : 0;
  row.localTo = seesKeys ? <i32>to : 0;
  row.confine(row.localFrom, row.localTo);
}

/** Multiplies the weights of keys from `firstKey` on by the Gaussian, if it is a factor. */
// @ts-ignore: decorator
@inline
export function weighDistances(p: AttentionParams, row: Row, firstKey: usize, weightsPtr: usize, bytes: usize): void {
  if (p.gaussian == Gaussian.FACTOR) multiplyGaussian(p, row, firstKey, weightsPtr, bytes);
}

function multiplyGaussian(p: AttentionParams, row: Row, firstKey: usize, weightsPtr: usize, bytes: usize): void {
  const slopes = f32x4.splat(<f32>(-2 * LOG2E));
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
