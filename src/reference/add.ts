/** Sums of two tensors in float64, by their definition. */
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

/**
 * out[i, j, …] = a[i, j, …] + b[i, j, …]: sizes are aligned to the right, and an axis of size 1 serves every index of the other.
 *
 * @returns { data, dims } with the sizes to which a and b broadcast
 *
 * @example
 * import { add } from "headwise/reference";
 *
 * console.log(add({ data: [1, 2, 3, 4], dims: [2, 2] }, { data: [10, 20], dims: [2] }).data); // Float64Array(4) [ 11, 22, 13, 24 ]
 */
export function add(a: ReferenceTensor, b: ReferenceTensor): ReferenceResult {
  const rank = Math.max(a.dims.length, b.dims.length);
  const dims = Array.from({ length: rank }, (_, axis) => {
    const [ofA, ofB] = [sizeAt(a.dims, axis, rank), sizeAt(b.dims, axis, rank)];
    return ofA === 1 ? ofB : ofA;
  });
  const data = new Float64Array(dims.reduce((product, size) => product * size, 1));
  for (let index = 0; index < data.length; index++)
    data[index] = a.data[indexIn(a.dims, index, dims)]! + b.data[indexIn(b.dims, index, dims)]!;
  return { data, dims };
}

/** Size of axis `axis` of `rank`, 1 where a tensor has fewer. */
const sizeAt = (dims: readonly number[], axis: number, rank: number): number => dims[dims.length - rank + axis] ?? 1;

/** The element of a tensor of sizes `dims` that element `index` of sizes `full` uses. */
function indexIn(dims: readonly number[], index: number, full: readonly number[]): number {
  let found = 0;
  let stride = 1;
  for (let axis = full.length - 1; axis >= 0; axis--) {
    const size = sizeAt(dims, axis, full.length);
    found += ((index % full[axis]!) % size) * stride;
    stride *= size;
    index = Math.floor(index / full[axis]!);
  }
  return found;
}
