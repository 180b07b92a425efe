/** Trained models as llama2.c writes them ("version 0"), and its vocabularies: github.com/karpathy/llama2.c. */
import { readFileSync } from "node:fs";

/** Returns { config, parameters } for LanguageModel. */
export function readModel(path) {
  const { buffer, byteOffset } = Uint8Array.from(readFileSync(path));
  const [embedDim, hidden, layers, numHeads, numKvHeads, signedVocabulary, length] = new Int32Array(buffer, byteOffset, 7);
  const vocabulary = Math.abs(signedVocabulary); // negative if the logits have their own matrix
  const headDim = embedDim / numHeads;
  const kvDim = headDim * numKvHeads;
  let at = byteOffset + 28;
  const take = (...dims) => {
    const data = new Float32Array(
      buffer,
      at,
      dims.reduce((product, size) => product * size, 1),
    );
    at += data.byteLength;
    return { data, dims };
  };
  const ofEachLayer = (...dims) => Array.from({ length: layers }, () => take(...dims));

  const embedding = take(vocabulary, embedDim);
  const norm1 = ofEachLayer(embedDim);
  const q = ofEachLayer(embedDim, embedDim);
  const k = ofEachLayer(kvDim, embedDim);
  const v = ofEachLayer(kvDim, embedDim);
  const out = ofEachLayer(embedDim, embedDim);
  const norm2 = ofEachLayer(embedDim);
  const gate = ofEachLayer(hidden, embedDim);
  const down = ofEachLayer(embedDim, hidden);
  const up = ofEachLayer(hidden, embedDim);
  const norm = { weight: take(embedDim) };
  take(length, headDim); // cosines and sines of the rotary embeddings, half a head each
  const output = signedVocabulary < 0 ? take(vocabulary, embedDim) : embedding;

  const blocks = Array.from({ length: layers }, (_, layer) => ({
    attention: { q: q[layer], k: k[layer], v: v[layer], out: out[layer] },
    norm1: { weight: norm1[layer] },
    norm2: { weight: norm2[layer] },
    up: up[layer],
    gate: gate[layer],
    down: down[layer],
  }));
  return {
    config: { embedDim, numHeads, numKvHeads, rotary: { interleaved: true }, eps: 1e-5 },
    parameters: { embedding, blocks, norm, output },
    length,
  };
}

/** Reads a vocabulary; returns a function from tokens to their text. */
export function readVocabulary(path) {
  const bytes = readFileSync(path);
  const pieces = [];
  for (let at = 4; at < bytes.length;) {
    const length = bytes.readInt32LE(at + 4); // after the score
    pieces.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return (tokens) => Buffer.concat(tokens.map((token) => bytesOf(pieces[token]))).toString("utf8");
}

/** A piece such as <0x0A> is that byte. */
function bytesOf(piece) {
  const match = /^<0x([0-9A-F]{2})>$/.exec(piece.toString("latin1"));
  return match ? Buffer.from(match[1], "hex") : piece;
}
