/**
 * tfjs on its WebAssembly backend. Only products of two matrices without transposition go to XNNPACK there, so the fast way is head by
 * head; batched products, with `transposeB`, with tf.transpose or with keys that were transposed in advance, take ten times as long.
 * In Node it has no threads (tensorflow/tfjs issue 3830).
 */
import tf from "@tensorflow/tfjs-core";
import wasm from "@tensorflow/tfjs-backend-wasm";
import { fileURLToPath } from "node:url";
import { causalBias } from "../models/causalBias.mjs";

export async function prepare({ q, k, v, shape: { numHeads, seqLen, headDim, causal }, io }) {
  wasm.setWasmPaths(fileURLToPath(new URL("../node_modules/@tensorflow/tfjs-backend-wasm/wasm-out/", import.meta.url)));
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  await tf.setBackend("wasm");

  const bias = causal ? tf.tensor2d(causalBias(seqLen), [seqLen, seqLen]) : undefined;
  const scale = 1 / Math.sqrt(headDim);
  const attendHead = ([q, k, v]) =>
    tf.tidy(() => {
      const scores = tf.mul(tf.matMul(q, tf.transpose(k)), scale);
      return tf.matMul(tf.softmax(bias ? tf.add(scores, bias) : scores), v);
    });
  const attend = (heads) => tf.tidy(() => tf.stack(heads.map(attendHead)));

  const headLength = seqLen * headDim;
  const matrix = ({ data }, head) => tf.tensor2d(data.subarray(head * headLength, (head + 1) * headLength), [seqLen, headDim]);
  const tensors = () => Array.from({ length: numHeads }, (_, head) => [q, k, v].map((operand) => matrix(operand, head)));

  let out;
  if (io === "resident") {
    const heads = tensors();
    const run = () => {
      out?.dispose();
      out = attend(heads);
    };
    return { run, result: () => out.dataSync() };
  }
  const run = () => {
    const heads = tensors();
    const stacked = attend(heads);
    out = stacked.dataSync();
    tf.dispose([heads, stacked]);
  };
  return { run, result: () => out };
}
