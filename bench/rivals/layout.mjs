/** Orders of axes: the bench's inputs are "bshd", some libraries want "bhsd", or the heads of a row as one axis, "bs(hd)". */

/** Swaps the two axes in the middle. */
function swapped(data, [, outer, inner, channels]) {
  const copy = new Float32Array(data.length);
  for (let i = 0; i < outer; i++) {
    for (let j = 0; j < inner; j++) {
      const row = data.subarray((i * inner + j) * channels, (i * inner + j + 1) * channels);
      copy.set(row, (j * outer + i) * channels);
    }
  }
  return copy;
}

/** A tensor of layout "bshd" in the given one. */
export function toLayout(layout, { data, dims }) {
  const [batch, seqLen, numHeads, headDim] = dims;
  if (layout === "bhsd") return { data: swapped(data, dims), dims: [batch, numHeads, seqLen, headDim] };
  return { data, dims: layout === "bs(hd)" ? [batch, seqLen, numHeads * headDim] : dims };
}

/** The data of a result in the given layout as "bshd". */
export const fromLayout = (layout, data, { seqLen, numHeads, headDim }) =>
  layout === "bhsd" ? swapped(data, [1, numHeads, seqLen, headDim]) : data;
