/** The computations, in operators of ONNX and onnxruntime. The last operator's result is that of the graph. */
import { causal, full } from "./linearAttention.mjs";

const OWN = { domain: "com.microsoft" };

/** Operators of attention that take q, k and v. */
const attentionOperators = {
  Attention: (graph, { causal }) => graph.apply("Attention", ["q", "k", "v"], { is_causal: causal ? 1 : 0 }),
  MultiHeadAttention: (graph, { numHeads, causal }) =>
    graph.apply("MultiHeadAttention", ["q", "k", "v"], { num_heads: numHeads, unidirectional: causal ? 1 : 0 }, OWN),
  GroupQueryAttention(graph, { numHeads, numKvHeads, seqLen }) {
    const [lastKey, kvLen] = [seqLen - 1, seqLen].map((length) => graph.constant(Int32Array.of(length), [1]));
    const input = ["q", "k", "v", "", "", lastKey, kvLen];
    graph.apply("GroupQueryAttention", input, { num_heads: numHeads, kv_num_heads: numKvHeads }, { ...OWN, outputs: 3 });
  },
};

/** Projections of x to q, k and v, and attention with their biases. */
const layerOperators = {
  MultiHeadAttention(graph, { numHeads }, { qBias, kBias, vBias }) {
    const projected = ["q", "k", "v"].map((name) => graph.apply("MatMul", ["x", `${name}Matrix`]));
    const biases = joinColumns([qBias, kBias, vBias]);
    const input = [...projected, graph.constant(biases.data, [biases.columns])];
    return graph.apply("MultiHeadAttention", input, { num_heads: numHeads }, OWN);
  },
  Attention(graph, { numHeads }, { qMatrix, kMatrix, vMatrix, qBias, kBias, vBias }) {
    const [matrix, bias] = [joinColumns([qMatrix, kMatrix, vMatrix]), joinColumns([qBias, kBias, vBias])];
    const input = ["x", graph.constant(matrix.data, [matrix.rows, matrix.columns]), graph.constant(bias.data, [bias.columns])];
    return graph.apply("Attention", input, { num_heads: numHeads }, OWN);
  },
};

/** Matrices or vectors side by side. */
function joinColumns(tensors) {
  const rows = tensors[0].dims.length === 1 ? 1 : tensors[0].dims[0];
  const parts = tensors.map(({ data }) => ({ data, width: data.length / rows }));
  const columns = parts.reduce((sum, { width }) => sum + width, 0);
  const data = new Float32Array(rows * columns);
  let first = 0;
  for (const part of parts) {
    for (let i = 0; i < rows; i++) data.set(part.data.subarray(i * part.width, (i + 1) * part.width), i * columns + first);
    first += part.width;
  }
  return { data, rows, columns };
}

/** As linearAttention.mjs expects them. */
function operationsOf(graph) {
  const integers = (...values) => graph.constant(BigInt64Array.from(values, BigInt), [values.length]);
  const zero = graph.constant(Float32Array.of(0), []);
  return {
    // e^min(x, 0) + max(x, 0): with Elu it takes twice as long.
    features: (x) => graph.apply("Add", [graph.apply("Exp", [graph.apply("Min", [x, zero])]), graph.apply("Relu", [x])]),
    matmul: (a, b, { transposeA, transposeB } = {}) =>
      graph.apply("FusedMatMul", [a, b], { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 }, OWN),
    add: (a, b) => graph.apply("Add", [a, b]),
    multiply: (a, b) => graph.apply("Mul", [a, b]),
    divide: (a, b) => graph.apply("Div", [a, b]),
    sum: (x, axis) => graph.apply("ReduceSum", [x, integers(axis)], { keepdims: 1 }),
    sumsBefore: (x, axis) => graph.apply("CumSum", [x, integers(axis)], { exclusive: 1 }),
    reshape: (x, dims) => graph.apply("Reshape", [x, integers(...dims)]),
    constant: (data, dims) => graph.constant(data, dims),
  };
}

const linearOperators = {
  FusedMatMul(graph, shape) {
    const attend = shape.causal ? causal : full;
    attend(operationsOf(graph), "q", "k", "v", shape);
  },
  /** It does not normalise: the normaliser is its result on values that are all 1. */
  LinearAttention(graph, { numHeads, seqLen, headDim }) {
    const { features, divide, reshape } = operationsOf(graph);
    const [queries, keys] = [features("q"), features("k")];
    const ones = graph.constant(new Float32Array(seqLen * numHeads).fill(1), [1, seqLen, numHeads]);
    const options = { q_num_heads: numHeads, kv_num_heads: numHeads, update_rule: "linear", scale: { float: 1 } };
    const [numerator, normalizer] = ["v", ones].map((values) =>
      graph.apply("LinearAttention", [queries, keys, values], options, { ...OWN, outputs: 2 }),
    );
    divide(reshape(numerator, [1, seqLen, numHeads, headDim]), reshape(normalizer, [1, seqLen, numHeads, 1]));
  },
};

const writers = {
  attention: (graph, { shape }, { operator }) => attentionOperators[operator](graph, shape),
  matmul: (graph) => graph.apply("MatMul", ["a", "b"]),
  softmax: (graph) => graph.apply("Softmax", ["x"], { axis: -1 }),
  layer(graph, { shape, constants }, { operator }) {
    const attended = layerOperators[operator](graph, shape, constants);
    graph.apply("Add", [graph.apply("MatMul", [attended, "outMatrix"]), "outBias"]);
  },
  linear: (graph, { shape }, { operator }) => linearOperators[operator](graph, shape),
};

/** Writes the graph of a task, with the constants that it needs in addition to the task's. Returns the rank of the result. */
export function writeGraph(graph, task, variant) {
  writers[task.kind](graph, task, variant);
  if (task.kind === "linear") return 4;
  return Object.values(task.inputs)[0].dims.length;
}
