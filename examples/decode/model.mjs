/** A language model like Llama: embedding, blocks, norm, logits. Touvron et al. 2023, arXiv:2302.13971. */
import { TransformerBlock } from "../transformer-block/block.mjs";

export class LanguageModel {
  /**
   * @param engine      from `createEngine()`
   * @param config      { embedDim, numHeads, numKvHeads, rotary, eps }
   * @param parameters  { embedding [vocabulary, embedDim], blocks: those of TransformerBlock, norm: { weight }, output? }; without
   *                    `output` the embedding gives the logits
   */
  constructor(engine, { eps, ...attention }, { embedding, blocks, norm, output = embedding }) {
    this.engine = engine;
    this.embedding = embedding;
    this.norm = { ...norm, eps };
    this.output = engine.packMatrix(output, "outIn");
    this.blocks = blocks.map((block) => new TransformerBlock(engine, { attention, order: "pre", norm: "rms", eps }, block));
  }

  /** A cache for each block. */
  createCaches(capacity) {
    return this.blocks.map((block) => block.createCache({ capacity }));
  }

  /**
   * Logits of the token after the last one.
   *
   * @param tokens  with caches, those that are new since the last call; otherwise the whole text
   */
  logits(tokens, caches) {
    const { engine, norm, output } = this;
    let x = this.embed(tokens);
    for (const [index, block] of this.blocks.entries()) {
      x = block.forward(x, caches ? { cache: caches[index] } : { causal: true });
    }
    const embedDim = x.dims[2];
    const last = { data: x.data.subarray(-embedDim), dims: [1, embedDim] };
    return engine.matmul(engine.rmsNorm(last, norm), output).data;
  }

  /** The rows of tokens: [1, tokens, embedDim]. */
  embed(tokens) {
    const { data, dims } = this.embedding;
    const [, embedDim] = dims;
    const x = new Float32Array(tokens.length * embedDim);
    for (const [row, token] of tokens.entries()) x.set(data.subarray(token * embedDim, (token + 1) * embedDim), row * embedDim);
    return { data: x, dims: [1, tokens.length, embedDim] };
  }

  dispose() {
    for (const part of [this.output, ...this.blocks]) part.dispose();
  }
}

/** The most likely token. */
export function likeliest(logits) {
  let best = 0;
  for (const [token, logit] of logits.entries()) if (logit > logits[best]) best = token;
  return best;
}
