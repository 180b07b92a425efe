/** Normalization of rows in float64, by its definition. */
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

/** The options of `Engine.layerNorm` and `Engine.rmsNorm`, with the same meanings and defaults. Nothing is checked. */
export interface ReferenceNormOptions {
  weight?: ReferenceTensor | undefined;
  bias?: ReferenceTensor | undefined;
  eps?: number | undefined;
}

/**
 * (x − mean) / √(variance + eps) · weight + bias of each row. Ba, Kiros & Hinton 2016, arXiv:1607.06450.
 *
 * @returns { data, dims } with the sizes of x
 *
 * @example
 * import { layerNorm } from "headwise/reference";
 *
 * console.log(layerNorm({ data: [1, 3], dims: [2] }, { eps: 0 }).data); // Float64Array(2) [ -1, 1 ]
 */
export function layerNorm(x: ReferenceTensor, { weight, bias, eps = 1e-5 }: ReferenceNormOptions = {}): ReferenceResult {
  return eachRow(x, (row) => {
    const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
    return row.map((value, j) => ((value - mean) / Math.sqrt(variance + eps)) * (weight?.data[j] ?? 1) + (bias?.data[j] ?? 0));
  });
}

/**
 * x / √(mean of x² + eps) · weight of each row. Zhang & Sennrich 2019, arXiv:1910.07467.
 *
 * @returns { data, dims } with the sizes of x
 *
 * @example
 * import { rmsNorm } from "headwise/reference";
 *
 * console.log(rmsNorm({ data: [3, 3], dims: [2] }, { eps: 0 }).data); // Float64Array(2) [ 1, 1 ]
 */
export function rmsNorm(x: ReferenceTensor, { weight, eps = 1e-6 }: Omit<ReferenceNormOptions, "bias"> = {}): ReferenceResult {
  return eachRow(x, (row) => {
    const meanSquare = row.reduce((sum, value) => sum + value ** 2, 0) / row.length;
    return row.map((value, j) => (value / Math.sqrt(meanSquare + eps)) * (weight?.data[j] ?? 1));
  });
}

function eachRow({ data, dims }: ReferenceTensor, compute: (row: Float64Array) => Float64Array) {
  const length = dims.at(-1)!;
  const results = new Float64Array(data.length);
  const rows = Float64Array.from(data);
  for (let first = 0; first < results.length; first += length) results.set(compute(rows.subarray(first, first + length)), first);
  return { data: results, dims };
}
