/** Who takes part. */
import { readFileSync } from "node:fs";

/**
 * @typedef {object} Contestant
 * @property {string} name
 * @property {string} module     the adapter, in contestants/
 * @property {string} manifest   the package.json that holds its version
 * @property {readonly number[]} threads  the numbers of threads on which it can run in Node
 * @property {"bshd" | "bhsd"} layout     the order of axes that suits it best
 * @property {"onnx" | "tflite"} [model]  the kind of file that says what to compute
 */

const installed = (name) => new URL(`node_modules/${name}/package.json`, import.meta.url);
const own = new URL("../../package.json", import.meta.url);

/** @type {readonly Contestant[]} */
export const CONTESTANTS = [
  { name: "headwise", module: "headwise.mjs", manifest: own, threads: [1, 2], layout: "bshd" },
  {
    name: "onnxruntime-node",
    module: "onnxruntimeNode.mjs",
    manifest: installed("onnxruntime-node"),
    threads: [1, 2],
    layout: "bhsd",
    model: "onnx",
  },
  {
    name: "onnxruntime-web",
    module: "onnxruntimeWeb.mjs",
    manifest: installed("onnxruntime-web"),
    threads: [1, 2],
    layout: "bhsd",
    model: "onnx",
  },
  {
    name: "LiteRT.js",
    module: "litert.mjs",
    manifest: installed("@litertjs/core"),
    threads: [1, 2],
    layout: "bhsd",
    model: "tflite",
  },
  { name: "tfjs wasm", module: "tfjs.mjs", manifest: installed("@tensorflow/tfjs-backend-wasm"), threads: [1], layout: "bhsd" },
  { name: "jax-js", module: "jax.mjs", manifest: installed("@jax-js/jax"), threads: [1, 2], layout: "bshd" },
  { name: "plain JavaScript", module: "plainJavaScript.mjs", manifest: own, threads: [1], layout: "bhsd" },
];

export const versionOf = ({ manifest }) => JSON.parse(readFileSync(manifest, "utf8")).version;
