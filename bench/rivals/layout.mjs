/** Orders of axes: the bench's inputs are "bshd", some libraries want "bhsd". Both swap the same two axes. */
const swapped = (data, [, outer, inner, channels]) => {
  const copy = new Float32Array(data.length);
  for (let i = 0; i < outer; i++) {
    for (let j = 0; j < inner; j++) {
      const row = data.subarray((i * inner + j) * channels, (i * inner + j + 1) * channels);
      copy.set(row, (j * outer + i) * channels);
    }
  }
  return copy;
};

/** A tensor of one sequence in layout "bshd" in the given one. */
export function toLayout(layout, { data, dims }) {
  if (layout === "bshd") return { data, dims };
  const [batch, seqLen, numHeads, headDim] = dims;
  return { data: swapped(data, dims), dims: [batch, numHeads, seqLen, headDim] };
}

/** A result in the given layout as data in "bshd". */
export const fromLayout = (layout, data, { seqLen, numHeads, headDim }) =>
  layout === "bshd" ? data : swapped(data, [1, numHeads, seqLen, headDim]);
