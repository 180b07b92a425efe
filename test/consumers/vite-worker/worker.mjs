import { createEngine, createWorkerEngine } from "headwise";

const x = { data: Float32Array.of(1, 0, 0, 1, 1, 1), dims: [3, 2] };
const tried = async (engine) => {
  const { data } = await engine.scaledDotProductAttention(x, x, x, { causal: true });
  const { threads } = await engine.info;
  await engine.dispose();
  return { numbers: Array.from(data, (value) => value.toFixed(3)).join(" "), threads };
};
const one = await tried(await createEngine());
const two = await tried(await createEngine({ threads: 2 }));
const inWorker = await tried(await createWorkerEngine());
postMessage({ one, two, inWorker });
