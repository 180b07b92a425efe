import { createEngine, createWorkerEngine } from "headwise";

const x = { data: Float32Array.of(1, 0, 0, 1, 1, 1), dims: [3, 2] };
const engines = await Promise.all([createEngine(), createEngine({ threads: 2 }), createWorkerEngine()]);
const tried = async (engine) => {
  const { data } = await engine.scaledDotProductAttention(x, x, x, { causal: true });
  const { threads } = await engine.info;
  return { numbers: Array.from(data, (value) => value.toFixed(3)).join(" "), threads };
};
const [one, two, inWorker] = await Promise.all(engines.map(tried));
postMessage({ one, two, inWorker });
