/**
 * Five ways to compare a query with a key, on the same rows: dot product, bilinear, additive, MLP and cosine. Luong et al. 2015,
 * arXiv:1508.04025; Bahdanau et al. 2015, arXiv:1409.0473; Graves et al. 2014, arXiv:1410.5401.
 */
import { createEngine } from "headwise";
import { heatmaps } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { format, fromRows, largestDifference, normal, toRows, zeros } from "./tensors.mjs";

const [ROWS, HEAD_DIM, HIDDEN] = [10, 6, 12];

await runLab("scores", async () => {
  const engine = await createEngine();
  const random = normal(11);
  const [q, k, v] = [random(ROWS, HEAD_DIM), random(ROWS, HEAD_DIM), random(ROWS, HEAD_DIM)];
  const identity = fromRows(
    Array.from({ length: HEAD_DIM }, (_, i) => Array.from({ length: HEAD_DIM }, (_, j) => Number(i === j))),
  );
  const weight = random(HEAD_DIM, HEAD_DIM); // U
  const parameters = {
    query: random(HIDDEN, HEAD_DIM),
    key: random(HIDDEN, HEAD_DIM),
    score: { data: random(HIDDEN).data, dims: [HIDDEN] },
  };
  const bias = random(HIDDEN);

  const dotOf = (a, b, options) => engine.scaledDotProductAttention(a, b, v, { scale: 1, ...options });
  const compare = (name, a, b) => console.log(`${name} differ by: ${largestDifference(a, b).toExponential(1)}`);

  compare("dot and bilinear with U = I", dotOf(q, k), engine.bilinearAttention(q, k, v, { weight: identity }));
  compare("bilinear and dot with q' = Uᵀq", engine.bilinearAttention(q, k, v, { weight }), dotOf(engine.matmul(q, weight), k));

  const longer = { data: k.data.map((value) => 3 * value), dims: k.dims };
  compare("cosine of k and of 3 k", engine.cosineAttention(q, k, v), engine.cosineAttention(q, longer, v));
  compare("dot of k and of 3 k", dotOf(q, k), dotOf(q, longer));

  const projected = engine.matmul(k, parameters.key, { transposeB: true }); // once, for a cache
  const once = engine.additiveAttention(q, projected, v, { query: parameters.query, score: parameters.score });
  compare("additive with keys projected before and in the call", once, engine.additiveAttention(q, k, v, parameters));
  const nothing = { query: zeros(HIDDEN, HEAD_DIM), key: zeros(HIDDEN, HEAD_DIM), score: parameters.score };
  const mean = toRows(v)[0].map((_, channel) => toRows(v).reduce((sum, row) => sum + row[channel] / ROWS, 0));
  compare(
    "additive with A = B = 0 and the mean of v",
    engine.additiveAttention(q, k, v, nothing),
    fromRows(toRows(v).map(() => mean)),
  );
  const withoutBias = engine.additiveAttention(q, k, v, { ...parameters, bias: zeros(HIDDEN), activation: "tanh" });
  compare("MLP with tanh and b = 0 and additive", withoutBias, engine.additiveAttention(q, k, v, parameters));

  const panels = [];
  for (const [title, attend] of [
    ["dot", (weights) => dotOf(q, k, { weights })],
    ["bilinear", (weights) => engine.bilinearAttention(q, k, v, { weight }, { weights })],
    ["additive", (weights) => engine.additiveAttention(q, k, v, parameters, { weights })],
    ["MLP with relu", (weights) => engine.additiveAttention(q, k, v, { ...parameters, bias, activation: "relu" }, { weights })],
    ["cosine", (weights) => engine.cosineAttention(q, k, v, { weights })],
  ]) {
    const weights = zeros(ROWS, ROWS);
    attend(weights);
    console.log(`${title}, first row: ${format(toRows(weights)[0], 3)}`);
    panels.push({ matrix: toRows(weights), title });
  }
  engine.dispose();
  return heatmaps(panels, { title: "Weights by five scores" });
});
