/** A transformer block as an ONNX graph, with random weights: the same for the same seed. */
import { Graph } from "./graph.mjs";

/** mulberry32: uniform in [0, 1). */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * x [1, rows, embedDim] → out of the same sizes: norm, causal self-attention, residual, norm, feed-forward layer, residual.
 * For a graph in a file, load its `nodes` and `initializers` instead.
 */
export function writeBlock({ seed, rows, embedDim, numHeads }) {
  const uniform = generator(seed);
  const graph = new Graph();
  const ones = graph.constant(new Float32Array(embedDim).fill(1), [embedDim]);
  const integers = (...values) => graph.constant(BigInt64Array.from(values, BigInt), [values.length]);

  /** A product with a random matrix, and a random bias. */
  function project(x, inDim, outDim) {
    const random = (count, size) => Float32Array.from({ length: count }, () => (2 * uniform() - 1) * size);
    const matrix = graph.constant(random(inDim * outDim, Math.sqrt(3 / inDim)), [inDim, outDim]);
    return graph.apply("Add", [graph.apply("MatMul", [x, matrix]), graph.constant(random(outDim, 0.1), [outDim])]);
  }
  const normalize = (x) => graph.apply("LayerNormalization", [x, ones], { axis: -1, epsilon: { float: 1e-5 } });
  const headsFirst = (x) => {
    const sizes = integers(1, rows, numHeads, embedDim / numHeads);
    return graph.apply("Transpose", [graph.apply("Reshape", [x, sizes])], { perm: [0, 2, 1, 3] });
  };

  const normalized = normalize("x");
  const [q, k, v] = [1, 2, 3].map(() => headsFirst(project(normalized, embedDim, embedDim)));
  const attended = graph.apply("Attention", [q, k, v], { is_causal: 1 }); // [1, numHeads, rows, headDim]
  const joined = graph.apply("Reshape", [
    graph.apply("Transpose", [attended], { perm: [0, 2, 1, 3] }),
    integers(1, rows, embedDim),
  ]);
  const h = graph.apply("Add", ["x", project(joined, embedDim, embedDim)]);
  const hidden = graph.apply("Gelu", [project(normalize(h), embedDim, 4 * embedDim)]);
  graph.apply("Add", [h, project(hidden, 4 * embedDim, embedDim)], {}, { name: "out" });
  return graph;
}
