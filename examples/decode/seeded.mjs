/** A model with random parameters from a seed: its text is nonsense, but its arithmetic is that of a trained model. */

/** mulberry32: uniform in [0, 1). */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Takes the options' sizes; returns { config, parameters } for LanguageModel. */
export function seededModel({ seed, layers, embedDim, numHeads, numKvHeads, vocabulary }) {
  const uniform = generator(seed);
  const matrix = (rows, columns) => ({
    data: Float32Array.from({ length: rows * columns }, () => (2 * uniform() - 1) * Math.sqrt(3 / columns)), // of variance 1 / columns
    dims: [rows, columns],
  });
  const norm = { weight: { data: new Float32Array(embedDim).fill(1), dims: [embedDim] } };
  const kvDim = (embedDim / numHeads) * numKvHeads;
  const hidden = 3 * embedDim;
  const block = () => ({
    attention: {
      q: matrix(embedDim, embedDim),
      k: matrix(kvDim, embedDim),
      v: matrix(kvDim, embedDim),
      out: matrix(embedDim, embedDim),
    },
    norm1: norm,
    norm2: norm,
    up: matrix(hidden, embedDim),
    gate: matrix(hidden, embedDim),
    down: matrix(embedDim, hidden),
  });
  return {
    config: { embedDim, numHeads, numKvHeads, rotary: {}, eps: 1e-5 },
    parameters: {
      embedding: matrix(vocabulary, embedDim),
      blocks: Array.from({ length: layers }, block),
      norm,
      output: matrix(vocabulary, embedDim),
    },
  };
}
