/**
 * Self-attention without parameters: each row asks with itself, and the answer is the mean of all rows by likeness. A row is not
 * always most like itself: a longer one can win. Bloem 2019, "Transformers from scratch", peterbloem.nl/blog/transformers.
 */
import { createEngine } from "headwise";
import { heatmaps } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { format, fromRows, toRows, zeros } from "./tensors.mjs";

await runLab("self-attention", async () => {
  const engine = await createEngine();
  const weightsOf = (x) => {
    const weights = zeros(x.dims[0], x.dims[0]);
    engine.scaledDotProductAttention(x, x, x, { scale: 1, weights });
    return toRows(weights);
  };
  const largestAt = (weights) => weights.map((row) => row.indexOf(Math.max(...row))).join(" ");

  const different = weightsOf(fromRows([[1, 0], [3, 0]])); // prettier-ignore
  for (const [row, weights] of different.entries()) console.log(`norms 1 and 3, row ${row}: ${format(weights)}`);
  console.log(`norms 1 and 3, most weight at: ${largestAt(different)}`);

  const equal = weightsOf(fromRows([0, 1, 2, 3].map((step) => [3 * Math.cos(step), 3 * Math.sin(step)])));
  console.log(`equal norms, most weight at: ${largestAt(equal)}`);
  console.log(`sums of rows: ${format(equal.map((row) => row.reduce((sum, weight) => sum + weight, 0)))}`);
  engine.dispose();
  return heatmaps(
    [
      { matrix: different, title: "Norms 1 and 3" },
      { matrix: equal, title: "Equal norms" },
    ],
    { title: "The diagonal is largest where all norms are equal" },
  );
});
