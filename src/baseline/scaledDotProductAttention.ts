/**
 * Scaled dot-product attention in plain float32 JavaScript, written with care: flat arrays, indices hoisted, four sums at a time,
 * one row of scores, the softmax fused into it, and nothing computed for keys that a causal row does not see.
 */

/** Float32 numbers and their sizes. */
export interface BaselineTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

type BaselineLayout = "bshd" | "bhsd" | "sbhd";

/** Some options of `Engine.scaledDotProductAttention`, with the same meanings and defaults. Nothing is checked. */
export interface BaselineOptions {
  /** Order of axes. Default "bshd". */
  layout?: BaselineLayout | undefined;
  /** Factor on q·k, for all heads or for each [numHeads]. Default 1/√headDim. */
  scale?: number | ArrayLike<number> | undefined;
  /** Row i sees no key after its position, the last query at the position of the last key. Default false. */
  causal?: boolean | undefined;
  /** Receives the output, and is returned. */
  out?: BaselineTensor | undefined;
}

/**
 * out_i = Σ_j softmax_j(scale · q_i·k_j) v_j (Vaswani et al. 2017, arXiv:1706.03762), rounded to float32 where it is stored.
 *
 * @param q  [batch, seqLen, numHeads, headDim] in layout "bshd", or [seqLen, headDim]
 * @param k  [batch, kvLen, numKvHeads, headDim]
 * @param v  [batch, kvLen, numKvHeads, valueDim]
 * @returns `out` where given, else { data, dims } with dims [batch, seqLen, numHeads, valueDim] in the same layout
 *
 * @example
 * import { scaledDotProductAttention } from "headwise/baseline";
 *
 * const x = { data: Float32Array.of(1, 0, 0, 1), dims: [2, 2] };
 * console.log(scaledDotProductAttention(x, x, x, { causal: true }).data[0]); // 1
 */
export function scaledDotProductAttention(
  q: BaselineTensor,
  k: BaselineTensor,
  v: BaselineTensor,
  options: BaselineOptions = {},
): BaselineTensor {
  const layout = options.layout ?? "bshd";
  const causal = options.causal ?? false;
  const [batchSize, seqLen, numHeads, headDim] = sizes(q.dims, layout);
  const [, kvLen, numKvHeads, valueDim] = sizes(v.dims, layout);
  const scale = options.scale ?? 1 / Math.sqrt(headDim);
  const dims = [...q.dims.slice(0, -1), valueDim];
  const out = options.out ?? { data: new Float32Array(batchSize * seqLen * numHeads * valueDim), dims };
  const weights = new Float32Array(kvLen);
  const firstOf = (b: number, h: number, rows: number, heads: number): number =>
    layout === "bhsd" ? (b * heads + h) * rows : (layout === "bshd" ? b * rows : b) * heads + h;
  const stepOf = (heads: number): number => (layout === "bhsd" ? 1 : layout === "bshd" ? heads : batchSize * heads);

  for (let b = 0; b < batchSize; b++) {
    for (let h = 0; h < numHeads; h++) {
      const kvHead = Math.floor((h * numKvHeads) / numHeads);
      const kvFirst = firstOf(b, kvHead, kvLen, numKvHeads);
      const kvStep = stepOf(numKvHeads);
      const factor = typeof scale === "number" ? scale : scale[h]!;
      for (let i = 0; i < seqLen; i++) {
        const row = firstOf(b, h, seqLen, numHeads) + i * stepOf(numHeads);
        const keys = causal ? Math.max(0, Math.min(kvLen, i + 1 + kvLen - seqLen)) : kvLen;
        attendRow(
          q.data,
          row * headDim,
          k.data,
          v.data,
          kvFirst,
          kvStep,
          keys,
          headDim,
          valueDim,
          factor,
          weights,
          out.data,
          row * valueDim,
        );
      }
    }
  }
  return out;
}

/** One query row against `keys` keys, which lie `kvStep` rows apart from row `kvFirst` on. */
function attendRow(
  q: Float32Array,
  qStart: number,
  k: Float32Array,
  v: Float32Array,
  kvFirst: number,
  kvStep: number,
  keys: number,
  headDim: number,
  valueDim: number,
  scale: number,
  weights: Float32Array,
  out: Float32Array,
  outStart: number,
): void {
  for (let d = 0; d < valueDim; d++) out[outStart + d] = 0;
  const headDim4 = headDim & ~3;
  let max = -Infinity;
  for (let j = 0; j < keys; j++) {
    const kStart = (kvFirst + j * kvStep) * headDim;
    let sum0 = 0;
    let sum1 = 0;
    let sum2 = 0;
    let sum3 = 0;
    let d = 0;
    for (; d < headDim4; d += 4) {
      sum0 += q[qStart + d]! * k[kStart + d]!;
      sum1 += q[qStart + d + 1]! * k[kStart + d + 1]!;
      sum2 += q[qStart + d + 2]! * k[kStart + d + 2]!;
      sum3 += q[qStart + d + 3]! * k[kStart + d + 3]!;
    }
    // Behind an if, or V8 makes the loop before it 10 % slower.
    if (d < headDim) {
      for (; d < headDim; d++) sum0 += q[qStart + d]! * k[kStart + d]!;
    }
    const score = (sum0 + sum1 + sum2 + sum3) * scale;
    weights[j] = score;
    if (score > max) max = score;
  }

  let sum = 0;
  for (let j = 0; j < keys; j++) {
    const weight = Math.exp(weights[j]! - max);
    weights[j] = weight;
    sum += weight;
  }

  // Four keys at a time: one load and store of the output for four products.
  const factor = 1 / sum;
  let j = 0;
  for (; j + 3 < keys; j += 4) {
    const w0 = weights[j]! * factor;
    const w1 = weights[j + 1]! * factor;
    const w2 = weights[j + 2]! * factor;
    const w3 = weights[j + 3]! * factor;
    const v0 = (kvFirst + j * kvStep) * valueDim;
    const v1 = v0 + kvStep * valueDim;
    const v2 = v1 + kvStep * valueDim;
    const v3 = v2 + kvStep * valueDim;
    for (let d = 0; d < valueDim; d++) out[outStart + d]! += w0 * v[v0 + d]! + w1 * v[v1 + d]! + w2 * v[v2 + d]! + w3 * v[v3 + d]!;
  }
  for (; j < keys; j++) {
    const w = weights[j]! * factor;
    const v0 = (kvFirst + j * kvStep) * valueDim;
    for (let d = 0; d < valueDim; d++) out[outStart + d]! += w * v[v0 + d]!;
  }
}

/** [batch, rows, heads, channels] */
function sizes(dims: readonly number[], layout: BaselineLayout): [number, number, number, number] {
  if (dims.length === 2) return [1, dims[0]!, 1, dims[1]!];
  const at = (axis: string): number => dims[layout.indexOf(axis)]!;
  return [at("b"), at("s"), at("h"), dims[3]!];
}
