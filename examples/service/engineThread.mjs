/** A thread that holds the engine: calls arrive one by one, and the server keeps answering while one is computed. */
import { parentPort, workerData } from "node:worker_threads";
import { createEngine } from "headwise";

const engine = await createEngine(workerData);

parentPort.on("message", ({ q, k, v, options }) => {
  try {
    const { data, dims } = engine.scaledDotProductAttention(q, k, v, options);
    parentPort.postMessage({ out: { data, dims } }, [data.buffer]);
  } catch (error) {
    // TypeError and RangeError are the caller's mistakes, and their messages say what is wrong.
    const isCallers = error instanceof TypeError || error instanceof RangeError;
    parentPort.postMessage({ problem: error.message, isCallers });
  }
});
const { build, threads } = engine.info;
parentPort.postMessage({ build, threads });
