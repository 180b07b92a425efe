/** A layer of multi-head self-attention: four projections with biases, whose parameters are constants. */
import { normal } from "../../../build/tools/bench/data.js";
import { scaledDotProductAttention } from "../../../dist/reference/index.js";
import { product, rowsBeforeQuarters } from "../truth.mjs";

const BLOCK_ROWS = 2;
const PROJECTIONS = ["q", "k", "v", "out"];

/** Matrices of about 1/√embedDim keep the magnitude of what they multiply, as trained ones do. */
function constantsOf({ embedDim }) {
  const constants = {};
  for (const [index, name] of PROJECTIONS.entries()) {
    const { data, dims } = normal([embedDim, embedDim], 2 + index);
    constants[`${name}Matrix`] = { data: data.map((value) => value / Math.sqrt(embedDim)), dims };
    constants[`${name}Bias`] = normal([embedDim], 6 + index);
  }
  return constants;
}

export const layer = {
  name: "layer",
  shapes: [128, 512].map((seqLen) => ({ name: `layer ${seqLen}×768`, seqLen, embedDim: 768, numHeads: 12, headDim: 64 })),
  ioOf: () => "resident",
  inputsOf: ({ seqLen, embedDim }) => ({ x: normal([1, seqLen, embedDim], 1) }),
  /** `qMatrix` … `outMatrix`, [in, out] with y = x W, and `qBias` … `outBias`. */
  constantsOf,
  outDimsOf: ({ seqLen, embedDim }) => [1, seqLen, embedDim],
  workOf: ({ seqLen, embedDim }) => 8 * seqLen * embedDim * embedDim + 4 * seqLen * seqLen * embedDim,
  rate: "gigaflops",
  toleranceOf: () => 2e-5, // for values of about 1 after two products of embedDim steps
  truthOf({ seqLen, embedDim, numHeads, headDim }, { x }, constants) {
    const project = (name, data, rows) => {
      const { [`${name}Matrix`]: matrix, [`${name}Bias`]: bias } = constants;
      return product(data, matrix.data, [rows, embedDim, embedDim]).map((value, index) => value + bias.data[index % embedDim]);
    };
    const heads = (data, rows) => ({ data, dims: [1, rows, numHeads, headDim] });
    const [k, v] = ["k", "v"].map((name) => heads(project(name, x.data, seqLen), seqLen));
    return rowsBeforeQuarters(seqLen, BLOCK_ROWS).map(({ first, end }) => {
      const rows = end - first;
      const q = heads(project("q", x.data.subarray(first * embedDim, end * embedDim), rows), rows);
      return { start: first * embedDim, values: project("out", scaledDotProductAttention(q, k, v).data, rows) };
    });
  },
};
