/**
 * Linear attention as a graph, for libraries that have no operator for it. `operations` are the library's: features, matmul with
 * transposeA and transposeB, add, multiply, divide, sum along an axis, exclusive cumulative sum along an axis, reshape, constant.
 */

/** Rows of a chunk. */
export const CHUNK = 128;

/** Which keys of its chunk a row sees: [CHUNK, CHUNK], 1 for keys 0 … i of row i. */
export const ownChunk = () =>
  Float32Array.from({ length: CHUNK * CHUNK }, (_, index) => (index % CHUNK <= Math.floor(index / CHUNK) ? 1 : 0));

/** q, k and v are [..., seqLen, headDim]. */
export function full(operations, q, k, v) {
  const { features, matmul, sum, divide } = operations;
  const [queries, keys] = [features(q), features(k)];
  const state = matmul(keys, v, { transposeA: true }); // [..., headDim, headDim]
  const normalizer = matmul(queries, sum(keys, -2), { transposeB: true }); // [..., seqLen, 1]
  return divide(matmul(queries, state), normalizer);
}

/** By chunks: the keys of a row's own chunk one by one, earlier ones as sums (Hua et al. 2022, arXiv:2202.10447). */
export function causal(operations, q, k, v, { numHeads, seqLen, headDim }) {
  const { features, matmul, sum, sumsBefore, add, multiply, divide, reshape, constant } = operations;
  const chunks = [numHeads, seqLen / CHUNK, CHUNK, headDim];
  const [queries, keys, values] = [features(q), features(k), v].map((rows) => reshape(rows, chunks));
  const weights = multiply(matmul(queries, keys, { transposeB: true }), constant(ownChunk(), [CHUNK, CHUNK]));
  const states = sumsBefore(matmul(keys, values, { transposeA: true }), 1);
  const numerator = add(matmul(weights, values), matmul(queries, states));
  const normalizers = matmul(queries, sumsBefore(sum(keys, -2), 1), { transposeB: true });
  return reshape(divide(numerator, add(sum(weights, -1), normalizers)), [1, numHeads, seqLen, headDim]);
}
