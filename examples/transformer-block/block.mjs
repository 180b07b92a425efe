/**
 * A transformer block: attention and a feed-forward layer, each with a norm and a residual connection.
 *
 *     pre-norm    h = x + attention(norm(x))      out = h + feedForward(norm(h))      GPT-2, Llama; Xiong et al. 2020, arXiv:2002.04745
 *     post-norm   h = norm(x + attention(x))      out = norm(h + feedForward(h))      BERT; Vaswani et al. 2017, arXiv:1706.03762
 *
 *     feedForward(x) = W_down gelu(W_up x + b) + b                   without a gate
 *                      W_down (silu(W_gate x) · (W_up x + b)) + b    SwiGLU; Shazeer 2020, arXiv:2002.05202
 *
 * Its parameters and intermediate results are in the engine's memory: only x and the result are copied.
 */

/** The engine's operation of each norm. */
const NORMS = { layer: "layerNorm", rms: "rmsNorm" };

export class TransformerBlock {
  /**
   * @param engine      from `createEngine()`
   * @param config      { attention, order: "pre" | "post", norm: "layer" | "rms", eps? }, attention as for `createMultiHeadAttention`
   * @param parameters  { attention, norm1, norm2: { weight, bias? }, up, gate?, down, upBias?, downBias? }, matrices [out, in]
   */
  constructor(engine, config, parameters) {
    const { up, gate, down } = parameters;
    this.engine = engine;
    this.config = config;
    this.parameters = parameters;
    this.attention = engine.createMultiHeadAttention(config.attention, parameters.attention);
    this.up = engine.packMatrix(up, "outIn");
    this.gate = gate && engine.packMatrix(gate, "outIn");
    this.down = engine.packMatrix(down, "outIn");
  }

  /** A cache for `forward(x, { cache })`, token by token. */
  createCache(options) {
    return this.attention.createCache(options);
  }

  /**
   * @param x        [batch, seq, embedDim]
   * @param options  of attention: causal, mask, cache, …
   * @returns a new array of the same sizes
   */
  forward(x, options) {
    const { engine, config, parameters } = this;
    const [h, y] = [engine.tensor(x.dims), engine.tensor(x.dims)];
    try {
      h.data.set(x.data);
      if (config.order === "pre") {
        this.normalize(h, parameters.norm1, y);
        this.attention.forward(y, { ...options, out: h, accumulate: true });
        this.normalize(h, parameters.norm2, y);
        this.feedForward(y, h);
      } else {
        this.attention.forward(h, { ...options, out: h, accumulate: true });
        this.normalize(h, parameters.norm1, y);
        h.data.set(y.data);
        this.feedForward(y, h);
        this.normalize(h, parameters.norm2, h);
      }
      return { data: h.data.slice(), dims: [...x.dims] };
    } finally {
      h.dispose();
      y.dispose();
    }
  }

  normalize(x, { weight, bias }, out) {
    const { norm, eps } = this.config;
    this.engine[NORMS[norm]](x, { weight, eps, out, ...(bias && { bias }) });
  }

  /** Adds the feed-forward layer of y to h. */
  feedForward(y, h) {
    const { engine, parameters, up, gate, down } = this;
    const { upBias, downBias } = parameters;
    const sizes = [...y.dims.slice(0, -1), up.columns];
    const [hidden, factor] = [engine.tensor(sizes), gate && engine.tensor(sizes)];
    try {
      if (gate) {
        engine.matmul(y, up, { bias: upBias, out: factor });
        engine.matmul(y, gate, { out: hidden });
        engine.activate(hidden, "silu", { gate: factor, out: hidden });
      } else {
        engine.matmul(y, up, { bias: upBias, activation: "gelu", out: hidden });
      }
      engine.matmul(hidden, down, { bias: downBias, out: h, accumulate: true });
    } finally {
      hidden.dispose();
      factor?.dispose();
    }
  }

  dispose() {
    for (const part of [this.attention, this.up, this.gate, this.down]) part?.dispose();
  }
}
