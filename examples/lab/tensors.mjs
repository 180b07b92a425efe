/** Tensors from rows of numbers and back, random ones from a seed, and how far two of them are apart. */
import { generator } from "../decode/seeded.mjs";

/** A matrix from its rows. */
export const fromRows = (rows) => ({ data: Float32Array.from(rows.flat()), dims: [rows.length, rows[0].length] });

/** The rows of the last axis, each an array of numbers. */
export function toRows({ data, dims }) {
  const length = dims.at(-1);
  return Array.from({ length: data.length / length }, (_, row) => Array.from(data.subarray(row * length, (row + 1) * length)));
}

/** A place for results. */
export const zeros = (...dims) => ({ data: new Float32Array(dims.reduce((product, size) => product * size, 1)), dims });

/** A function that makes tensors of normally distributed numbers, the same ones for the same seed (Box & Muller 1958). */
export function normal(seed) {
  const uniform = generator(seed);
  const next = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return (...dims) => {
    const tensor = zeros(...dims);
    for (const index of tensor.data.keys()) tensor.data[index] = next();
    return tensor;
  };
}

export const largestDifference = (a, b) =>
  a.data.reduce((largest, value, index) => Math.max(largest, Math.abs(value - b.data[index])), 0);

/** How many numbers differ at all. */
export const countDifferent = (a, b) => a.data.reduce((count, value, index) => count + (value === b.data[index] ? 0 : 1), 0);

/** A row of numbers as a text. */
export const format = (row, digits = 4) => row.map((value) => value.toFixed(digits)).join(" ");

/** Entropy in nats: 0 for one key, ln n for n equal ones. */
export const entropy = (weights) => weights.reduce((sum, weight) => (weight > 0 ? sum - weight * Math.log(weight) : sum), 0);
