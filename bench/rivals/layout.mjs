/**
 * Orders of the axes of tensors with heads, which have rank 4: the bench's inputs are "bshd"; some libraries expect "bhsd", or the
 * heads of a row as one axis, "bs(hd)".
 */

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

/** A tensor of layout "bshd" in another layout; tensors without heads unchanged. */
export function toLayout(layout, { data, dims }) {
  if (dims.length !== 4) return { data, dims };
  const [batch, seqLen, numHeads, headDim] = dims;
  if (layout === "bhsd") return { data: swapped(data, dims), dims: [batch, numHeads, seqLen, headDim] };
  return { data, dims: layout === "bs(hd)" ? [batch, seqLen, numHeads * headDim] : dims };
}

/** The data of a result, converted from its layout to "bshd", in which it has `dims`. */
export function fromLayout(layout, data, dims) {
  if (dims.length !== 4 || layout !== "bhsd") return data;
  const [batch, seqLen, numHeads, headDim] = dims;
  return swapped(data, [batch, numHeads, seqLen, headDim]);
}
