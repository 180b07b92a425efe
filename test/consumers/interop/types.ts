/** The types of each library are accepted and returned as they are, or with the conversions here. */
import { Tensor } from "@huggingface/transformers";
import { numpy } from "@jax-js/jax";
import * as tf from "@tensorflow/tfjs-core";
import { createEngine, type ResultTensor } from "headwise";
import * as ort from "onnxruntime-web";

const engine = await createEngine();
const [data, dims] = [Float32Array.of(1, 2, 3, 4), [2, 2]];

const ofOrt = new ort.Tensor("float32", data, dims);
const out: ResultTensor = engine.scaledDotProductAttention(ofOrt, ofOrt, ofOrt);
const place: ort.TypedTensor<"float32"> = engine.scaledDotProductAttention(ofOrt, ofOrt, ofOrt, {
  out: new ort.Tensor("float32", data, dims),
});
const ofTransformers = new Tensor(out.type, out.data, out.dims);
const ofTfjs = tf.tensor(out.data, out.dims, out.type);
const ofJax = numpy.array(out.data, { shape: out.dims });

export const all = [
  place,
  new ort.Tensor(out.type, out.data, out.dims),
  engine.scaledDotProductAttention(ofTransformers, ofTransformers, ofTransformers),
  engine.scaledDotProductAttention(ofTfjs, ofTfjs, ofTfjs),
  engine.scaledDotProductAttention(ofJax.ref, ofJax.ref, ofJax),
];
