/** The circuits of a head in float64, by their definition. Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits". */
import type { Given } from "../call/readOptions.js";
import type { MultiHeadAttentionConfig } from "../multiHead/config.js";
import type { ReferenceParameters } from "./multiHeadAttention.js";
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

/**
 * queryKey = W^Q_h W^K_h ᵀ [embedDim, kDim] ,  outputValue = (W^V_h W^O_h)ᵀ [outDim, vDim]
 *
 * @param parameters  with q, k and v apart
 *
 * @example
 * import { circuits } from "headwise/reference";
 *
 * const [row, column] = [{ data: [3, 5], dims: [1, 2] }, { data: [1, 2], dims: [2, 1] }];
 * const { queryKey } = circuits({ embedDim: 2, numHeads: 1, headDim: 1 }, { q: row, k: row, v: row, out: column }, 0);
 * console.log(queryKey.data); // Float64Array(4) [ 9, 15, 15, 25 ]
 */
export function circuits(
  config: Given<MultiHeadAttentionConfig>,
  { q, k, v, out }: ReferenceParameters,
  head: number,
): { queryKey: ReferenceResult; outputValue: ReferenceResult } {
  const { embedDim, numHeads, numKvHeads = numHeads, headDim = embedDim / numHeads, valueDim = headDim } = config;
  const { kDim = embedDim, vDim = embedDim, outDim = embedDim, weightLayout = "outIn" } = config;
  const kvHead = Math.floor((head * numKvHeads) / numHeads);
  const isOutIn = weightLayout === "outIn";
  /** The element of W [inDim, columns]. */
  const at = ({ data }: ReferenceTensor, inDim: number, columns: number, row: number, column: number): number =>
    data[isOutIn ? column * inDim + row : row * columns + column]!;
  const sums = (dims: [number, number], count: number, term: (row: number, column: number, channel: number) => number) => {
    const data = Float64Array.from({ length: dims[0] * dims[1] }, (_, index) => {
      const [row, column] = [Math.floor(index / dims[1]), index % dims[1]];
      return Array.from({ length: count }, (_, channel) => term(row, column, channel)).reduce((sum, x) => sum + x, 0);
    });
    return { data, dims };
  };
  return {
    queryKey: sums([embedDim, kDim], headDim, (i, j, channel) => {
      const ofKey = at(k!, kDim, numKvHeads * headDim, j, kvHead * headDim + channel);
      return at(q!, embedDim, numHeads * headDim, i, head * headDim + channel) * ofKey;
    }),
    outputValue: sums([outDim, vDim], valueDim, (i, j, channel) => {
      const ofValue = at(v!, vDim, numKvHeads * valueDim, j, kvHead * valueDim + channel);
      return at(out, numHeads * valueDim, outDim, head * valueDim + channel, i) * ofValue;
    }),
  };
}
