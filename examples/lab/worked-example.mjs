/**
 * Attention of six tokens, step by step: scores, scale, softmax, sum of values; then the same causally, and with linear attention in
 * place of the softmax. Vaswani et al. 2017, arXiv:1706.03762; Katharopoulos et al. 2020, arXiv:2006.16236.
 */
import { createEngine } from "headwise";
import { heatmap } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { format, fromRows, largestDifference, toRows, zeros } from "./tensors.mjs";

const TOKENS = ["The", "dog", "is", "sitting", "on", "the"];
const q = fromRows([[0.2, 0.5, 0.1], [0.4, 0.6, 0.2], [0.1, 0.3, 0.2], [0.3, 0.4, 0.1], [0.5, 0.2, 0.3], [0.3, 0.1, 0.5]]); // prettier-ignore
const k = fromRows([[0.1, 0.3, 0.6], [0.2, 0.4, 0.7], [0.3, 0.5, 0.4], [0.4, 0.3, 0.5], [0.6, 0.4, 0.2], [0.4, 0.2, 0.6]]); // prettier-ignore
const v = fromRows([[0.3, 0.2, 0.8], [0.5, 0.3, 0.9], [0.2, 0.1, 0.7], [0.6, 0.4, 0.9], [0.7, 0.5, 0.8], [0.8, 0.6, 0.9]]); // prettier-ignore

await runLab("worked-example", async () => {
  const engine = await createEngine();

  // 1. A score for each pair: the dot product of a query and a key.
  const products = engine.matmul(q, k, { transposeB: true });
  console.log(`q·k of sitting: ${format(toRows(products)[3], 2)}`);

  // 2. Divided by √headDim, then a softmax of each row: weights that are positive and sum to 1.
  const weights = engine.softmax(products, { scale: 1 / Math.sqrt(3) });
  console.log(`weights of sitting: ${format(toRows(weights)[3], 8)}`);

  // 3. The result of a row is the mean of the values with these weights.
  const byHand = engine.matmul(weights, v);

  // All of it is one call, which never holds the matrix of weights unless it is asked for.
  const [logSumExp, place] = [zeros(6), zeros(6, 6)];
  const out = engine.scaledDotProductAttention(q, k, v, { logSumExp, weights: place });
  for (const [row, token] of TOKENS.entries()) console.log(`full ${token}: ${format(toRows(out)[row], 8)}`);
  console.log(`logSumExp: ${format([...logSumExp.data], 8)}`);
  console.log(`three steps and one call differ by: ${largestDifference(byHand, out).toExponential(1)}`);

  const causal = engine.scaledDotProductAttention(q, k, v, { causal: true });
  for (const [row, token] of TOKENS.entries()) console.log(`causal ${token}: ${format(toRows(causal)[row], 8)}`);

  for (const featureMap of ["elu+1", "identity"]) {
    const linear = engine.linearAttention(q, k, v, { featureMap, eps: 0 });
    console.log(`linear ${featureMap} sitting: ${format(toRows(linear)[3], 7)}`);
    const causal = engine.linearAttention(q, k, v, { featureMap, eps: 0, causal: true });
    console.log(`linear ${featureMap} causal sitting: ${format(toRows(causal)[3], 7)}`);
  }
  engine.dispose();
  return heatmap(toRows(place), { rows: TOKENS, columns: TOKENS, digits: 3, palest: 0.155, title: "Weights: every row sums to 1" });
});
