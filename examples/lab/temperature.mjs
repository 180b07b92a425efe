/**
 * A softmax by temperature, from the single largest score to the mean of all; and why scores are divided by √headDim: products of
 * random vectors have a deviation of √headDim, scaled ones of 1. Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1.
 */
import { createEngine } from "headwise";
import { blocks, heatmap } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { entropy, format, fromRows, normal, toRows, zeros } from "./tensors.mjs";

const TEMPERATURES = [0.01, 0.3, 1, 3, 1000];
const HEAD_DIM = 64;

await runLab("temperature", async () => {
  const engine = await createEngine();
  const weightsOf = (scores, temperature) => {
    const count = scores.length;
    const weights = zeros(1, count);
    const keys = fromRows(scores.map((score) => [score]));
    engine.scaledDotProductAttention(fromRows([[1]]), keys, zeros(count, 1), { scale: 1 / temperature, weights });
    return toRows(weights)[0];
  };
  const rows = TEMPERATURES.map((temperature) => weightsOf([1, 2, 0, 1.5, 0.5, 1], temperature));
  const lines = blocks(rows).split("\n");
  for (const [index, temperature] of TEMPERATURES.entries()) {
    const row = rows[index];
    console.log(`temperature ${String(temperature).padEnd(5)} ${lines[index]} ${format(row)} entropy ${entropy(row).toFixed(4)}`);
  }
  console.log(`two largest scores at 0.01: ${format(weightsOf([1, 2, 0, 2], 0.01))}`);

  const random = normal(1);
  const scores = zeros(256, 256);
  const [q, k] = [random(256, HEAD_DIM), random(256, HEAD_DIM)];
  const scales = { "q·k": 1, "q·k / √headDim": 1 / Math.sqrt(HEAD_DIM) };
  for (const [name, scale] of Object.entries(scales)) {
    engine.scaledDotProductAttention(q, k, zeros(256, 1), { scale, scores });
    const variance = scores.data.reduce((sum, score) => sum + score * score, 0) / scores.data.length;
    console.log(`deviation of ${name}: ${Math.sqrt(variance).toFixed(3)}`);
  }
  engine.dispose();
  const labels = TEMPERATURES.map((temperature) => `temperature ${temperature}`);
  return heatmap(rows, { rows: labels, title: "Scores 1, 2, 0, 1.5, 0.5, 1: weights by temperature" });
});
