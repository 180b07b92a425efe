/** Attention between the words of a sentence. Nothing is trained: the vectors of each head demonstrate one thing that heads do. */

/** Channels for the content of a word and for its position. */
const CONTENT = 32;
const POSITION = 32;
const HEAD_DIM = CONTENT + POSITION;

/** How the queries and keys of a head are made: how much content, how much position, and how many words back it looks. */
export const HEADS = [
  { name: "Similar words", about: "looks for words with the same letters", content: 1, position: 0, shift: 0 },
  { name: "Neighbours", about: "looks around its own position", content: 0, position: 1, shift: 0 },
  { name: "Word before", about: "looks one word back", content: 0, position: 1, shift: 1 },
  { name: "Both", about: "looks for similar words nearby", content: 0.8, position: 0.6, shift: 0 },
];

export const wordsOf = (text) => text.match(/[\p{L}\p{N}’'-]+|[^\s\p{L}\p{N}]/gu) ?? [];

/** A vector of length 1 from a word's groups of three letters: words that share some have similar vectors. */
function contentOf(word) {
  const letters = [..."^", ...word.toLowerCase(), ..."$"];
  const vector = new Float32Array(CONTENT);
  for (let at = 0; at < Math.max(1, letters.length - 2); at++) {
    let state = 2166136261; // FNV-1a
    for (const letter of letters.slice(at, at + 3)) state = Math.imul(state ^ letter.codePointAt(0), 16777619);
    for (let channel = 0; channel < CONTENT; channel++) {
      state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + channel;
      vector[channel] += state & 0x10000 ? 1 : -1;
    }
  }
  const length = Math.hypot(...vector);
  return vector.map((x) => (length > 0 ? x / length : 0));
}

/** A vector of length 1 that rotates with the position, each pair of channels more slowly than the one before. */
function positionOf(position) {
  const vector = new Float32Array(POSITION);
  for (let pair = 0; pair < POSITION / 2; pair++) {
    const angle = position * 1.5 * 0.8 ** pair;
    vector[2 * pair] = Math.cos(angle) / Math.sqrt(POSITION / 2);
    vector[2 * pair + 1] = Math.sin(angle) / Math.sqrt(POSITION / 2);
  }
  return vector;
}

/** Queries and keys of all heads: tensors [1, words, heads, channels]. */
export function tensorsOf(words) {
  const dims = [1, words.length, HEADS.length, HEAD_DIM];
  const tensor = (shiftOf) => {
    const data = new Float32Array(words.length * HEADS.length * HEAD_DIM);
    for (const [row, word] of words.entries()) {
      for (const [head, { content, position, shift }] of HEADS.entries()) {
        const start = (row * HEADS.length + head) * HEAD_DIM;
        for (const [channel, x] of contentOf(word).entries()) data[start + channel] = content * x;
        const place = positionOf(row - shiftOf(shift));
        for (const [channel, x] of place.entries()) data[start + CONTENT + channel] = position * x;
      }
    }
    return { data, dims };
  };
  return { q: tensor((shift) => shift), k: tensor(() => 0) };
}

/** The fastest of some calls, in milliseconds. */
function fastest(calls, call) {
  let best = Infinity;
  for (let index = 0; index < calls; index++) {
    const began = performance.now();
    call();
    best = Math.min(best, performance.now() - began);
  }
  return best;
}

/**
 * The weights of each head [heads, words, words], and the milliseconds of a call.
 *
 * @param settings  { causal, window, scale }; a window of 0 means no window
 */
export function attend(engine, words, { causal, window, scale }) {
  const { q, k } = tensorsOf(words);
  const sizes = [1, HEADS.length, words.length, words.length];
  const weights = { data: new Float32Array(HEADS.length * words.length ** 2), dims: sizes };
  const options = { causal, scale, weights, ...(window > 0 && { window: causal ? window - 1 : window }) };
  const ms = fastest(4, () => engine.scaledDotProductAttention(q, k, k, options));
  return { weights: weights.data, ms };
}

/** Milliseconds of a call with the sizes of a model. */
export function measure(engine, { rows, heads, headDim }) {
  const dims = [1, rows, heads, headDim];
  const [q, k, v, out] = [1, 2, 3, 4].map(() => engine.tensor(dims));
  for (const { data } of [q, k, v]) for (let index = 0; index < data.length; index++) data[index] = Math.random() - 0.5;
  const ms = fastest(6, () => engine.scaledDotProductAttention(q, k, v, { causal: true, out }));
  for (const tensor of [q, k, v, out]) tensor.dispose();
  return ms;
}
