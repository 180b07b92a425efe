/** A process that holds parts of the keys and values, and attends to them. */
import { createEngine } from "headwise";

/** Each part: the number of its keys, and a seed for their values. */
const { numKvHeads, headDim, parts } = JSON.parse(process.argv[2]);
const CHUNK = 512;

const engine = await createEngine();
const capacity = parts.reduce((sum, { keys }) => sum + keys, 0);
const cache = engine.createKVCache({ numKvHeads, headDim, capacity });

/** In place of what a model computes: numbers between −1 and 1 (Park & Miller 1988). */
function generator(seed) {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 1073741823.5 - 1;
}

for (const { keys, seed } of parts) {
  const random = generator(seed);
  for (let first = 0; first < keys; first += CHUNK) {
    const count = Math.min(CHUNK, keys - first);
    const rows = () => ({
      data: Float32Array.from({ length: count * numKvHeads * headDim }, random),
      dims: [1, count, numKvHeads, headDim],
    });
    cache.append(rows(), rows());
  }
}

process.on("message", (q) => {
  const [batch, seqLen, numHeads] = q.dims;
  const logSumExp = { data: new Float32Array(batch * numHeads * seqLen), dims: [batch, numHeads, seqLen] };
  const { data, dims } = cache.attend(q, { causal: false, logSumExp }); // all keys come before the queries: none is hidden
  process.send({ out: { data, dims }, logSumExp });
});
process.send("ready");
