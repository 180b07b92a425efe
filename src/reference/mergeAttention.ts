/** Attention over the union of disjoint sets of keys, from the results on each set, in float64. Dao et al. 2023, Flash-Decoding. */
import { type ReferenceLayout, rowIndex, sizesOf } from "./layout.js";
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

/** The results of attention on one set of keys: out [batch, seqLen, numHeads, valueDim] and logSumExp [batch, numHeads, seqLen]. */
export interface ReferencePart {
  readonly out: ReferenceTensor;
  readonly logSumExp: ReferenceTensor;
}

/**
 * out = Σ_p exp(logSumExp_p − logSumExp) out_p, with logSumExp = ln Σ_p exp(logSumExp_p)
 *
 * @returns { out, logSumExp } with the parts' sizes
 *
 * @example
 * import { mergeAttention } from "headwise/reference";
 *
 * const part = (out, logSumExp) => ({ out: { data: [out], dims: [1, 1] }, logSumExp: { data: [logSumExp], dims: [1] } });
 * console.log(mergeAttention([part(2, 0), part(4, 0)]).out.data[0]); // 3
 */
export function mergeAttention(
  parts: readonly ReferencePart[],
  layout: ReferenceLayout = "bshd",
): { out: ReferenceResult; logSumExp: ReferenceResult } {
  const { dims } = parts[0]!.out;
  const sizes = sizesOf(dims, layout);
  const [, seqLen, numHeads, valueDim] = sizes;
  const out = { data: new Float64Array(parts[0]!.out.data.length), dims };
  const logSumExp = { data: new Float64Array(parts[0]!.logSumExp.data.length), dims: parts[0]!.logSumExp.dims };

  for (let row = 0; row < logSumExp.data.length; row++) {
    const [b, h, i] = [Math.floor(row / seqLen / numHeads), Math.floor(row / seqLen) % numHeads, row % seqLen];
    const outRow = rowIndex(layout, sizes, b, i, h);
    const lses = parts.map((part) => part.logSumExp.data[row]!);
    const most = lses.reduce((a, b) => Math.max(a, b), -Infinity);
    const powers = lses.map((lse) => (lse === -Infinity ? 0 : Math.exp(lse - most)));
    const sum = powers.reduce((a, b) => a + b, 0);
    logSumExp.data[row] = sum === 0 ? -Infinity : most + Math.log(sum);
    for (const [index, part] of parts.entries()) {
      if (lses[index] === -Infinity) continue; // not 0 · out: out may be NaN
      for (let d = 0; d < valueDim; d++) {
        out.data[outRow * valueDim + d]! += (powers[index]! / sum) * part.out.data[outRow * valueDim + d]!;
      }
    }
  }
  return { out, logSumExp };
}
