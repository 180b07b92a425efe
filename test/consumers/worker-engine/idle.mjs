import { createWorkerEngine } from "headwise";

const one = { data: Float32Array.of(1), dims: [1, 1] };
const engine = await createWorkerEngine();
console.log((await engine.scaledDotProductAttention(one, one, one)).data[0]);
