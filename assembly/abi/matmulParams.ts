/**
 * The structs of matrix products.
 *
 * Every field takes 4 bytes; `scripts/abi.mjs` writes their TypeScript side. Addresses are in bytes, strides in elements.
 */

/** Matrix products out = activation(a · b + bias) of the same sizes. */
@unmanaged
export class MatmulParams {
  /** MatmulEntry[numEntries] */
  entries: usize;
  numEntries: usize;
  /** [columns], 0 where absent */
  bias: usize;

  rows: usize;
  columns: usize;
  /** Steps of each sum. */
  depth: usize;

  aRowStride: usize;
  bRowStride: usize;
  outRowStride: usize;

  /** Whether a lies as [depth, rows]. */
  isATransposed: i32;
  /** Whether b lies as [columns, depth]. */
  isBTransposed: i32;
  /** Whether b is a packed matrix. */
  isPacked: i32;
  /** Whether the sums begin with the elements of out. */
  accumulate: i32;
  /** Activation + 1, 0 for none. */
  activation: i32;

  /** Height of the register tiles, as in AttentionParams. */
  stripRows: usize;
  /** Rows of a unit, a multiple of stripRows. */
  unitRows: usize;
  /** Columns of a unit, a multiple of 8. */
  unitColumns: usize;
}

/** One of them. */
@unmanaged
export class MatmulEntry {
  a: usize;
  b: usize;
  out: usize;
}
