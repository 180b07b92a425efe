/**
 * Attention over the union of disjoint sets of keys, from the results on each set, which are an output and a
 * logSumExp. Dao, Haziza, Massa & Sizov 2023, "Flash-Decoding".
 *
 *     out = Σ_p exp(logSumExp_p − logSumExp) out_p          logSumExp = ln Σ_p exp(logSumExp_p)
 */
import { MergePart, MergeParams } from "../abi/attentionParams";
import { madd } from "../math/simd";
import { exp2Neg1 } from "../math/exp2";
import { LOG2E } from "../math/exponent";

export function mergeUnits(params: usize): usize {
  const p = changetype<MergeParams>(params);
  return p.batchSize * p.numHeads * p.seqLen;
}

/**
 * The rows `first` to `end` − 1 of [batch, head, row]. A part whose logSumExp is −∞ saw no key and is ignored; where no part
 * saw one, out is 0.
 */
export function merge(params: usize, _workspace: usize, first: usize, end: usize): void {
  const p = changetype<MergeParams>(params);
  for (let unit = first; unit < end; unit++) {
    const index = unit / p.seqLen;
    const offset = (index / p.numHeads) * p.batchStride + (index % p.numHeads) * p.headStride + (unit % p.seqLen) * p.rowStride;
    mergeRow(p, offset << 2, unit << 2);
  }
}

/** A row `outOffset` bytes into each output, and `lseOffset` bytes into each logSumExp. */
function mergeRow(p: MergeParams, outOffset: usize, lseOffset: usize): void {
  let most: f32 = -Infinity;
  for (let i: usize = 0; i < p.numParts; i++) most = max(most, logSumExpOf(p, i, lseOffset));
  const shift: f32 = most == -Infinity ? 0 : most;
  let sum: f32 = 0;
  for (let i: usize = 0; i < p.numParts; i++) sum += power(logSumExpOf(p, i, lseOffset), shift);

  const outPtr = p.out + outOffset;
  for (let i: usize = 0; i < p.numParts; i++) {
    const logSumExp = logSumExpOf(p, i, lseOffset);
    if (logSumExp != -Infinity) {
      addPart(part(p, i).out + outOffset, outPtr, p.valueDim, power(logSumExp, shift) / sum, i == 0);
    } else if (i == 0) {
      memory.fill(outPtr, 0, p.valueDim << 2);
    }
  }
  if (p.logSumExp) store<f32>(p.logSumExp + lseOffset, <f32>(<f64>shift + <f64>Mathf.log(sum)));
}

// @ts-ignore: decorator
@inline
function part(p: MergeParams, index: usize): MergePart {
  return changetype<MergePart>(p.parts + index * offsetof<MergePart>());
}

// @ts-ignore: decorator
@inline
function logSumExpOf(p: MergeParams, index: usize, lseOffset: usize): f32 {
  return load<f32>(part(p, index).logSumExp + lseOffset);
}

/** exp(logSumExp − shift) */
// @ts-ignore: decorator
@inline
function power(logSumExp: f32, shift: f32): f32 {
  return exp2Neg1(<f32>((<f64>logSumExp - <f64>shift) * LOG2E));
}

/** out = weight · part for the first part, + weight · part for the others. */
function addPart(partPtr: usize, outPtr: usize, count: usize, weight: f32, isFirst: bool): void {
  const weights = f32x4.splat(weight);
  const wholeEnd = outPtr + ((count & ~3) << 2);
  for (; outPtr < wholeEnd; outPtr += 16, partPtr += 16) {
    const before = isFirst ? f32x4.splat(0) : v128.load(outPtr);
    v128.store(outPtr, madd(v128.load(partPtr), weights, before));
  }
  for (let rest = count & 3; rest > 0; rest--, outPtr += 4, partPtr += 4) {
    const before = isFirst ? f32x4.splat(0) : v128.load32_splat(outPtr);
    v128.store32_lane(outPtr, madd(v128.load32_splat(partPtr), weights, before), 0);
  }
}
