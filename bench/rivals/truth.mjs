/** What results are compared with: the same in float64, on some rows. Each kind computes its own; this is what they share. */

/**
 * @typedef {object} TrueRows
 * @property {number} start          index in the result of the first number
 * @property {Float64Array} values
 */

/** Blocks of rows: one before each quarter. */
export const rowsBeforeQuarters = (rows, blockRows) =>
  [0.25, 0.5, 0.75, 1].map((quarter) => {
    const end = Math.ceil(rows * quarter);
    return { first: Math.max(0, end - blockRows), end };
  });

/** a · b in float64, sums over `depth` in order. */
export function product(a, b, [rows, depth, columns]) {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const row = out.subarray(i * columns, (i + 1) * columns);
    for (let k = 0; k < depth; k++) {
      const factor = a[i * depth + k];
      for (let j = 0; j < columns; j++) row[j] += factor * b[k * columns + j];
    }
  }
  return out;
}

/** The root of the mean square of the errors of a result, tensors with heads in layout "bshd". */
export function rootMeanSquareError({ rows }, result) {
  let sum = 0;
  let count = 0;
  for (const { start, values } of rows)
    for (const [index, value] of values.entries()) {
      sum += (result[start + index] - value) ** 2;
      count++;
    }
  return Math.sqrt(sum / count);
}

/**
 * The largest absolute error of a result, tensors with heads in layout "bshd".
 *
 * @throws {Error} it is too large for a correct result, or the result contains NaN
 */
export function checkedError({ rows, tolerance }, result) {
  let largest = 0;
  for (const { start, values } of rows)
    for (const [index, value] of values.entries()) largest = Math.max(largest, Math.abs(result[start + index] - value));
  if (largest <= tolerance) return largest;
  throw new Error(`WRONG: error ${largest.toExponential(1)}, not timed`);
}
