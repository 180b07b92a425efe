/**
 * Softmax or linear attention: the work of one grows with the square of the length, that of the other with the length. What it gives up:
 * it is another function, unless its features imitate the softmax, the better the more there are. Katharopoulos et al. 2020,
 * arXiv:2006.16236; Choromanski et al. 2021, arXiv:2009.14794.
 */
import { createEngine } from "headwise";
import { heatmaps } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { fromRows, normal, toRows, zeros } from "./tensors.mjs";

const HEAD_DIM = 16;
const LENGTHS = [512, 1024, 2048];

/** Root of the mean square difference, relative to the deviation of b. */
function distance(a, b) {
  const [difference, size] = [0, 0].map((_, index) =>
    b.data.reduce((sum, value, at) => sum + (index === 0 ? a.data[at] - value : value) ** 2, 0),
  );
  return Math.sqrt(difference / size);
}

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

await runLab("linear-or-softmax", async () => {
  const engine = await createEngine();
  const random = normal(6);

  const half = (x) => ({ data: x.data.map((value) => value / 2), dims: x.dims }); // the larger the scores, the more features it takes
  const [q, k, v] = [half(random(256, HEAD_DIM)), half(random(256, HEAD_DIM)), random(256, HEAD_DIM)];
  const exact = engine.scaledDotProductAttention(q, k, v);
  console.log(`elu+1, distance from softmax: ${distance(engine.linearAttention(q, k, v), exact).toFixed(3)}`);
  for (const features of [16, 256, 4096]) {
    const imitated = engine.linearAttention(q, k, v, { featureMap: "favor+", features });
    console.log(`favor+ with ${features} features, distance from softmax: ${distance(imitated, exact).toFixed(3)}`);
  }

  for (const length of LENGTHS) {
    const x = random(length, HEAD_DIM);
    const softmaxWork = 2 * length * length * HEAD_DIM; // q·k and the sum of values
    const linearWork = 2 * length * HEAD_DIM * (HEAD_DIM + 1); // into the state and out of it
    const softmaxTime = timeOf(() => engine.scaledDotProductAttention(x, x, x));
    const linearTime = timeOf(() => engine.linearAttention(x, x, x));
    const work = `multiply-adds softmax ${softmaxWork}, linear ${linearWork}`;
    console.log(`${length} rows: ${work}; milliseconds ${softmaxTime.toFixed(2)}, ${linearTime.toFixed(2)}`);
  }

  // What linear attention weighs is seen by values that are one-hot.
  const identity = fromRows(
    Array.from({ length: 16 }, (_, row) => Array.from({ length: 16 }, (_, column) => Number(row === column))),
  );
  const [few, fewKeys] = [random(16, HEAD_DIM), random(16, HEAD_DIM)];
  const weights = zeros(16, 16);
  engine.scaledDotProductAttention(few, fewKeys, identity, { weights });
  const linear = engine.linearAttention(few, fewKeys, identity);
  engine.dispose();
  return heatmaps(
    [
      { matrix: toRows(weights), title: "Softmax" },
      { matrix: toRows(linear), title: "Linear, elu + 1: flatter" },
    ],
    { title: "Weights of the same queries and keys" },
  );
});
