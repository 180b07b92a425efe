/** The contestants. */
import { readFileSync } from "node:fs";
import { KINDS } from "./kinds.mjs";

/**
 * @typedef {object} Variant  a way to compute a kind in a library
 * @property {"bshd" | "bs(hd)" | "bhsd"} [layout]  the order of axes that it takes without a copy, where tensors have heads
 * @property {"onnx" | "tflite"} [model]  the kind of file that says what to compute
 * @property {string} [operator]          the operator of an ONNX model that does the work
 * @property {boolean} [causalOnly]
 */

/**
 * @typedef {object} Contestant
 * @property {string} name
 * @property {string} module     the adapter, in contestants/
 * @property {URL} manifest      the package.json that holds its version
 * @property {readonly number[]} threads    the numbers of threads on which it can run in Node
 * @property {Record<string, readonly Variant[]>} variants  by kind; all are tried on each shape, the fastest one races
 */

const own = new URL("../../package.json", import.meta.url);
const installed = (name) => new URL(`node_modules/${name}/package.json`, import.meta.url);

/** The same variant for every kind. */
const always = (variant) => Object.fromEntries(KINDS.map(({ name }) => [name, [variant]]));

const onnx = (operator, options) => ({ model: "onnx", operator, ...options });

const ATTENTION = onnx("Attention", { layout: "bhsd" });
const MULTI_HEAD_ATTENTION = onnx("MultiHeadAttention", { layout: "bs(hd)" });
const GROUP_QUERY_ATTENTION = onnx("GroupQueryAttention", { layout: "bs(hd)", causalOnly: true });

/** The variants of both onnxruntime packages, except for attention. */
const ONNX_VARIANTS = {
  matmul: [onnx("MatMul")],
  softmax: [onnx("Softmax")],
  layer: [onnx("MultiHeadAttention"), onnx("Attention")],
  linear: [onnx("FusedMatMul", { layout: "bhsd" }), onnx("LinearAttention", { layout: "bs(hd)", causalOnly: true })],
};

/** @type {readonly Contestant[]} */
export const CONTESTANTS = [
  {
    name: "headwise",
    module: "headwise.mjs",
    manifest: own,
    threads: [1, 2],
    variants: always({ layout: "bshd" }),
  },
  {
    // Node on x64 with V8 13.6 or newer.
    name: "headwise wide",
    module: "headwiseWide.mjs",
    manifest: own,
    threads: [1, 2],
    variants: always({ layout: "bshd" }),
  },
  {
    // A graph of MatMul and Softmax is as fast as Attention at best, six times slower at 4096 causal; GroupQueryAttention is slower
    // where not causal.
    name: "onnxruntime-node",
    module: "onnxruntimeNode.mjs",
    manifest: installed("onnxruntime-node"),
    threads: [1, 2],
    variants: { attention: [ATTENTION, MULTI_HEAD_ATTENTION, GROUP_QUERY_ATTENTION], ...ONNX_VARIANTS },
  },
  {
    // MultiHeadAttention and a graph of MatMul and Softmax take 0.96 to 1.13 of its time, causal GroupQueryAttention eight times.
    name: "onnxruntime-web",
    module: "onnxruntimeWeb.mjs",
    manifest: installed("onnxruntime-web"),
    threads: [1, 2],
    variants: { attention: [ATTENTION], ...ONNX_VARIANTS },
  },
  {
    name: "LiteRT.js",
    module: "litert.mjs",
    manifest: installed("@litertjs/core"),
    threads: [1, 2],
    variants: always({ layout: "bhsd", model: "tflite" }),
  },
  {
    name: "tfjs wasm",
    module: "tfjs.mjs",
    manifest: installed("@tensorflow/tfjs-backend-wasm"),
    threads: [1],
    variants: always({ layout: "bhsd" }),
  },
  {
    name: "jax-js",
    module: "jax.mjs",
    manifest: installed("@jax-js/jax"),
    threads: [1, 2],
    variants: { ...always({ layout: "bshd" }), linear: [{ layout: "bhsd" }] },
  },
  {
    // Attention with heads side by side ("bshd") takes 6 % longer.
    name: "plain JavaScript",
    module: "plainJavaScript.mjs",
    manifest: own,
    threads: [1],
    variants: always({ layout: "bhsd" }),
  },
];

/** The variants that can compute a shape. */
export const variantsFor = ({ variants }, { kind, causal }) => variants[kind].filter(({ causalOnly }) => causal || !causalOnly);

/** The version, and whatever else identifies what was measured. */
export const versionOf = ({ manifest }, { operator }, note) =>
  [JSON.parse(readFileSync(manifest, "utf8")).version, operator, note].filter(Boolean).join(" ");
