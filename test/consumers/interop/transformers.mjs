/** Tensors of transformers.js. */
import { env, matmul, softmax, Tensor } from "@huggingface/transformers";
import {
  attend,
  difference,
  DIMS,
  engine,
  halfTruth,
  halves,
  k,
  MASK,
  maskedTruth,
  q,
  refusal,
  report,
  SCALE,
  truth,
  v,
} from "./common.mjs";

if (typeof document === "object") {
  const ort = "./node_modules/@huggingface/transformers/node_modules/onnxruntime-web/dist/";
  env.backends.onnx.wasm.wasmPaths = new URL(ort, document.baseURI).href;
}

const tensorOf = ({ data, dims }) => new Tensor("float32", data, dims);
const [queries, keys, values] = [q, k, v].map(tensorOf);

/** softmax(scale · q kᵀ) v, computed by transformers.js: the product is onnxruntime's, softmax is computed row by row. */
async function own() {
  const scores = (await matmul(queries, keys.transpose(0, 1, 3, 2))).mul(SCALE);
  const rows = Array.from({ length: scores.size / 9 }, (_, row) => [...softmax(scores.data.slice(9 * row, 9 * row + 9))]);
  return matmul(new Tensor("float32", Float32Array.from(rows.flat()), scores.dims), values);
}

const out = attend(queries, keys, values);
const result = new Tensor(out.type, out.data, out.dims);
const theirs = await own();

const inEngine = engine.tensor(DIMS);
attend(queries, keys, values, { out: inEngine });
const copied = new Tensor(inEngine.type, inEngine.data.slice(), inEngine.dims);

const half = halves.map((bits) => new Tensor("float16", bits, DIMS));
const attentionMask = new Tensor("int64", BigInt64Array.from(MASK, BigInt), [9, 9]); // as tokenizers make them
const disposed = tensorOf(q);
disposed.dispose();

report({
  "tensors in, a tensor out": difference(result.data, truth),
  "sizes of the tensor out": String(result.dims),
  "its own computation": difference(result.data, theirs.data),
  "an engine's tensor, copied": difference(copied.data, truth),
  "its methods on the result": difference(result.permute(0, 2, 1, 3).permute(0, 2, 1, 3).data, truth),
  float16: difference(attend(...half).data, halfTruth),
  "float16 lies in": half[0].data.constructor.name,
  "an int64 mask": difference(attend(queries, keys, values, { mask: attentionMask }).data, maskedTruth),
  float64: difference(attend(new Tensor("float64", Float64Array.from(q.data), DIMS), keys, values).data, truth),
  disposed: refusal(() => attend(disposed, keys, values)),
});
