/**
 * Additive or dot-product attention: a dot product takes one multiply-add for each channel of a pair, an additive score an activation for
 * each hidden unit of a pair, and no matrix product does that. Bahdanau et al. 2015, arXiv:1409.0473; Vaswani et al. 2017,
 * arXiv:1706.03762, section 3.2.1.
 */
import { createEngine } from "headwise";
import { runLab } from "./runLab.mjs";
import { normal } from "./tensors.mjs";

const [HEAD_DIM, HIDDEN] = [32, 32];

/** The shortest of some times, in milliseconds. */
function timeOf(run) {
  let best = Infinity;
  for (let attempt = 0; attempt < 5; attempt++) {
    const began = performance.now();
    run();
    best = Math.min(best, performance.now() - began);
  }
  return best;
}

await runLab("additive-or-dot", async () => {
  const engine = await createEngine();
  const random = normal(12);
  const parameters = { query: random(HIDDEN, HEAD_DIM), key: random(HIDDEN, HEAD_DIM), score: random(HIDDEN) };
  for (const length of [64, 128, 256]) {
    const x = random(length, HEAD_DIM);
    const pairs = length * length;
    const dot = timeOf(() => engine.scaledDotProductAttention(x, x, x));
    const additive = timeOf(() => engine.additiveAttention(x, x, x, parameters));
    const work = `dot ${pairs * HEAD_DIM} multiply-adds, additive ${pairs * HIDDEN} activations`;
    console.log(`${length} rows: ${work}; milliseconds ${dot.toFixed(2)}, ${additive.toFixed(2)}`);
  }
  engine.dispose();
});
