/** jax-js on its WebAssembly backend: its own `dotProductAttention`, compiled. It starts threads where there are web workers. */
import { resolveObjectURL } from "node:buffer";
import { Worker as NodeWorker } from "node:worker_threads";

const WORKER_SCOPE = `
  const { parentPort } = require("node:worker_threads");
  globalThis.self = globalThis;
  globalThis.postMessage = (message) => parentPort.postMessage(message);
  parentPort.on("message", (data) => self.onmessage({ data }));
`;

/** As much of a browser's Worker as jax-js uses, over Node's. */
class WebWorker {
  #started;

  constructor(url) {
    this.#started = resolveObjectURL(url)
      .text()
      .then((source) => {
        const worker = new NodeWorker(WORKER_SCOPE + source, { eval: true });
        worker.on("message", (data) => this.onmessage?.({ data }));
        worker.on("error", (error) => this.onerror?.(error));
        worker.unref();
        return worker;
      });
  }

  postMessage(message) {
    void this.#started.then((worker) => worker.postMessage(message));
  }
}

export async function prepare({ q, k, v, shape: { causal }, io, threads }) {
  if (!("Iterator" in globalThis)) throw new Error("jax-js needs iterator helpers: Node 22 or newer");
  // One worker a core, and navigator says how many cores there are.
  Object.defineProperty(globalThis.navigator, "hardwareConcurrency", { value: threads, configurable: true });
  if (threads > 1) globalThis.Worker = WebWorker;

  const { defaultDevice, init, jit, nn, numpy } = await import("@jax-js/jax");
  await init("wasm");
  defaultDevice("wasm");
  const attend = jit((q, k, v) => nn.dotProductAttention(q, k, v, causal ? { isCausal: true } : {}));
  const arrays = () => [q, k, v].map(({ data, dims }) => numpy.array(data, { shape: dims, dtype: numpy.float32 }));

  let out;
  if (io === "resident") {
    const inputs = arrays();
    const run = async () => {
      out?.dispose();
      out = attend(...inputs.map(({ ref }) => ref)); // an argument without `ref` is used up
      await out.blockUntilReady();
    };
    return { run, result: () => out.ref.data() };
  }
  const run = async () => {
    out = await attend(...arrays()).data();
  };
  return { run, result: () => out };
}
