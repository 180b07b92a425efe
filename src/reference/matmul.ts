/** Matrix product in float64, by its definition. */
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

/** The options of `Engine.matmul` that affect values. Nothing is checked. */
export interface ReferenceMatmulOptions {
  transposeA?: boolean | undefined;
  transposeB?: boolean | undefined;
  bias?: ReferenceTensor | undefined;
  /** The initial sums. */
  initial?: ReferenceTensor | undefined;
}

/**
 * out[…, i, j] = initial[…, i, j] + Σ_k a[…, i, k] · b[…, k, j] + bias[j], leading axes broadcast. A vector a is one row and a vector b
 * one column, which the result then lacks.
 *
 * @example
 * import { matmul } from "headwise/reference";
 *
 * const a = { data: [1, 2, 3, 4], dims: [2, 2] };
 * console.log([...matmul(a, a).data]); // [ 7, 10, 15, 22 ]
 */
export function matmul(a: ReferenceTensor, b: ReferenceTensor, options: ReferenceMatmulOptions = {}): ReferenceResult {
  const isAVector = a.dims.length === 1;
  const isBVector = b.dims.length === 1;
  const { data, dims } = multiply(
    isAVector ? { data: a.data, dims: [1, ...a.dims] } : a,
    isBVector ? { data: b.data, dims: [...b.dims, 1] } : b,
    options,
  );
  const [rows, columns] = dims.slice(-2) as [number, number];
  return { data, dims: [...dims.slice(0, -2), ...(isAVector ? [] : [rows]), ...(isBVector ? [] : [columns])] };
}

/** The product of matrices. */
function multiply(
  a: ReferenceTensor,
  b: ReferenceTensor,
  { transposeA = false, transposeB = false, bias, initial }: ReferenceMatmulOptions,
): ReferenceResult {
  const [rows, depth] = lastTwo(a.dims, transposeA);
  const [, columns] = lastTwo(b.dims, transposeB);
  const rank = Math.max(a.dims.length, b.dims.length) - 2;
  const leading = Array.from({ length: rank }, (_, axis) => {
    const [ofA, ofB] = [sizeAt(a.dims, axis, rank), sizeAt(b.dims, axis, rank)];
    return ofA === 1 ? ofB : ofA;
  });
  const entries = leading.reduce((product, size) => product * size, 1);
  const data = new Float64Array(entries * rows * columns);

  for (let entry = 0; entry < entries; entry++) {
    const aStart = entryOf(entry, leading, a.dims) * rows * depth;
    const bStart = entryOf(entry, leading, b.dims) * depth * columns;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const index = (entry * rows + i) * columns + j;
        let sum = initial ? initial.data[index]! : 0;
        for (let k = 0; k < depth; k++) {
          const aElement = a.data[aStart + (transposeA ? k * rows + i : i * depth + k)]!;
          const bElement = b.data[bStart + (transposeB ? j * depth + k : k * columns + j)]!;
          sum += aElement * bElement;
        }
        data[index] = bias ? sum + bias.data[j]! : sum;
      }
    }
  }
  return { data, dims: [...leading, rows, columns] };
}

function lastTwo(dims: readonly number[], isTransposed: boolean): [number, number] {
  const [first, second] = dims.slice(-2) as [number, number];
  return isTransposed ? [second, first] : [first, second];
}

/** Size of leading axis `axis` of `rank`, 1 where a tensor has fewer. */
const sizeAt = (dims: readonly number[], axis: number, rank: number): number => dims[dims.length - 2 - rank + axis] ?? 1;

/** The entry of a tensor that an entry of the result uses. */
function entryOf(entry: number, leading: readonly number[], dims: readonly number[]): number {
  let found = 0;
  let stride = 1;
  for (let axis = leading.length - 1; axis >= 0; axis--) {
    const position = entry % leading[axis]!;
    const size = sizeAt(dims, axis, leading.length);
    found += (position % size) * stride;
    stride *= size;
    entry = Math.floor(entry / leading[axis]!);
  }
  return found;
}
