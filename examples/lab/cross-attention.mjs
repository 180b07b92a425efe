/**
 * Cross-attention: the decoder asks, the encoder answers, so that queries come from one text, and keys and values from another, of any
 * length. The encoder's are projected once for all steps of the decoder. Bahdanau et al. 2015, arXiv:1409.0473; Vaswani et al. 2017,
 * arXiv:1706.03762, section 3.2.3.
 */
import { createEngine } from "headwise";
import { links } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { countDifferent, fromRows, normal, toRows, zeros } from "./tensors.mjs";

const [EMBED, HEADS, SOURCE] = [32, 4, 7];

await runLab("cross-attention", async () => {
  const engine = await createEngine();
  const random = normal(8);
  const parameters = { q: random(EMBED, EMBED), k: random(EMBED, EMBED), v: random(EMBED, EMBED), out: random(EMBED, EMBED) };
  const layer = engine.createMultiHeadAttention({ embedDim: EMBED, numHeads: HEADS }, parameters);
  const encoded = random(1, SOURCE, EMBED);
  const memory = layer.projectKeys(encoded); // once

  for (const rows of [1, 3, SOURCE, 12]) {
    const decoded = random(1, rows, EMBED);
    const once = layer.forward(decoded, { memory });
    const anew = layer.forward(decoded, { key: encoded });
    const different = countDifferent(once, anew);
    console.log(
      `${rows} queries, ${SOURCE} keys: result ${once.dims.join(" × ")}, numbers that projecting again changes: ${different}`,
    );
  }

  // The encoder's order is of no importance, the decoder's rows do not see each other.
  const decoded = random(1, 3, EMBED);
  const first = { data: decoded.data.subarray(0, EMBED), dims: [1, 1, EMBED] };
  const whole = layer.forward(decoded, { memory });
  const alone = layer.forward(first, { memory });
  console.log(`the first of three rows, alone: ${countDifferent(alone, { data: whole.data.subarray(0, EMBED) })} numbers differ`);

  // A translation, by keys that say which word each query is about.
  const from = ["die", "schwarze", "Katze"];
  const to = ["le", "chat", "noir"];
  const about = fromRows([[1, 0, 0], [0, 0, 1], [0, 1, 0]]); // prettier-ignore
  const words = fromRows([[1, 0, 0], [0, 1, 0], [0, 0, 1]]); // prettier-ignore
  const weights = zeros(3, 3);
  engine.scaledDotProductAttention(about, words, words, { scale: 3, weights });
  for (const [row, word] of to.entries()) {
    const best = toRows(weights)[row];
    console.log(`${word} ← ${from[best.indexOf(Math.max(...best))]}`);
  }
  engine.dispose();
  return links([{ weights: toRows(weights), from: to, to: from }], { title: "The decoder asks (above), the encoder answers" });
});
