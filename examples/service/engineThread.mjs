/** A thread that holds the engine: calls come one by one, and while one is computed the server goes on answering. */
import { parentPort, workerData } from "node:worker_threads";
import { createEngine } from "headwise";

const engine = await createEngine(workerData);

parentPort.on("message", ({ q, k, v, options }) => {
  try {
    const { data, dims } = engine.scaledDotProductAttention(q, k, v, options);
    parentPort.postMessage({ out: { data, dims } }, [data.buffer]);
  } catch (error) {
    // The wrong kind of value or one that doesn't fit is the caller's mistake, and the message says which.
    const isCallers = error instanceof TypeError || error instanceof RangeError;
    parentPort.postMessage({ problem: error.message, isCallers });
  }
});
const { build, threads } = engine.info;
parentPort.postMessage({ build, threads });
