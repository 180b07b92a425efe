/**
 * A long text in segments, each of which sees the keys and values of the segments before it. Transformer-XL compares queries with contents
 * and with distances, so that nothing depends on where a segment begins: with all of its past, a segment gives what one call on the
 * whole text gives. Dai et al. 2019, arXiv:1901.02860.
 */
import { createEngine } from "headwise";
import { heatmaps } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { largestDifference, normal, toRows, zeros } from "./tensors.mjs";

const [ROWS, SEGMENT, HEADS, HEAD_DIM] = [24, 6, 2, 8];

/** Sines, then cosines, of the distances 0, −1, …: what a key's distance is made of. Index 0 is the farthest key. */
function distances(count, dim) {
  const table = zeros(count, dim);
  for (let index = 0; index < count; index++) {
    for (let pair = 0; pair < dim / 2; pair++) {
      const angle = (count - 1 - index) / 10000 ** ((2 * pair) / dim);
      table.data[index * dim + pair] = Math.sin(angle);
      table.data[index * dim + dim / 2 + pair] = Math.cos(angle);
    }
  }
  return table;
}

/** Rows `from` to `to` − 1 of [1, rows, heads, dim]. */
const part = ({ data, dims: [, , heads, dim] }, from, to) => ({
  data: data.subarray(from * heads * dim, to * heads * dim),
  dims: [1, to - from, heads, dim],
});

await runLab("transformer-xl", async () => {
  const engine = await createEngine();
  const random = normal(9);
  const [q, k, v] = [random(1, ROWS, HEADS, HEAD_DIM), random(1, ROWS, HEADS, HEAD_DIM), random(1, ROWS, HEADS, HEAD_DIM)];
  const embedDim = HEADS * HEAD_DIM;
  const projection = random(embedDim, embedDim).data.map((value) => value / Math.sqrt(embedDim)); // W_kR
  const keysOfDistances = engine.matmul(distances(ROWS, embedDim), { data: projection, dims: [embedDim, embedDim] });
  const options = {
    causal: true,
    relativeKeys: { data: keysOfDistances.data, dims: [ROWS, HEADS, HEAD_DIM] },
    relativeZero: ROWS - 1, // where distance 0 is: no key comes after its row
    contentBias: random(HEADS, HEAD_DIM), // u
    positionBias: random(HEADS, HEAD_DIM), // v
  };
  const weightsOf = zeros(1, HEADS, ROWS, ROWS);
  const whole = engine.scaledDotProductAttention(q, k, v, { ...options, weights: weightsOf });

  // The definition, for one pair: four products, of contents and of distances.
  const row = ({ data }, index, head) =>
    Array.from(data.subarray((index * HEADS + head) * HEAD_DIM, (index * HEADS + head + 1) * HEAD_DIM));
  const dot = (a, b) => a.reduce((sum, value, at) => sum + value * b[at], 0);
  const scores = zeros(1, HEADS, ROWS, ROWS);
  engine.scaledDotProductAttention(q, k, v, { ...options, scores });
  let furthest = 0;
  for (let head = 0; head < HEADS; head++) {
    const [content, position] = [options.contentBias, options.positionBias].map((bias) => row(bias, 0, head));
    for (let i = 0; i < ROWS; i++) {
      for (let j = 0; j <= i; j++) {
        const [query, key, distance] = [row(q, i, head), row(k, j, head), row(options.relativeKeys, ROWS - 1 - (i - j), head)];
        const expected =
          (dot(query, key) + dot(query, distance) + dot(content, key) + dot(position, distance)) / Math.sqrt(HEAD_DIM);
        furthest = Math.max(furthest, Math.abs(expected - scores.data[(head * ROWS + i) * ROWS + j]));
      }
    }
  }
  console.log(`scores and the sum of four products differ by: ${furthest.toExponential(1)}`);

  const panels = [{ matrix: toRows(weightsOf).slice(0, ROWS), title: "The whole text" }];
  for (const memory of [ROWS, SEGMENT, 0]) {
    const out = zeros(1, ROWS, HEADS, HEAD_DIM);
    const seen = Array.from({ length: ROWS }, () => new Array(ROWS).fill(0));
    for (let from = 0; from < ROWS; from += SEGMENT) {
      const first = Math.max(0, from - memory); // of the keys that are remembered
      const [keys, values] = [part(k, first, from + SEGMENT), part(v, first, from + SEGMENT)];
      const weights = zeros(1, HEADS, SEGMENT, keys.dims[1]);
      const { data } = engine.scaledDotProductAttention(part(q, from, from + SEGMENT), keys, values, { ...options, weights });
      out.data.set(data, from * HEADS * HEAD_DIM);
      for (let i = 0; i < SEGMENT; i++) for (const [j, weight] of toRows(weights)[i].entries()) seen[from + i][first + j] = weight;
    }
    const name = memory === ROWS ? "all of the past" : memory === 0 ? "no memory" : "a segment's memory";
    console.log(`segments of ${SEGMENT} rows, ${name}: ${largestDifference(out, whole).toExponential(1)} from the whole text`);
    if (memory < ROWS) panels.push({ matrix: seen, title: `Segments, ${name}` });
  }
  engine.dispose();
  return heatmaps(panels, { title: "Weights of one head" });
});
