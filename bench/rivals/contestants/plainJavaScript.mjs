/** What a good programmer writes without WebAssembly: `headwise/baseline`, and the other kinds in the same style. */
import { scaledDotProductAttention } from "../../../dist/baseline/index.js";

/** The transpose of [rows, columns], so that a product reads both operands in order. */
function transposed(data, rows, columns) {
  const copy = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) copy[j * rows + i] = data[i * columns + j];
  return copy;
}

/** out = a · b + bias, two rows and two columns at a time: both numbers are even. */
function multiply(a, bTransposed, bias, out, [rows, depth, columns]) {
  for (let i = 0; i < rows; i += 2) {
    for (let j = 0; j < columns; j += 2) {
      let sum00 = 0;
      let sum01 = 0;
      let sum10 = 0;
      let sum11 = 0;
      const a0 = i * depth;
      const a1 = a0 + depth;
      const b0 = j * depth;
      const b1 = b0 + depth;
      for (let k = 0; k < depth; k++) {
        const left0 = a[a0 + k];
        const left1 = a[a1 + k];
        const right0 = bTransposed[b0 + k];
        const right1 = bTransposed[b1 + k];
        sum00 += left0 * right0;
        sum01 += left0 * right1;
        sum10 += left1 * right0;
        sum11 += left1 * right1;
      }
      const bias0 = bias ? bias[j] : 0;
      const bias1 = bias ? bias[j + 1] : 0;
      out[i * columns + j] = sum00 + bias0;
      out[i * columns + j + 1] = sum01 + bias1;
      out[(i + 1) * columns + j] = sum10 + bias0;
      out[(i + 1) * columns + j + 1] = sum11 + bias1;
    }
  }
}

function softmaxRow(x, out, start, length) {
  let most = -Infinity;
  for (let j = start; j < start + length; j++) if (x[j] > most) most = x[j];
  let sum = 0;
  for (let j = start; j < start + length; j++) sum += out[j] = Math.exp(x[j] - most);
  const factor = 1 / sum;
  for (let j = start; j < start + length; j++) out[j] *= factor;
}

const feature = (x) => (x > 0 ? x + 1 : Math.exp(x));

/** The state of a head after the keys and values so far: Σ φ(k) vᵀ and Σ φ(k). */
class State {
  constructor(headDim) {
    this.headDim = headDim;
    this.sums = new Float64Array(headDim * headDim);
    this.normalizer = new Float64Array(headDim);
    this.row = new Float64Array(headDim);
  }

  clear() {
    this.sums.fill(0);
    this.normalizer.fill(0);
  }

  take(k, v, start) {
    const { headDim, sums, normalizer } = this;
    for (let d = 0; d < headDim; d++) {
      const key = feature(k[start + d]);
      normalizer[d] += key;
      for (let c = 0; c < headDim; c++) sums[d * headDim + c] += key * v[start + c];
    }
  }

  attend(q, out, start) {
    const { headDim, sums, normalizer, row } = this;
    row.fill(0);
    let denominator = 0;
    for (let d = 0; d < headDim; d++) {
      const query = feature(q[start + d]);
      denominator += query * normalizer[d];
      for (let c = 0; c < headDim; c++) row[c] += query * sums[d * headDim + c];
    }
    for (let c = 0; c < headDim; c++) out[start + c] = row[c] / denominator;
  }
}

/** A function that writes a kind's result to `out`. */
const writersOf = {
  attention({ inputs: { q, k, v }, outDims: dims, shape: { causal } }) {
    return (data) => scaledDotProductAttention(q, k, v, { layout: "bhsd", causal, out: { data, dims } });
  },
  matmul({ inputs: { a }, constants: { b }, shape: { rows, depth, columns } }) {
    const right = transposed(b.data, depth, columns);
    return (out) => multiply(a.data, right, undefined, out, [rows, depth, columns]);
  },
  softmax({ inputs: { x }, shape: { rows, columns } }) {
    return (out) => {
      for (let i = 0; i < rows; i++) softmaxRow(x.data, out, i * columns, columns);
    };
  },
  layer({ inputs: { x }, constants, shape: { seqLen, embedDim, numHeads, headDim } }) {
    const matrices = Object.fromEntries(
      ["q", "k", "v", "out"].map((name) => [name, transposed(constants[`${name}Matrix`].data, embedDim, embedDim)]),
    );
    const project = (name, rows, out) =>
      multiply(rows, matrices[name], constants[`${name}Bias`].data, out, [seqLen, embedDim, embedDim]);
    const heads = () => ({ data: new Float32Array(x.data.length), dims: [1, seqLen, numHeads, headDim] });
    const [q, k, v, attended] = [heads(), heads(), heads(), heads()];
    return (out) => {
      project("q", x.data, q.data);
      project("k", x.data, k.data);
      project("v", x.data, v.data);
      scaledDotProductAttention(q, k, v, { out: attended });
      project("out", attended.data, out);
    };
  },
  linear({ inputs: { q, k, v }, shape: { numHeads, seqLen, headDim, causal } }) {
    const state = new State(headDim);
    return (out) => {
      for (let head = 0; head < numHeads; head++) {
        const [first, end] = [head, head + 1].map((index) => index * seqLen * headDim);
        state.clear();
        if (!causal) for (let row = first; row < end; row += headDim) state.take(k.data, v.data, row);
        for (let row = first; row < end; row += headDim) {
          if (causal) state.take(k.data, v.data, row);
          state.attend(q.data, out, row);
        }
      }
    };
  },
};

export function prepare(task) {
  const write = writersOf[task.kind](task);
  const array = () => new Float32Array(task.outDims.reduce((product, size) => product * size, 1));
  let out = array();
  const run = () => {
    if (task.io === "copy") out = array();
    write(out);
  };
  return { run, result: () => out };
}
