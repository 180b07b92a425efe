/** Tensors of onnxruntime, for both onnxruntime-web and onnxruntime-node. */
import protobuf from "protobufjs";
import { Graph } from "./graph.mjs";
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
  SCALE,
  truth,
  v,
} from "./common.mjs";

/** softmax(scale · q kᵀ) v, computed by onnxruntime. */
async function own(ort, feeds) {
  const graph = new Graph();
  const scores = graph.apply("MatMul", ["q", graph.apply("Transpose", ["k"], { perm: [0, 1, 3, 2] })]);
  const scaled = graph.apply("Mul", [scores, graph.constant(Float32Array.of(SCALE), [])]);
  graph.apply("MatMul", [graph.apply("Softmax", [scaled], { axis: -1 }), "v"], {}, { name: "out" });
  const model = graph.encode(protobuf, { q: DIMS, k: DIMS, v: DIMS }, ["out"]);
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 });
  return (await session.run(feeds)).out;
}

export async function onnxruntime(ort) {
  const tensorOf = ({ data, dims }) => new ort.Tensor("float32", data, dims);
  const [queries, keys, values] = [q, k, v].map(tensorOf);

  const out = attend(queries, keys, values);
  const result = new ort.Tensor(out.type, out.data, out.dims);
  const theirs = await own(ort, { q: queries, k: keys, v: values });

  const inEngine = engine.tensor(DIMS);
  attend(queries, keys, values, { out: inEngine });
  const copied = new ort.Tensor(inEngine.type, inEngine.data.slice(), inEngine.dims);

  const place = tensorOf({ data: new Float32Array(q.data.length), dims: DIMS });
  const isPlace = attend(queries, keys, values, { out: place }) === place;

  const half = halves.map((bits) => new ort.Tensor("float16", bits, DIMS));
  const bool = new ort.Tensor("bool", MASK, [9, 9]);
  const int64 = new ort.Tensor("int64", BigInt64Array.from(MASK, BigInt), [9, 9]);
  const onGpu = ort.Tensor.fromGpuBuffer(
    {},
    { dataType: "float32", dims: DIMS, download: () => Promise.resolve(q.data), dispose: () => undefined },
  );
  const gpuRefusal = refusal(() => attend(onGpu, keys, values));
  await onGpu.getData();
  const disposed = tensorOf(v);
  disposed.dispose();

  return {
    "tensors in, a tensor out": difference(result.data, truth),
    "sizes of the tensor out": String(result.dims),
    "its own computation": difference(result.data, theirs.data),
    "what a session gives": difference(attend(theirs, theirs, theirs).data, attend(result, result, result).data),
    "an engine's tensor, copied": difference(copied.data, truth),
    "a tensor as the place for results": isPlace ? difference(place.data, truth) : "another object came back",
    float16: difference(attend(...half).data, halfTruth),
    "float16 lies in": half[0].data.constructor.name,
    "a bool mask": difference(attend(queries, keys, values, { mask: bool }).data, maskedTruth),
    "an int64 mask": difference(attend(queries, keys, values, { mask: int64 }).data, maskedTruth),
    float64: difference(attend(new ort.Tensor("float64", Float64Array.from(q.data), DIMS), keys, values).data, truth),
    uint16: refusal(() => attend(queries, new ort.Tensor("uint16", halves[1], DIMS), values)),
    int8: refusal(() => attend(queries, keys, new ort.Tensor("int8", new Int8Array(q.data.length), DIMS))),
    "on the GPU": gpuRefusal,
    "from the GPU, after getData()": difference(attend(onGpu, keys, values).data, truth),
    disposed: refusal(() => attend(queries, keys, disposed)),
    "sizes as int64": difference(attend({ data: q.data, dims: BigInt64Array.from(DIMS, BigInt) }, keys, values).data, truth),
  };
}
