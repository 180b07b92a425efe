/**
 * Hard attention takes one key: the likeliest, or one drawn with the weights as probabilities, whose mean over many draws is soft attention.
 * Top-k takes a softmax over the k largest scores: from hard attention at k = 1 to soft attention at all keys. Xu et al. 2015,
 * arXiv:1502.03044; Gupta et al. 2021, arXiv:2106.06899.
 */
import { createEngine } from "headwise";
import { heatmaps } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { countDifferent, format, fromRows, largestDifference, normal, toRows, zeros } from "./tensors.mjs";

const [ROWS, HEAD_DIM, DRAWS] = [16, 8, 4000];

await runLab("hard-and-top-k", async () => {
  const engine = await createEngine();
  const random = normal(14);
  const [q, k, v] = [random(ROWS, HEAD_DIM), random(ROWS, HEAD_DIM), random(ROWS, HEAD_DIM)];
  const weights = zeros(ROWS, ROWS);
  const soft = engine.scaledDotProductAttention(q, k, v, { weights });
  const softWeights = toRows(weights);

  const hard = engine.hardAttention(q, k, v);
  const gathered = fromRows(softWeights.map((row) => toRows(v)[row.indexOf(Math.max(...row))]));
  console.log(`hard attention and the values of the largest weights: ${countDifferent(hard, gathered)} numbers differ`);

  // The same query in many rows, each of which draws for itself.
  const asked = fromRows(Array.from({ length: DRAWS }, () => toRows(q)[0]));
  const picks = zeros(DRAWS);
  engine.hardAttention(asked, k, v, { choose: "sample", seed: 1, picks });
  const shares = softWeights[0].map((_, key) => picks.data.filter((pick) => pick === key).length / DRAWS);
  console.log(`weights of row 0: ${format(softWeights[0], 3)}`);
  console.log(`shares of ${DRAWS} draws: ${format(shares, 3)}`);

  const panels = [{ matrix: softWeights, title: "soft: all 16 keys" }];
  for (const count of [1, 2, 4, 8, ROWS]) {
    const out = engine.topKAttention(q, k, v, { count }, { weights });
    const name = `the ${count} largest`;
    console.log(
      `${name}: ${largestDifference(out, soft).toExponential(2)} from soft, ${largestDifference(out, hard).toExponential(2)} from hard`,
    );
    if (count === 4 || count === 1) panels.splice(1, 0, { matrix: toRows(weights), title: count === 1 ? "hard: one" : name });
  }
  engine.dispose();
  return heatmaps(panels);
});
