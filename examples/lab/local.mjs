/**
 * Local attention: a window around each row's own position (local-m), or around a centre that the row predicts, with a Gaussian that
 * favours keys near it (local-p). Luong, Pham & Manning 2015, arXiv:1508.04025, section 3.2.
 */
import { createEngine } from "headwise";
import { heatmaps } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { format, fromRows, largestDifference, normal, toRows, zeros } from "./tensors.mjs";

const [ROWS, HEAD_DIM, HALF] = [20, 8, 4];

await runLab("local", async () => {
  const engine = await createEngine();
  const random = normal(13);
  const [q, k, v] = [random(ROWS, HEAD_DIM), random(ROWS, HEAD_DIM), random(ROWS, HEAD_DIM)];
  const weights = zeros(ROWS, ROWS);
  const sums = () => toRows(weights).map((row) => row.reduce((sum, weight) => sum + weight, 0));
  const range = (numbers) => format([Math.min(...numbers), Math.max(...numbers)]);

  const aroundRows = engine.localAttention(q, k, v, { halfWidth: HALF }, { weights });
  const windowed = engine.scaledDotProductAttention(q, k, v, { window: HALF });
  console.log(`local-m and a window differ by: ${largestDifference(aroundRows, windowed).toExponential(1)}`);
  console.log(`local-m: sums of weights from ${range(sums())}`);
  const panels = [{ matrix: toRows(weights), title: "local-m: around each row" }];

  const predictor = { weight: random(HEAD_DIM, HEAD_DIM), score: { data: random(HEAD_DIM).data, dims: [HEAD_DIM] } };
  engine.localAttention(q, k, v, { halfWidth: HALF, predictor }, { weights });
  console.log(`local-p: sums of weights from ${range(sums())}`);
  panels.push({ matrix: toRows(weights), title: "local-p: around what it predicts" });

  // The same by hand: centers, a mask for the window, and with renormalized weights a bias for the Gaussian.
  const hidden = engine.matmul(q, predictor.weight, { transposeB: true, activation: "tanh" });
  const logits = engine.matmul(hidden, { data: predictor.score.data, dims: [HEAD_DIM, 1] });
  const centers = Array.from(logits.data, (logit) => ROWS / (1 + Math.exp(-logit)));
  const bias = fromRows(
    centers.map((center) =>
      Array.from({ length: ROWS }, (_, key) =>
        Math.abs(key - center) <= HALF ? (-2 * (key - center) ** 2) / HALF ** 2 : -Infinity,
      ),
    ),
  );
  const renormalized = engine.localAttention(q, k, v, { halfWidth: HALF, predictor, renormalize: true });
  const biased = engine.scaledDotProductAttention(q, k, v, { bias });
  console.log(`renormalized local-p and a Gaussian bias differ by: ${largestDifference(renormalized, biased).toExponential(1)}`);
  engine.dispose();
  return heatmaps(panels);
});
