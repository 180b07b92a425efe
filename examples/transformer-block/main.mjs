/** Two transformer blocks with random parameters: one like BERT's on whole texts, one like Llama's that decodes token by token. */
import { createEngine } from "headwise";
import { runExample, UsageError } from "../options.mjs";
import { TransformerBlock } from "./block.mjs";

/** Numbers like trained ones: small, and around 0. */
function random(...dims) {
  const count = dims.reduce((product, size) => product * size, 1);
  const deviation = 1 / Math.sqrt(dims.at(-1));
  return { data: Float32Array.from({ length: count }, () => (2 * Math.random() - 1) * deviation), dims };
}

const filled = (value, size) => ({ data: new Float32Array(size).fill(value), dims: [size] });

/** BERT: post-norm, layer norm, GELU, biases everywhere. */
function bert(engine, { embedDim, numHeads }) {
  const norm = { weight: filled(1, embedDim), bias: filled(0, embedDim) };
  return new TransformerBlock(
    engine,
    { attention: { embedDim, numHeads }, order: "post", norm: "layer" },
    {
      attention: {
        qkv: random(3 * embedDim, embedDim),
        qkvBias: filled(0, 3 * embedDim),
        out: random(embedDim, embedDim),
        outBias: filled(0, embedDim),
      },
      norm1: norm,
      norm2: norm,
      up: random(4 * embedDim, embedDim),
      upBias: filled(0, 4 * embedDim),
      down: random(embedDim, 4 * embedDim),
      downBias: filled(0, embedDim),
    },
  );
}

/** Llama: pre-norm, RMS norm, SwiGLU, rotary embeddings, grouped heads, no biases. */
function llama(engine, { embedDim, numHeads, numKvHeads }) {
  const kvDim = (embedDim / numHeads) * numKvHeads;
  const hidden = 3 * embedDim;
  return new TransformerBlock(
    engine,
    { attention: { embedDim, numHeads, numKvHeads, rotary: {} }, order: "pre", norm: "rms" },
    {
      attention: {
        q: random(embedDim, embedDim),
        k: random(kvDim, embedDim),
        v: random(kvDim, embedDim),
        out: random(embedDim, embedDim),
      },
      norm1: { weight: filled(1, embedDim) },
      norm2: { weight: filled(1, embedDim) },
      up: random(hidden, embedDim),
      gate: random(hidden, embedDim),
      down: random(embedDim, hidden),
    },
  );
}

function timed(run) {
  const began = performance.now();
  const result = run();
  return { result, ms: performance.now() - began };
}

async function main({ embed: embedDim, heads: numHeads, "kv-heads": numKvHeads, tokens, threads }) {
  if (embedDim % (2 * numHeads) !== 0) throw new UsageError(`--embed ${embedDim}: not a multiple of twice --heads ${numHeads}`);
  if (numHeads % numKvHeads !== 0) throw new UsageError(`--heads ${numHeads}: not a multiple of --kv-heads ${numKvHeads}`);
  const sizes = { embedDim, numHeads, numKvHeads };
  const engine = await createEngine({ threads });
  const text = random(1, tokens, embedDim);
  const row = (index) => ({ data: text.data.subarray(index * embedDim, (index + 1) * embedDim), dims: [1, 1, embedDim] });

  const encoder = bert(engine, sizes);
  encoder.forward(text); // compiled by now
  const whole = timed(() => encoder.forward(text));
  console.log(`post-norm, layer norm, GELU: ${tokens} tokens of ${embedDim} in ${whole.ms.toFixed(1)} ms`);

  const decoder = llama(engine, sizes);
  const expected = decoder.forward(text, { causal: true });
  const cache = decoder.createCache({ capacity: tokens });
  let differences = 0;
  const { ms } = timed(() => {
    for (let index = 0; index < tokens; index++) {
      const { data } = decoder.forward(row(index), { cache });
      for (const [channel, value] of data.entries()) if (value !== expected.data[index * embedDim + channel]) differences++;
    }
  });
  console.log(`pre-norm, RMS norm, SwiGLU, rotary: token by token ${(ms / tokens).toFixed(2)} ms each`);
  console.log(`bits that differ from one call on all tokens: ${differences}`);
  for (const each of [cache, encoder, decoder, engine]) each.dispose();
}

const DEFAULTS = { embed: 256, heads: 8, "kv-heads": 2, tokens: 128, threads: 1 };
await runExample("transformer-block", DEFAULTS, main);
