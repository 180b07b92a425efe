/**
 * Greedy decoding with a KV cache: the prompt goes through the model at once, then one token at a time, while the caches keep the keys
 * and values of earlier tokens. Then, for comparison, the same without caches, where each token needs the whole text again.
 */
import { createEngine } from "headwise";
import { runExample, UsageError } from "../options.mjs";
import { readModel, readVocabulary } from "./llama2c.mjs";
import { LanguageModel, likeliest } from "./model.mjs";
import { seededModel } from "./seeded.mjs";

/** The first token of a text in llama2.c's vocabularies. */
const BEGIN = 1;

function decode(model, prompt, count) {
  const caches = model.createCaches(prompt.length + count);
  const steps = [];
  const tokens = [...prompt];
  let fresh = prompt;
  const began = performance.now();
  let prompted = began;
  while (steps.length < count) {
    const logits = model.logits(fresh, caches);
    if (steps.length === 0) prompted = performance.now();
    steps.push(logits);
    fresh = [likeliest(logits)];
    tokens.push(...fresh);
  }
  for (const cache of caches) cache.dispose();
  return { tokens, steps, promptTime: prompted - began, time: performance.now() - prompted };
}

function recompute(model, prompt, count) {
  const steps = [];
  const tokens = [...prompt];
  const began = performance.now();
  while (steps.length < count) {
    const logits = model.logits(tokens);
    steps.push(logits);
    tokens.push(likeliest(logits));
  }
  return { tokens, steps, time: performance.now() - began };
}

function load(options) {
  const { seed, layers, embed: embedDim, heads: numHeads, "kv-heads": numKvHeads, vocabulary, prompt, tokens } = options;
  if (options.model !== "") {
    const loaded = readModel(options.model);
    if (tokens >= loaded.length) throw new UsageError(`--tokens ${tokens}: the model takes fewer than ${loaded.length}`);
    return { ...loaded, prompt: [BEGIN] };
  }
  if (embedDim % (2 * numHeads) !== 0) throw new UsageError(`--embed ${embedDim}: not a multiple of twice --heads ${numHeads}`);
  if (numHeads % numKvHeads !== 0) throw new UsageError(`--heads ${numHeads}: not a multiple of --kv-heads ${numKvHeads}`);
  const model = seededModel({ seed, layers, embedDim, numHeads, numKvHeads, vocabulary });
  return { ...model, prompt: Array.from({ length: prompt }, (_, index) => (index * 7919 + seed) % vocabulary) };
}

async function main(options) {
  const { config, parameters, prompt } = load(options);
  const { tokens: count, threads } = options;
  const engine = await createEngine({ threads });
  const model = new LanguageModel(engine, config, parameters);
  const { embedDim, numHeads, numKvHeads } = config;
  console.log(
    `${options.model === "" ? `random model of seed ${options.seed}` : options.model}: ${model.blocks.length} layers of ${embedDim}, ` +
      `${numHeads}/${numKvHeads} heads, ${parameters.embedding.dims[0]} tokens; ` +
      `build ${engine.info.build}, threads ${engine.info.threads}`,
  );

  decode(model, prompt, Math.min(count, 8)); // compiled by now
  const cached = decode(model, prompt, count);
  const perSecond = (tokens, time) => `${Math.round((1000 * tokens) / time)} tokens/s`;
  console.log(`prompt of ${prompt.length}: ${cached.promptTime.toFixed(1)} ms`);
  if (count > 1) console.log(`with caches: ${perSecond(count - 1, cached.time)}`);
  const whole = recompute(model, prompt, count);
  console.log(`without: ${perSecond(count, whole.time)}`);

  const differing = cached.tokens.filter((token, index) => token !== whole.tokens[index]).length;
  const bits = cached.steps.flatMap((logits, step) => [...logits].filter((logit, token) => logit !== whole.steps[step][token]));
  console.log(`tokens that differ: ${differing}, logits: ${bits.length}`);
  const text = options.tokenizer === "" ? cached.tokens.join(" ") : readVocabulary(options.tokenizer)(cached.tokens.slice(1));
  console.log(text);
  for (const each of [model, engine]) each.dispose();
}

const DEFAULTS = {
  seed: 1,
  layers: 4,
  embed: 256,
  heads: 8,
  "kv-heads": 2,
  vocabulary: 512,
  prompt: 64,
  tokens: 64,
  threads: 1,
  model: "",
  tokenizer: "",
};
await runExample("decode", DEFAULTS, main);
