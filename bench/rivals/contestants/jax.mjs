/** jax-js on its WebAssembly backend, compiled by its `jit`. It starts threads where there are web workers. */
import { resolveObjectURL } from "node:buffer";
import { Worker as NodeWorker } from "node:worker_threads";
import { causal, full } from "../models/linearAttention.mjs";

const WORKER_SCOPE = `
  const { parentPort } = require("node:worker_threads");
  globalThis.self = globalThis;
  globalThis.postMessage = (message) => parentPort.postMessage(message);
  parentPort.on("message", (data) => self.onmessage({ data }));
`;

/** The part of a browser's Worker that jax-js uses, on top of Node's. */
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

/** As linearAttention.mjs expects them. A function of jax-js consumes its arguments, unless they are passed as `ref`. */
function operationsOf({ nn, numpy }) {
  const swapped = ({ ref }) => numpy.matrixTranspose(ref);
  return {
    features: ({ ref }) => nn.elu(ref).add(1),
    matmul: (a, b, { transposeA, transposeB } = {}) =>
      numpy.matmul(transposeA ? swapped(a) : a.ref, transposeB ? swapped(b) : b.ref),
    add: (a, b) => a.ref.add(b.ref),
    multiply: (a, b) => a.ref.mul(b.ref),
    divide: (a, b) => a.ref.div(b.ref),
    sum: ({ ref }, axis) => numpy.sum(ref, axis, { keepdims: true }),
    /** Along axis 1 of four: a product with ones below the diagonal; `matmul` of a matrix and a batch is wrong. */
    sumsBefore({ ref }) {
      const [, length] = ref.shape;
      return numpy.einsum("ij,hjde->hide", numpy.tri(length, length, -1), ref);
    },
    reshape: ({ ref }, dims) => ref.reshape(dims),
    constant: (data, dims) => numpy.array(data, { shape: dims, dtype: numpy.float32 }),
  };
}

/** What a kind computes of its inputs and constants. */
const functionsOf = {
  attention:
    ({ nn }, { causal }) =>
    ({ q, k, v }) =>
      nn.dotProductAttention(q, k, v, causal ? { isCausal: true } : {}),
  matmul:
    ({ numpy }) =>
    ({ a, b }) =>
      numpy.matmul(a, b),
  softmax:
    ({ nn }) =>
    ({ x }) =>
      nn.softmax(x, -1),
  layer({ nn, numpy }, { seqLen, embedDim, numHeads, headDim }) {
    return ({ x, ...parameters }) => {
      const project = (name, rows) => numpy.matmul(rows, parameters[`${name}Matrix`]).add(parameters[`${name}Bias`]);
      const rows = x.reshape([seqLen, embedDim]);
      const [q, k, v] = ["q", "k", "v"].map((name) => project(name, rows.ref).reshape([1, seqLen, numHeads, headDim]));
      return project("out", nn.dotProductAttention(q, k, v).reshape([seqLen, embedDim]));
    };
  },
  linear:
    (jax, shape) =>
    ({ q, k, v }) =>
      (shape.causal ? causal : full)(operationsOf(jax), q, k, v, shape),
};

export async function prepare({ kind, inputs, constants, shape, io, threads }) {
  if (!("Iterator" in globalThis)) throw new Error("jax-js needs iterator helpers: Node 22 or newer");
  // One worker per core; navigator says how many cores there are.
  Object.defineProperty(globalThis.navigator, "hardwareConcurrency", { value: threads, configurable: true });
  if (threads > 1) globalThis.Worker = WebWorker;

  const jax = await import("@jax-js/jax");
  const { defaultDevice, init, jit, numpy } = jax;
  await init("wasm");
  defaultDevice("wasm");
  const compiled = jit(functionsOf[kind](jax, shape));
  const arrays = (tensors) => mapValues(tensors, ({ data, dims }) => numpy.array(data, { shape: dims, dtype: numpy.float32 }));
  const kept = arrays(constants);
  const compute = (operands) => compiled({ ...operands, ...mapValues(kept, ({ ref }) => ref) });

  let out;
  if (io === "resident") {
    const own = arrays(inputs);
    const run = async () => {
      out?.dispose();
      out = compute(mapValues(own, ({ ref }) => ref)); // an argument without `ref` is consumed
      await out.blockUntilReady();
    };
    return { run, result: () => out.ref.data() };
  }
  const run = async () => {
    out = await compute(arrays(inputs)).data();
  };
  return { run, result: () => out };
}

const mapValues = (object, change) => Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
