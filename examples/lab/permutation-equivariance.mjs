/**
 * Self-attention knows no order: permuted rows give permuted results, and their mean is the same whatever the order. Positions that
 * are added to the rows end that, and so does causal attention. Lee et al. 2019, arXiv:1810.00825.
 */
import { createEngine } from "headwise";
import { heatmaps } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { fromRows, largestDifference, normal, toRows, zeros } from "./tensors.mjs";

const ORDER = [3, 0, 5, 1, 4, 2];
const HEAD_DIM = 8;

const permuted = (x) => fromRows(ORDER.map((row) => toRows(x)[row]));
const meanOf = (x) => {
  const rows = toRows(x);
  return fromRows([rows[0].map((_, channel) => rows.reduce((sum, row) => sum + row[channel], 0) / rows.length)]);
};

await runLab("permutation-equivariance", async () => {
  const engine = await createEngine();
  const random = normal(2);
  const x = random(ORDER.length, HEAD_DIM);
  const positions = random(ORDER.length, HEAD_DIM);
  const attend = (rows, options) => engine.scaledDotProductAttention(rows, rows, rows, options);

  const compare = (name, f) => {
    const difference = largestDifference(f(permuted(x)), permuted(f(x)));
    console.log(`${name}, f(Px) and P f(x) differ by: ${difference.toExponential(1)}`);
  };
  compare("full", (rows) => attend(rows));
  compare("causal", (rows) => attend(rows, { causal: true }));
  compare("with positions", (rows) => attend(engine.add(rows, positions)));
  const pooled = largestDifference(meanOf(attend(permuted(x))), meanOf(attend(x)));
  console.log(`mean of all rows, of the two orders, differs by: ${pooled.toExponential(1)}`);

  const weightsOf = (rows) => {
    const weights = zeros(ORDER.length, ORDER.length);
    attend(rows, { weights });
    return toRows(weights);
  };
  const panels = [
    { matrix: weightsOf(x), rows: [..."abcdef"], columns: [..."abcdef"], title: "Weights of a b c d e f" },
    {
      matrix: weightsOf(permuted(x)),
      rows: ORDER.map((row) => "abcdef"[row]),
      columns: ORDER.map((row) => "abcdef"[row]),
      title: `Of ${ORDER.map((row) => "abcdef"[row]).join(" ")}: the same numbers`,
    },
  ];
  engine.dispose();
  return heatmaps(panels);
});
