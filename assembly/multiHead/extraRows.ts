/** The rows of extra keys, or of their values, after the others of each batch entry. */

/**
 * Writes the last `extraRows` rows of each entry: a bias, if there is one, then zeros.
 *
 * @param ptr       [batchSize, rows, width]
 * @param bias      [width], 0 where absent
 * @param batchSize entries
 * @param rows      of an entry, `extraRows` of them extra
 * @param width     elements of a row
 */
export function writeExtraRows(ptr: usize, bias: usize, batchSize: usize, rows: usize, extraRows: usize, width: usize): void {
  const rowBytes = width << 2;
  for (let batch: usize = 0; batch < batchSize; batch++) {
    const extraPtr = ptr + ((batch + 1) * rows - extraRows) * rowBytes;
    memory.fill(extraPtr, 0, extraRows * rowBytes);
    if (bias) memory.copy(extraPtr, bias, rowBytes);
  }
}
