/**
 * tfjs on its WebAssembly backend. Only products of two matrices without transposition go to XNNPACK there, so the fast way is head by
 * head; batched products (with `transposeB`, tf.transpose or keys transposed in advance) take ten times as long.
 * In Node it has no threads (tensorflow/tfjs issue 3830).
 */
import tf from "@tensorflow/tfjs-core";
import wasm from "@tensorflow/tfjs-backend-wasm";
import { fileURLToPath } from "node:url";
import { causalBias } from "../models/causalBias.mjs";
import { CHUNK, full, ownChunk } from "../models/linearAttention.mjs";

/** A tensor of layout "bhsd" as a matrix for each head. */
function storeHeads({ data, dims: [, numHeads, rows, channels] }) {
  const length = rows * channels;
  return Array.from({ length: numHeads }, (_, head) =>
    tf.tensor2d(data.subarray(head * length, (head + 1) * length), [rows, channels]),
  );
}

/** Operands of all heads, head by head. */
const headByHead = (attendHead) => (operands) =>
  tf.tidy(() => tf.stack(operands[0].map((_, head) => tf.tidy(() => attendHead(...operands.map((heads) => heads[head]))))));

function attendHead(q, k, v, scale, bias) {
  const scores = tf.mul(tf.matMul(q, tf.transpose(k)), scale);
  return tf.matMul(tf.softmax(bias ? tf.add(scores, bias) : scores), v);
}

/** As linearAttention.mjs expects them. */
const operations = {
  features: (x) => tf.add(tf.elu(x), 1),
  matmul: (a, b, { transposeA, transposeB } = {}) => tf.matMul(transposeA ? tf.transpose(a) : a, transposeB ? tf.transpose(b) : b),
  sum: (x, axis) => tf.sum(x, axis, true),
  divide: tf.div,
};

/** The rows of each head in chunks, because tf.slice copies the whole tensor that it takes a part of. */
const storeChunks = ({ data, dims: [, numHeads, rows, channels] }) =>
  Array.from({ length: numHeads }, (_, head) =>
    Array.from({ length: rows / CHUNK }, (_, chunk) => {
      const start = (head * rows + chunk * CHUNK) * channels;
      return tf.tensor2d(data.subarray(start, start + CHUNK * channels), [CHUNK, channels]);
    }),
  );

/** Chunk by chunk, because batched products are slow: the keys of a row's own chunk one by one, earlier ones as sums. */
function attendChunks(q, k, v, visible) {
  const { features, matmul } = operations;
  let state;
  let normalizer;
  const chunks = q.map((rows, index) => {
    const [queries, keys] = [features(rows), tf.transpose(features(k[index]))];
    const weights = tf.mul(matmul(queries, keys), visible);
    const [products, sums] = [matmul(keys, v[index]), tf.sum(keys, 1, true)];
    let [numerator, denominator] = [matmul(weights, v[index]), tf.sum(weights, 1, true)];
    if (index > 0) {
      numerator = tf.add(numerator, matmul(queries, state));
      denominator = tf.add(denominator, matmul(queries, normalizer));
    }
    state = index > 0 ? tf.add(state, products) : products;
    normalizer = index > 0 ? tf.add(normalizer, sums) : sums;
    return tf.div(numerator, denominator);
  });
  return tf.concat(chunks);
}

const storeWhole = ({ data, dims }) => tf.tensor(data, dims);

/** How a kind stores an input, and what it computes from the stored ones. */
const computationsOf = {
  attention({ shape: { seqLen, headDim, causal } }) {
    const bias = causal ? tf.tensor2d(causalBias(seqLen), [seqLen, seqLen]) : undefined;
    const scale = 1 / Math.sqrt(headDim);
    return { store: storeHeads, compute: headByHead((q, k, v) => attendHead(q, k, v, scale, bias)) };
  },
  matmul({ constants }) {
    const b = storeWhole(constants.b);
    return { store: storeWhole, compute: ([a]) => tf.matMul(a, b) };
  },
  softmax: () => ({ store: storeWhole, compute: ([x]) => tf.softmax(x) }),
  layer({ constants, shape: { seqLen, embedDim, numHeads, headDim } }) {
    const parameters = Object.fromEntries(Object.entries(constants).map(([name, tensor]) => [name, storeWhole(tensor)]));
    const project = (name, rows) => tf.add(tf.matMul(rows, parameters[`${name}Matrix`]), parameters[`${name}Bias`]);
    const scale = 1 / Math.sqrt(headDim);
    const compute = ([x]) =>
      tf.tidy(() => {
        const rows = tf.reshape(x, [seqLen, embedDim]);
        const [q, k, v] = ["q", "k", "v"].map((name) => tf.split(project(name, rows), numHeads, 1));
        return project(
          "out",
          tf.concat(
            q.map((_, head) => attendHead(q[head], k[head], v[head], scale)),
            1,
          ),
        );
      });
    return { store: storeWhole, compute };
  },
  linear({ shape: { causal } }) {
    if (!causal) return { store: storeHeads, compute: headByHead((q, k, v) => full(operations, q, k, v)) };
    const visible = tf.tensor2d(ownChunk(), [CHUNK, CHUNK]);
    return { store: storeChunks, compute: headByHead((q, k, v) => attendChunks(q, k, v, visible)) };
  },
};

export async function prepare(task) {
  wasm.setWasmPaths(fileURLToPath(new URL("../node_modules/@tensorflow/tfjs-backend-wasm/wasm-out/", import.meta.url)));
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  await tf.setBackend("wasm");

  const { store, compute } = computationsOf[task.kind](task);
  const storeAll = () => Object.values(task.inputs).map(store);

  let out;
  if (task.io === "resident") {
    const inputs = storeAll();
    const run = () => {
      out?.dispose();
      out = compute(inputs);
    };
    return { run, result: () => out.dataSync() };
  }
  const run = () => {
    const inputs = storeAll();
    const result = compute(inputs);
    out = result.dataSync();
    tf.dispose([inputs, result]);
  };
  return { run, result: () => out };
}
