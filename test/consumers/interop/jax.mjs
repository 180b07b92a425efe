/** Arrays of jax-js. Reading consumes an array, as jax-js's own functions do, unless it is passed as `ref`. */
import { defaultDevice, init, nn, numpy } from "@jax-js/jax";
import {
  attend,
  difference,
  DIMS,
  engine,
  halfTruth,
  halves,
  k,
  maskedTruth,
  MASK,
  q,
  refusal,
  report,
  SCALE,
  truth,
  v,
} from "./common.mjs";

await init("wasm");
defaultDevice("wasm");
const arrayOf = ({ data, dims }) => numpy.array(data, { shape: dims });
const [queries, keys, values] = [q, k, v].map((each) => arrayOf(each));

const out = attend(queries.ref, keys.ref, values.ref);
const result = numpy.array(out.data, { shape: out.dims, dtype: out.type });
const scores = numpy.matmul(queries.ref, numpy.matrixTranspose(keys.ref)).mul(SCALE);
const theirs = numpy.matmul(nn.softmax(scores, -1), values.ref);

const inEngine = engine.tensor(DIMS);
attend(queries.ref, keys.ref, values.ref, { out: inEngine });
const copied = numpy.array(inEngine.data.slice(), { shape: inEngine.dims });

const visible = numpy.array(Int32Array.from(MASK), { shape: [9, 9], dtype: numpy.int32 }).astype(numpy.bool);
const usedUp = arrayOf(v);
await usedUp.data();

const call = (options) => attend(queries.ref, keys.ref, values.ref, options);
report({
  "tensors in, a tensor out": difference(result.ref.dataSync(), truth),
  "sizes of the tensor out": String(result.shape),
  "its own computation": difference(result.ref.dataSync(), theirs.ref.dataSync()),
  "what it computed": difference(attend(theirs.ref, theirs.ref, theirs).data, attend(result.ref, result.ref, result.ref).data),
  "an engine's tensor, copied": difference(copied.dataSync(), truth),
  "its data is": typeof queries.data,
  float16: difference(
    attend(...halves.map(({ buffer }) => numpy.array(new Float16Array(buffer), { shape: DIMS }))).data,
    halfTruth,
  ),
  "a bool mask": difference(call({ mask: visible.ref }).data, maskedTruth),
  "a bool mask, as a bias": difference(call({ bias: numpy.where(visible, 0, -Infinity) }).data, maskedTruth),
  int32: refusal(() => attend(queries.ref.astype(numpy.int32), keys.ref, values.ref)),
  "used up": refusal(() => attend(queries.ref, keys.ref, usedUp)),
  "the same array three times": refusal(() => attend(result, result, result)),
});
