import { createEngine, createWorkerEngine } from "headwise";
import * as reference from "headwise/reference";
import { check } from "../../check.mjs";

/** On two threads, and in a worker. */
export async function GET() {
  const one = { data: Float32Array.of(1), dims: [1, 1] };
  const engine = await createWorkerEngine();
  const { data } = await engine.scaledDotProductAttention(one, one, one);
  await engine.dispose();
  return Response.json({ check: await check({ createEngine, reference }, { threads: 2 }), inWorker: [...data] });
}
