/** Added to the scores of one head where a library has no causal attention: [seqLen, seqLen], row i sees keys 0 … i. */
export function causalBias(seqLen) {
  const bias = new Float32Array(seqLen * seqLen);
  for (let i = 0; i < seqLen; i++) bias.fill(-1e30, i * seqLen + i + 1, (i + 1) * seqLen);
  return bias;
}
