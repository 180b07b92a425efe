/** Rows of keys and values, cut and put together. */
import type { TestTensor } from "./random.js";

/** Rows of [batch, rows, …] of two tensors, one after the other. */
function joined(a: TestTensor, b: TestTensor): TestTensor {
  const [batch, aRows, ...rest] = a.dims as [number, number, ...number[]];
  const bRows = b.dims[1]!;
  const width = rest.reduce((x, y) => x * y, 1);
  const data = new Float32Array(batch * (aRows + bRows) * width);
  for (let each = 0; each < batch; each++) {
    data.set(a.data.subarray(each * aRows * width, (each + 1) * aRows * width), each * (aRows + bRows) * width);
    data.set(b.data.subarray(each * bRows * width, (each + 1) * bRows * width), (each * (aRows + bRows) + aRows) * width);
  }
  return { data, dims: [batch, aRows + bRows, ...rest] };
}

/** Rows `from` to `to` − 1 of [batch, rows, …]. */
export function cutRows({ data, dims }: TestTensor, from: number, to: number): TestTensor {
  const width = dims.slice(2).reduce((x, y) => x * y, 1);
  const rows = dims[1]!;
  return {
    data: data.filter((_, index) => Math.floor(index / width) % rows >= from && Math.floor(index / width) % rows < to),
    dims: [dims[0]!, to - from, ...dims.slice(2)],
  };
}

/** What is left of rows when `from` to `to` − 1 are removed. */
export const without = (x: TestTensor, from: number, to: number): TestTensor =>
  joined(cutRows(x, 0, from), cutRows(x, to, x.dims[1]!));

export const sequenceOf = ({ data, dims }: TestTensor, batch: number): TestTensor => {
  const size = data.length / dims[0]!;
  return { data: data.slice(batch * size, (batch + 1) * size), dims: [1, ...dims.slice(1)] };
};
