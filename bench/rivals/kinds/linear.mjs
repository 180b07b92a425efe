/** Linear attention with the feature map elu(x) + 1, normalised (Katharopoulos et al. 2020, arXiv:2006.16236). */
import { inputsOf } from "../../../build/tools/bench/data.js";
import { rowsBeforeQuarters } from "../truth.mjs";

const BLOCK_ROWS = 2;

const features = (rows) => Float64Array.from(rows, (x) => (x > 0 ? x + 1 : Math.exp(x)));

export const linear = {
  name: "linear",
  shapes: [1024, 4096, 16384].flatMap((seqLen) =>
    [false, true].map((causal) => ({
      name: `linear 12×${seqLen}×64 ${causal ? "causal" : "full"}`,
      numHeads: 12,
      numKvHeads: 12,
      seqLen,
      headDim: 64,
      causal,
    })),
  ),
  ioOf: () => "resident",
  inputsOf,
  constantsOf: () => ({}),
  outDimsOf: ({ seqLen, numHeads, headDim }) => [1, seqLen, numHeads, headDim],
  /** A product and a sum per number of the state, once per key and once per query; the normaliser is not counted. */
  workOf: ({ numHeads, seqLen, headDim }) => 4 * numHeads * seqLen * headDim * headDim,
  rate: "gigaflops",
  toleranceOf: () => 5e-6,
  /** Σ_j (φ(q)·φ(k_j)) v_j / Σ_j φ(q)·φ(k_j), key by key, without the state. */
  truthOf({ numHeads, seqLen, headDim, causal }, { q, k, v }) {
    const rowLength = numHeads * headDim;
    const keys = features(k.data);
    return rowsBeforeQuarters(seqLen, BLOCK_ROWS).map(({ first, end }) => {
      const queries = features(q.data.subarray(first * rowLength, end * rowLength));
      const values = new Float64Array(queries.length);
      for (let start = 0; start < queries.length; start += headDim) {
        const head = start % rowLength;
        const visible = causal ? first + Math.floor(start / rowLength) + 1 : seqLen;
        const out = values.subarray(start, start + headDim);
        let normalizer = 0;
        for (let j = 0; j < visible; j++) {
          const key = j * rowLength + head;
          let weight = 0;
          for (let d = 0; d < headDim; d++) weight += queries[start + d] * keys[key + d];
          for (let d = 0; d < headDim; d++) out[d] += weight * v.data[key + d];
          normalizer += weight;
        }
        for (let d = 0; d < headDim; d++) out[d] /= normalizer;
      }
      return { start: first * rowLength, values };
    });
  },
};
