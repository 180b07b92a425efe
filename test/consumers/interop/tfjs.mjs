/** Tensors of tfjs, on its plain JavaScript backend. */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { attend, difference, DIMS, engine, k, MASK, maskedTruth, q, refusal, report, SCALE, truth, v } from "./common.mjs";

await tf.setBackend("cpu");
const [queries, keys, values] = [q, k, v].map(({ data, dims }) => tf.tensor(data, dims));

const out = attend(queries, keys, values);
const result = tf.tensor(out.data, out.dims, out.type);
const theirs = tf.matMul(tf.softmax(tf.mul(tf.matMul(queries, keys, false, true), SCALE)), values);

const inEngine = engine.tensor(DIMS);
attend(queries, keys, values, { out: inEngine });
const copied = tf.tensor(inEngine.data.slice(), inEngine.dims, inEngine.type);

const bool = tf.tensor(MASK, [9, 9], "bool");
const disposed = tf.tensor(k.data, DIMS);
disposed.dispose();

report({
  "tensors in, a tensor out": difference(result.dataSync(), truth),
  "sizes of the tensor out": String(result.shape),
  "its own computation": difference(result.dataSync(), theirs.dataSync()),
  "what it computed": difference(attend(theirs, theirs, theirs).data, attend(result, result, result).data),
  "an engine's tensor, copied": difference(copied.dataSync(), truth),
  "its data is": typeof queries.data,
  "a variable": difference(attend(tf.variable(queries), keys, values).data, truth),
  "a bool mask": difference(attend(queries, keys, values, { mask: bool }).data, maskedTruth),
  int32: refusal(() => attend(tf.cast(queries, "int32"), keys, values)),
  strings: refusal(() => attend(tf.tensor(["a"], [1, 1]), keys, values)),
  "a tensor as the place for results": refusal(() => attend(queries, keys, values, { out: result })),
  disposed: refusal(() => attend(queries, disposed, values)),
});
