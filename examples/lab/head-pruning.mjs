/**
 * Heads can be left out: the result is a sum with one part for each head, a gate of 0 removes a part, and a pruned layer gives the same
 * bits without computing it. Michel, Levy & Neubig 2019, arXiv:1905.10650; Voita et al. 2019, arXiv:1905.09418.
 */
import { createEngine } from "headwise";
import { heatmap } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { countDifferent, largestDifference, normal, zeros } from "./tensors.mjs";

const [EMBED, HEADS, ROWS] = [128, 8, 96];
const ALL = Array.from({ length: HEADS }, (_, head) => head);

await runLab("head-pruning", async () => {
  const engine = await createEngine();
  const random = normal(7);
  const matrix = () => {
    const parameter = random(EMBED, EMBED);
    for (const index of parameter.data.keys()) parameter.data[index] /= Math.sqrt(EMBED);
    return parameter;
  };
  const layer = engine.createMultiHeadAttention(
    { embedDim: EMBED, numHeads: HEADS },
    { q: matrix(), k: matrix(), v: matrix(), out: matrix() },
  );
  const x = random(1, ROWS, EMBED);
  const whole = layer.forward(x);

  const only = (head) => layer.forward(x, { headGates: ALL.map((other) => Number(other === head)) });
  const sum = ALL.map(only).reduce((total, part) => engine.add(total, part), zeros(1, ROWS, EMBED));
  console.log(`the sum of all heads' parts differs from the layer by: ${largestDifference(sum, whole).toExponential(1)}`);

  // How much the result changes without each head: for a trained layer, headImportance would ask this on its data.
  const changes = ALL.map((head) => {
    const without = layer.forward(x, { headGates: ALL.map((other) => Number(other !== head)) });
    return Math.sqrt(without.data.reduce((total, value, index) => total + (value - whole.data[index]) ** 2, 0) / ROWS);
  });
  console.log(`without each head, rows move by: ${changes.map((change) => change.toFixed(3)).join(" ")}`);

  const byImportance = [...ALL].sort((a, b) => changes[a] - changes[b]);
  for (const count of [0, 4, 6]) {
    const pruned = byImportance.slice(0, count).sort((a, b) => a - b);
    const smaller = layer.pruneHeads(pruned);
    const gated = layer.forward(x, { headGates: ALL.map((head) => Number(!pruned.includes(head))) });
    smaller.forward(x); // compiled by now
    const began = performance.now();
    for (let call = 0; call < 20; call++) smaller.forward(x);
    const milliseconds = (performance.now() - began) / 20;
    const different = countDifferent(smaller.forward(x), gated);
    const left = `${smaller.config.numHeads} heads left, ${milliseconds.toFixed(2)} ms`;
    console.log(`pruned ${count} of ${HEADS}: ${left}; numbers that differ from gates of 0: ${different}`);
  }
  engine.dispose();
  return heatmap([changes], { columns: ALL.map((head) => `head ${head}`), rows: ["moves rows by"], title: "What each head adds" });
});
