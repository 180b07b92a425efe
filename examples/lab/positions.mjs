/**
 * Ways to tell attention where rows are: sines added to rows, rotations of queries and keys, biases that fall with the distance (ALiBi),
 * learned biases of distances (T5), and keys of distances (Shaw). Vaswani et al. 2017, arXiv:1706.03762; Su et al. 2021, arXiv:2104.09864;
 * Press et al. 2022, arXiv:2108.12409; Raffel et al. 2020, arXiv:1910.10683; Shaw et al. 2018, arXiv:1803.02155.
 */
import { alibiSlopes, createEngine, t5RelativeBias } from "headwise";
import { heatmaps } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { format, fromRows, largestDifference, normal, toRows, zeros } from "./tensors.mjs";

const [ROWS, DIM] = [16, 16];

const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);
/** How far numbers that ought to be equal are apart. */
const spread = (numbers) => Math.max(...numbers) - Math.min(...numbers);
const everyPair = (f) => Array.from({ length: ROWS }, (_, i) => Array.from({ length: ROWS }, (_, j) => f(i, j)));

await runLab("positions", async () => {
  const engine = await createEngine();
  const random = normal(10);

  // Sines and cosines: k positions on is the same rotation from everywhere, so that products depend on the distance alone.
  const sines = toRows(engine.sinusoidalPositions({ length: 2 * ROWS, dim: DIM }));
  console.log(`sines of position 1: ${format(sines[1].slice(0, 4))}`);
  const products = sines.slice(3).map((row, p) => dot(row, sines[p]));
  console.log(`products of sines at distance 3 spread over: ${spread(products).toExponential(1)}`);

  // Rotary: the same query and key at every position.
  const repeated = (row) => fromRows(Array.from({ length: ROWS }, () => row));
  const [query, key] = toRows(random(2, DIM));
  const [q, k] = [toRows(engine.rotary(repeated(query))), toRows(engine.rotary(repeated(key)))];
  const rotated = everyPair((i, j) => dot(q[i], k[j]));
  console.log(`rotary scores at distance 3 spread over: ${spread(rotated.slice(3).map((row, p) => row[p])).toExponential(1)}`);
  console.log(`rotary scores of all distances spread over: ${spread(rotated[0]).toFixed(4)}`);

  // ALiBi is the bias that it says it is.
  const slopes = alibiSlopes(8);
  console.log(`slopes of 8 heads: ${[...slopes.data].join(" ")}`);
  const x = random(1, ROWS, 8, DIM);
  const biases = Array.from(slopes.data, (slope) => everyPair((i, j) => -slope * Math.abs(i - j)));
  const bias = { data: Float32Array.from(biases.flat(2)), dims: [8, ROWS, ROWS] };
  const sloped = engine.scaledDotProductAttention(x, x, x, { alibiSlopes: slopes });
  const biased = engine.scaledDotProductAttention(x, x, x, { bias });
  console.log(`ALiBi and the same bias differ by: ${largestDifference(sloped, biased).toExponential(1)}`);

  // T5: a bias for each bucket of distances.
  const embedding = { data: Float32Array.from({ length: 8 }, (_, bucket) => bucket), dims: [8, 1] };
  const relativeBias = t5RelativeBias(embedding, { length: ROWS, maxDistance: ROWS });
  const center = ROWS - 1;
  console.log(`T5's buckets of distances −6 to 6: ${[...relativeBias.data.slice(center - 6, center + 7)].join(" ")}`);

  // Keys of distances: the query is compared with the distance, too.
  const relativeKeys = random(2 * ROWS - 1, 1, DIM);
  const scores = zeros(ROWS, ROWS);
  const rows = random(ROWS, DIM);
  engine.scaledDotProductAttention(rows, rows, rows, { relativeKeys, scores });
  const [own, distances] = [toRows(rows), toRows(relativeKeys)];
  const expected = everyPair(
    (i, j) =>
      dot(
        own[i],
        own[j].map((value, at) => value + distances[j - i + center][at]),
      ) / Math.sqrt(DIM),
  );
  console.log(`relative keys and their definition differ by: ${largestDifference(scores, fromRows(expected)).toExponential(1)}`);

  // Weights by positions alone: queries and keys that are all the same.
  const weightsOf = (options) => {
    const [same, weights] = [zeros(ROWS, DIM), zeros(ROWS, ROWS)];
    engine.scaledDotProductAttention(same, same, same, { ...options, weights });
    return toRows(weights);
  };
  const falling = { data: embedding.data.map((bucket) => -(bucket % 4) / 2), dims: embedding.dims };
  const panels = [
    { matrix: sines.slice(0, ROWS), title: "Sines and cosines" },
    { matrix: rotated, title: "Rotary scores" },
    { matrix: weightsOf({ alibiSlopes: { data: [0.5], dims: [1] } }), title: "ALiBi, slope ½" },
    { matrix: weightsOf({ relativeBias: t5RelativeBias(falling, { length: ROWS, maxDistance: ROWS }) }), title: "T5, by buckets" },
  ];
  engine.dispose();
  return heatmaps(panels);
});
