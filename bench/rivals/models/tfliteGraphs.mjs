/** The computations, in operators of TensorFlow Lite. */
import { causalBias } from "./causalBias.mjs";
import { causal, full } from "./linearAttention.mjs";

/** Matrix [in, out] as FULLY_CONNECTED expects it. */
function transposed({ data, dims: [rows, columns] }) {
  const copy = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) copy[j * rows + i] = data[i * columns + j];
  return { data: copy, dims: [columns, rows] };
}

/** x · matrix + bias, where the matrix is packed when the model is loaded; a BATCH_MATMUL uses it unpacked. */
function project(graph, x, matrix, bias) {
  const { data, dims } = transposed(matrix);
  const addend = bias ? graph.tensor(bias.dims, bias.data) : -1;
  const rows = graph
    .dimsOf(x)
    .slice(0, -1)
    .reduce((product, size) => product * size, 1);
  return graph.apply("FULLY_CONNECTED", [x, graph.tensor(dims, data), addend], [rows, dims[0]]);
}

/** scale · q, a product with kᵀ, the causal bias, softmax, a product with v, for all heads at once. */
function attend(graph, q, k, v, { numHeads, seqLen, kvLen = seqLen, headDim, causal }) {
  const rows = [1, numHeads, seqLen, headDim];
  const square = [1, numHeads, seqLen, kvLen];
  const scaled = graph.apply("MUL", [q, graph.tensor([1], Float32Array.of(1 / Math.sqrt(headDim)))], rows);
  let scores = graph.apply("BATCH_MATMUL", [scaled, k], square, { transposeB: true });
  if (causal) scores = graph.apply("ADD", [scores, graph.tensor([1, 1, seqLen, seqLen], causalBias(seqLen))], square);
  return graph.apply("BATCH_MATMUL", [graph.apply("SOFTMAX", [scores], square), v], rows);
}

/** As linearAttention.mjs expects them. */
function operationsOf(graph) {
  const one = graph.tensor([1], Float32Array.of(1));
  const elementwise = (operator) => (a, b) =>
    graph.apply(operator, [a, b], graph.dimsOf(a).length < graph.dimsOf(b).length ? graph.dimsOf(b) : graph.dimsOf(a));
  const add = elementwise("ADD");
  const along = (operator, x, axis, dims) => graph.apply(operator, [x, graph.integers(axis)], dims);
  const transpose = (x) => {
    const dims = graph.dimsOf(x);
    const order = [...dims.keys()].with(-2, dims.length - 1).with(-1, dims.length - 2);
    return graph.apply(
      "TRANSPOSE",
      [x, graph.integers(...order)],
      order.map((axis) => dims[axis]),
    );
  };
  return {
    add,
    multiply: elementwise("MUL"),
    divide: elementwise("DIV"),
    features: (x) => add(graph.apply("ELU", [x], graph.dimsOf(x)), one),
    matmul(a, b, { transposeA, transposeB } = {}) {
      const first = transposeA ? transpose(a) : a; // XNNPACK has no other way
      const columns = graph.dimsOf(b).at(transposeB ? -2 : -1);
      return graph.apply("BATCH_MATMUL", [first, b], graph.dimsOf(first).with(-1, columns), { transposeB });
    },
    sum: (x, axis) => along("SUM", x, axis, graph.dimsOf(x).with(axis, 1)),
    sumsBefore: (x, axis) => along("CUMSUM", x, axis, graph.dimsOf(x)),
    reshape: (x, dims) => graph.apply("RESHAPE", [x, graph.integers(...dims)], dims),
    constant: (data, dims) => graph.tensor(dims, data),
  };
}

const writers = {
  attention: (graph, { shape }, { q, k, v }) => attend(graph, q, k, v, shape),
  matmul: (graph, { constants: { b } }, { a }) => project(graph, a, b),
  softmax: (graph, { outDims }, { x }) => graph.apply("SOFTMAX", [x], outDims),
  layer(graph, { constants, shape }, { x }) {
    const { seqLen, embedDim, numHeads, headDim } = shape;
    const [split, swapped] = [
      [1, seqLen, numHeads, headDim],
      [1, numHeads, seqLen, headDim],
    ];
    const swap = (heads, dims) => graph.apply("TRANSPOSE", [heads, graph.integers(0, 2, 1, 3)], dims);
    const reshape = (rows, dims) => graph.apply("RESHAPE", [rows, graph.integers(...dims)], dims);
    const through = (rows, name) => project(graph, rows, constants[`${name}Matrix`], constants[`${name}Bias`]);
    const [q, k, v] = ["q", "k", "v"].map((name) => swap(reshape(through(x, name), split), swapped));
    return through(reshape(swap(attend(graph, q, k, v, shape), split), [seqLen, embedDim]), "out");
  },
  linear: (graph, { shape }, { q, k, v }) => (shape.causal ? causal : full)(operationsOf(graph), q, k, v, shape),
};

/** Writes the graph of a task and returns its result. */
export const writeGraph = (graph, task, inputs) => writers[task.kind](graph, task, inputs);
