/**
 * Greedy decoding takes the likeliest token at each step; a beam keeps several texts and ends with a likelier one. Beams that come from
 * the same text share its cached keys: a fork copies nothing. Graves 2012, arXiv:1211.3711; Sutskever et al. 2014, arXiv:1409.3215.
 */
import { createEngine } from "headwise";
import { readModel, readVocabulary } from "../decode/llama2c.mjs";
import { LanguageModel, likeliest } from "../decode/model.mjs";
import { seededModel } from "../decode/seeded.mjs";
import { runLab } from "./runLab.mjs";

/** The first token of a text in llama2.c's vocabularies. */
const BEGIN = 1;

/** A text that grows: its tokens, their log-probability, the caches that hold them, and those of the next token. */
const beginning = (engine, model, prompt, capacity) => {
  const caches = model.createCaches(capacity);
  return { tokens: prompt, sum: 0, caches, next: logProbabilities(engine, model.logits(prompt, caches)) };
};
const logProbabilities = (engine, logits) => engine.softmax({ data: logits, dims: [logits.length] }, { log: true }).data;
const release = ({ caches }) => caches.forEach((cache) => cache.dispose());

/** The text with one more token, in caches of its own. */
function continued(engine, model, text, token) {
  const caches = text.caches.map((cache) => cache.fork());
  const next = logProbabilities(engine, model.logits([token], caches));
  return { tokens: [...text.tokens, token], sum: text.sum + text.next[token], caches, next };
}

function greedy(engine, model, prompt, count) {
  const { tokens, caches, next, sum } = beginning(engine, model, prompt, prompt.length + count);
  let [likely, total] = [next, sum];
  const said = [...tokens];
  for (let step = 0; step < count; step++) {
    const token = likeliest(likely);
    total += likely[token];
    said.push(token);
    likely = logProbabilities(engine, model.logits([token], caches));
  }
  release({ caches });
  return { tokens: said, sum: total };
}

/** The `width` likeliest texts at each step; the likeliest at the end. */
function beam(engine, model, prompt, count, width) {
  let texts = [beginning(engine, model, prompt, prompt.length + count)];
  for (let step = 0; step < count; step++) {
    const candidates = texts.flatMap((text) =>
      Array.from(text.next, (probability, token) => ({ text, token, sum: text.sum + probability })),
    );
    const best = candidates.sort((a, b) => b.sum - a.sum).slice(0, width);
    const longer = best.map(({ text, token }) => continued(engine, model, text, token));
    texts.forEach(release);
    texts = longer;
  }
  texts.forEach(release);
  return texts[0];
}

/** The log-probability of a text, without any cache. */
function recomputed(engine, model, tokens, from) {
  let sum = 0;
  for (let at = from; at < tokens.length; at++) sum += logProbabilities(engine, model.logits(tokens.slice(0, at)))[tokens[at]];
  return sum;
}

await runLab(
  "decoding",
  async ({ model: path, tokenizer, tokens: count, beams }) => {
    const engine = await createEngine();
    const sizes = { seed: 1, layers: 2, embedDim: 32, numHeads: 4, numKvHeads: 2, vocabulary: 40 };
    const { config, parameters } = path === "" ? seededModel(sizes) : readModel(path);
    const prompt = path === "" ? [7, 19, 3] : [BEGIN];
    const model = new LanguageModel(engine, config, parameters);
    const textOf = (tokens) => (tokenizer === "" ? tokens.join(" ") : readVocabulary(tokenizer)(tokens).trim());

    for (const [name, decoded] of [
      ["greedy", greedy(engine, model, prompt, count)],
      ["beam of 1", beam(engine, model, prompt, count, 1)],
      [`beam of ${beams}`, beam(engine, model, prompt, count, beams)],
    ]) {
      const { tokens, sum } = decoded;
      const whole = recomputed(engine, model, tokens, prompt.length);
      console.log(`${name}: log-probability ${sum.toFixed(4)}, without caches ${whole === sum ? "the same" : whole}`);
      console.log(`  ${textOf(tokens.slice(prompt.length))}`);
    }
    for (const each of [model, engine]) each.dispose();
  },
  { model: process.env.HEADWISE_MODEL ?? "", tokenizer: process.env.HEADWISE_TOKENIZER ?? "", tokens: 12, beams: 4 },
);
