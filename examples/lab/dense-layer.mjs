/**
 * A dense layer is attention with one head for each key: every head sees its key alone, so that the heads side by side are the keys
 * side by side, and W^O is the layer's matrix. Not a bit differs. The same means as for convolutions: Cordonnier, Loukas & Jaggi 2020,
 * arXiv:1911.03584.
 */
import { createEngine } from "headwise";
import { heatmap } from "./picture.mjs";
import { runLab } from "./runLab.mjs";
import { countDifferent, normal, toRows, zeros } from "./tensors.mjs";

const [KEYS, CHANNELS, OUT] = [10, 6, 4];

await runLab("dense-layer", async () => {
  const engine = await createEngine();
  const random = normal(4);
  const x = random(1, KEYS, 1, CHANNELS);
  const matrix = random(KEYS * CHANNELS, OUT);
  const q = random(1, 1, KEYS, CHANNELS); // one row; what it asks is of no importance

  const mask = {
    data: Uint8Array.from({ length: KEYS * KEYS }, (_, at) => Number(at % (KEYS + 1) === 0)),
    dims: [1, KEYS, 1, KEYS],
  };
  const weights = zeros(1, KEYS, 1, KEYS);
  const heads = engine.scaledDotProductAttention(q, x, x, { numKvHeads: 1, mask, weights });
  const flat = { data: x.data, dims: [1, KEYS * CHANNELS] };
  console.log(`numbers of the heads that differ from the keys: ${countDifferent(heads, flat)} of ${flat.data.length}`);

  const attended = engine.matmul({ data: heads.data, dims: flat.dims }, matrix);
  const dense = engine.matmul(flat, matrix);
  console.log(`numbers of the result that differ from the dense layer's: ${countDifferent(attended, dense)} of ${OUT}`);
  engine.dispose();
  return heatmap(toRows(weights), {
    rows: Array.from({ length: KEYS }, (_, head) => `head ${head}`),
    columns: Array.from({ length: KEYS }, (_, key) => `key ${key}`),
    title: "Every head has a key of its own",
  });
});
