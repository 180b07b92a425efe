/**
 * A look inside: what weights say, without the whole matrix of them. The largest keys of rows, how undecided rows are, how much keys are
 * looked at; and of layers, which heads matter and what they can do. Voita et al. 2019, arXiv:1905.09418; Michel et al. 2019,
 * arXiv:1905.10650; Elhage et al. 2021, transformer-circuits.pub/2021/framework.
 */
import { createEngine } from "headwise";
import { heatmaps } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { entropy as entropyOf, format, largestDifference, normal, toRows, zeros } from "./tensors.mjs";

const [ROWS, EMBED, HEADS, TOP] = [12, 16, 4, 3];

await runLab("looks", async () => {
  const engine = await createEngine();
  const random = normal(15);
  const [q, k, v] = [random(ROWS, EMBED), random(ROWS, EMBED), random(ROWS, EMBED)];

  const topKeys = { indices: zeros(ROWS, TOP), weights: zeros(ROWS, TOP) };
  const [entropy, largestWeight, keyWeights] = [zeros(ROWS), zeros(ROWS), zeros(ROWS)];
  engine.scaledDotProductAttention(q, k, v, { topKeys, entropy, largestWeight, keyWeights });
  console.log(
    `row 0 looks at: ${[...topKeys.indices.data.subarray(0, TOP)].join(" ")}, weights ${format(toRows(topKeys.weights)[0])}`,
  );
  console.log(`entropy of rows 0 and 1: ${format([...entropy.data.subarray(0, 2)])}`);

  // The same of the whole matrix.
  const weights = zeros(ROWS, ROWS);
  engine.scaledDotProductAttention(q, k, v, { weights });
  const rows = toRows(weights);
  const byHand = {
    entropy: rows.map(entropyOf),
    largestWeight: rows.map((row) => Math.max(...row)),
    keyWeights: rows[0].map((_, key) => rows.reduce((sum, row) => sum + row[key], 0)),
    topKeys: rows.flatMap((row) => [...row].sort((a, b) => b - a).slice(0, TOP)),
  };
  for (const [name, place] of Object.entries({ entropy, largestWeight, keyWeights, topKeys: topKeys.weights })) {
    console.log(
      `${name} and that of the whole weights differ by: ${largestDifference(place, { data: byHand[name] }).toExponential(1)}`,
    );
  }
  const strange = [...topKeys.indices.data].filter(
    (key, at) => Math.abs(rows[Math.floor(at / TOP)][key] - topKeys.weights.data[at]) > 1e-6,
  );
  console.log(`keys whose weight is another: ${strange.length} of ${ROWS * TOP}`);

  // A layer: which of its heads matter, and that it is what its circuits say.
  const parameter = () => ({ data: random(EMBED, EMBED).data.map((value) => value / Math.sqrt(EMBED)), dims: [EMBED, EMBED] });
  const parameters = { q: parameter(), k: parameter(), v: parameter(), out: parameter() };
  const layer = engine.createMultiHeadAttention({ embedDim: EMBED, numHeads: HEADS }, parameters);
  const x = random(1, ROWS, EMBED);
  const { confidence, leaveOneOut } = layer.headImportance(x);
  console.log(`confidence of heads: ${format([...confidence.data])}`);
  console.log(`the result without each head moves by: ${format([...leaveOneOut.data])}`);

  const flat = { data: x.data, dims: [ROWS, EMBED] };
  let sum = zeros(ROWS, EMBED);
  const circuits = Array.from({ length: HEADS }, (_, head) => layer.circuits(head));
  for (const { queryKey, outputValue } of circuits) {
    const scores = engine.matmul(engine.matmul(flat, queryKey), flat, { transposeB: true });
    const looked = engine.softmax(scores, { scale: 1 / Math.sqrt(EMBED / HEADS) }); // A_h
    const written = engine.matmul(flat, outputValue, { transposeB: true });
    sum = engine.add(sum, engine.matmul(looked, written));
  }
  console.log(`layer and the sum of its circuits differ by: ${largestDifference(sum, layer.forward(x)).toExponential(1)}`);
  const panels = [
    { matrix: rows, title: "Weights" },
    { matrix: toRows({ data: entropy.data, dims: [ROWS, 1] }), title: "Entropy" },
    { matrix: [[...keyWeights.data]], title: "Weights of keys" },
    { matrix: toRows(circuits[0].queryKey), title: "QK circuit of head 0" },
    { matrix: toRows(circuits[0].outputValue), title: "OV circuit of head 0" },
  ];
  engine.dispose();
  return heatmaps(panels);
});
