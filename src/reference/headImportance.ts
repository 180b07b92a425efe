/** How much each head of a layer matters, in float64, by definition. Voita et al. 2019, arXiv:1905.09418; Michel et al. 2019, arXiv:1905.10650. */
import type { Given } from "../call/readOptions.js";
import type { MultiHeadAttentionConfig } from "../multiHead/config.js";
import { multiHeadAttention, type ReferenceMultiHeadOptions, type ReferenceParameters } from "./multiHeadAttention.js";
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

/**
 * confidence_h = mean of max_j weights_hij ,  leaveOneOut_h = root of the mean of (out − out with gate_h = 0)², over the rows in which
 * head h has a weight other than 0
 *
 * @param x  [batch, seq, embedDim] or [seq, embedDim], in layout "batchFirst"
 *
 * @example
 * import { headImportance } from "headwise/reference";
 *
 * const one = { data: [1], dims: [1, 1] };
 * const x = { data: [3, 5], dims: [2, 1] };
 * const { leaveOneOut } = headImportance({ embedDim: 1, numHeads: 1 }, { q: one, k: one, v: one, out: one }, x, { causal: true });
 * console.log(leaveOneOut.data[0] > 4); // true
 */
export function headImportance(
  config: Given<MultiHeadAttentionConfig>,
  parameters: ReferenceParameters,
  x: ReferenceTensor,
  options: ReferenceMultiHeadOptions = {},
): { confidence: ReferenceResult; leaveOneOut: ReferenceResult } {
  const { numHeads } = config;
  const { key = x, headGates = config.headGates ?? new Array<number>(numHeads).fill(1) } = options;
  const rows = x.data.length / x.dims.at(-1)!;
  const seqLen = x.dims.at(-2)!;
  const kvLen = key.dims.at(-2)! + (parameters.biasK ? 1 : 0) + (config.addZeroAttention ? 1 : 0);
  const weights = { data: new Float64Array(rows * numHeads * kvLen), dims: [rows / seqLen, numHeads, seqLen, kvLen] };
  const out = multiHeadAttention(config, parameters, x, { ...options, weights }).data;
  const width = out.length / rows;

  const found = Array.from({ length: numHeads }, (_, head) => {
    const gates = Array.from(headGates, (gate, index) => (index === head ? 0 : gate));
    const without = multiHeadAttention(config, parameters, x, { ...options, headGates: gates }).data;
    const largest = Array.from({ length: rows }, (_, row) => {
      const first = ((Math.floor(row / seqLen) * numHeads + head) * seqLen + (row % seqLen)) * kvLen;
      return weights.data.subarray(first, first + kvLen).reduce((most, weight) => Math.max(most, weight), 0);
    });
    const seen = largest.flatMap((weight, row) => (weight === 0 ? [] : [row]));
    const squares = seen.flatMap((row) =>
      Array.from({ length: width }, (_, c) => (out[row * width + c]! - without[row * width + c]!) ** 2),
    );
    const mean = (numbers: number[]): number =>
      numbers.length === 0 ? 0 : numbers.reduce((sum, y) => sum + y, 0) / numbers.length;
    return { confidence: mean(seen.map((row) => largest[row]!)), change: Math.sqrt(mean(squares)) };
  });
  const result = (numbers: number[]): ReferenceResult => ({ data: Float64Array.from(numbers), dims: [numHeads] });
  return { confidence: result(found.map(({ confidence }) => confidence)), leaveOneOut: result(found.map(({ change }) => change)) };
}
