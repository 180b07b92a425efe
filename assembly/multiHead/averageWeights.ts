/**
 * Means of weights over the heads: out[b, i, j] = (Σ_h weights[b, h, i, j]) / numHeads, head by head in float64 and rounded once.
 */

/** Means over heads. */
@unmanaged
export class AverageParams {
  /** [batchSize, numHeads, seqLen, kvLen] */
  weights: usize;
  /** [batchSize, seqLen, kvLen] */
  out: usize;
  batchSize: usize;
  numHeads: usize;
  seqLen: usize;
  kvLen: usize;
}

export function averageWeightsUnits(params: usize): usize {
  const p = changetype<AverageParams>(params);
  return p.batchSize * p.seqLen;
}

/** Rows `first` to `end` − 1 of all batch entries. Nothing beyond a row is read or written. */
export function averageWeights(params: usize, _workspace: usize, first: usize, end: usize): void {
  const p = changetype<AverageParams>(params);
  const rowBytes = p.kvLen << 2;
  const headBytes = p.seqLen * rowBytes;
  for (let row = first; row < end; row++) {
    const batch = row / p.seqLen;
    averageRow(p, p.weights + batch * p.numHeads * headBytes + (row % p.seqLen) * rowBytes, headBytes, p.out + row * rowBytes);
  }
}

/** One row, whose weights in head 0 begin at `weightsPtr`. */
function averageRow(p: AverageParams, weightsPtr: usize, headBytes: usize, outPtr: usize): void {
  const headsBytes = p.numHeads * headBytes;
  const divisor = f64x2.splat(<f64>p.numHeads);
  const wholeEnd = outPtr + ((p.kvLen & ~7) << 2);
  for (; outPtr < wholeEnd; outPtr += 32, weightsPtr += 32) {
    let sum01 = f64x2.splat(0);
    let sum23 = f64x2.splat(0);
    let sum45 = f64x2.splat(0);
    let sum67 = f64x2.splat(0);
    for (let ptr = weightsPtr, headsEnd = weightsPtr + headsBytes; ptr < headsEnd; ptr += headBytes) {
      const w0123 = v128.load(ptr);
      const w4567 = v128.load(ptr, 16);
      sum01 = f64x2.add(sum01, f64x2.promote_low_f32x4(w0123));
      sum23 = f64x2.add(sum23, f64x2.promote_low_f32x4(v128.shuffle<f64>(w0123, w0123, 1, 1)));
      sum45 = f64x2.add(sum45, f64x2.promote_low_f32x4(w4567));
      sum67 = f64x2.add(sum67, f64x2.promote_low_f32x4(v128.shuffle<f64>(w4567, w4567, 1, 1)));
    }
    v128.store(outPtr, roundFour(f64x2.div(sum01, divisor), f64x2.div(sum23, divisor)));
    v128.store(outPtr, roundFour(f64x2.div(sum45, divisor), f64x2.div(sum67, divisor)), 16);
  }
  for (let rest = p.kvLen & 7; rest > 0; rest--, outPtr += 4, weightsPtr += 4) {
    let sum: f64 = 0;
    for (let ptr = weightsPtr, headsEnd = weightsPtr + headsBytes; ptr < headsEnd; ptr += headBytes) sum += <f64>load<f32>(ptr);
    store<f32>(outPtr, <f32>(sum / <f64>p.numHeads));
  }
}

/** Four float64 as float32. */
// @ts-ignore: decorator
@inline
function roundFour(x01: v128, x23: v128): v128 {
  return v128.shuffle<f64>(f32x4.demote_f64x2_zero(x01), f32x4.demote_f64x2_zero(x23), 0, 2);
}
