/** What the distance between row and key adds to a score: ALiBi, biases and keys for each distance. */
import type { ReferenceOptions } from "./attentionOptions.js";
import type { ReferenceTensor } from "./tensor.js";

/**
 * −m |distance| + T[distance] for head h of sequence b, distance = key − position. Press et al. 2022, arXiv:2108.12409; Raffel et al.
 * 2020, arXiv:1910.10683.
 */
export function distanceBias(options: ReferenceOptions, b: number, h: number, distance: number): number {
  const { alibiSlopes } = options;
  let bias = tableBias(options, h, distance);
  if (alibiSlopes) {
    const numHeads = alibiSlopes.dims.at(-1)!;
    bias -= alibiSlopes.data[alibiSlopes.dims.length === 2 ? b * numHeads + h : h]! * Math.abs(distance);
  }
  return bias;
}

/** T[distance] of head h, whose −∞ hides a key. */
export function tableBias({ relativeBias, relativeZero }: ReferenceOptions, h: number, distance: number): number {
  if (!relativeBias) return 0;
  const [heads, distances] = relativeBias.dims as [number, number];
  return relativeBias.data[(heads === 1 ? 0 : h) * distances + distanceIndex(distance, distances, relativeZero)]!;
}

/** R[distance] of head h. Shaw et al. 2018, arXiv:1803.02155. */
export function relativeKey(relativeKeys: ReferenceTensor, h: number, distance: number, relativeZero?: number): number[] {
  const [distances, heads, headDim] = relativeKeys.dims as [number, number, number];
  const start = (distanceIndex(distance, distances, relativeZero) * heads + (heads === 1 ? 0 : h)) * headDim;
  return Array.from({ length: headDim }, (_, d) => relativeKeys.data[start + d]!);
}

/** Distances beyond either end count as the last one there. */
function distanceIndex(distance: number, distances: number, zero = (distances - 1) / 2): number {
  return Math.min(Math.max(distance + zero, 0), distances - 1);
}
