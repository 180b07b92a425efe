/**
 * Linear attention in float64, by its definition: a state that takes in one key after the other. Katharopoulos et al. 2020,
 * arXiv:2006.16236; with the rules of ONNX's operator LinearAttention.
 */
import { type ReferenceLayout, type ReferenceSizes, rowIndex, sizesOf } from "./layout.js";
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

/** A function of one tensor: its result has the same sizes except for the last. */
type ReferenceFeatureMap = (x: ReferenceTensor) => ReferenceTensor;

/** The options of `Engine.linearAttention`, with the same meanings and defaults. Nothing is checked. */
export interface ReferenceLinearOptions {
  layout?: ReferenceLayout | undefined;
  featureMap?: "elu+1" | "identity" | "relu" | "relu2" | "exp" | "softmax" | "favor+" | ReferenceFeatureMap | undefined;
  causal?: boolean | undefined;
  normalize?: boolean | undefined;
  eps?: number | undefined;
  scale?: number | undefined;
  rule?: "linear" | "gated" | "delta" | "gated_delta" | undefined;
  decay?: ReferenceTensor | undefined;
  beta?: ReferenceTensor | undefined;
  keyLengths?: ArrayLike<number> | undefined;
  cuSeqlens?: ArrayLike<number> | undefined;
  keyMask?: ReferenceTensor | undefined;
  /** For "favor+": [numKvHeads, features, headDim]. */
  projections?: ReferenceTensor | undefined;
  /** Initial sums [batch, numKvHeads, headDim, valueDim], and the place of the final ones; one for each packed sequence. */
  initialState?: ReferenceTensor | undefined;
  finalState?: { readonly data: { [index: number]: number } } | undefined;
}

type Row = number[];

/**
 * out_i = scale · φ(q_i)ᵀS / (scale · φ(q_i)ᵀz + eps) ,  S = Σ_j φ(k_j) v_jᵀ ,  z = Σ_j φ(k_j) ,  over j ≤ i when causal; with a rule
 *
 *     S ← diag(exp(decay_t)) S          u = v_t, or β_t (v_t − Sᵀk_t)          S ← S + k_t uᵀ          out_t = scale · Sᵀq_t
 *
 * @param q  [batch, seqLen, numHeads, headDim] in layout "bshd", or [seqLen, headDim]
 * @param k  [batch, kvLen, numKeyHeads, headDim]
 * @param v  [batch, kvLen, numKvHeads, valueDim]
 * @returns { data, dims } with dims [batch, seqLen, max(numHeads, numKvHeads), valueDim] in the same layout
 *
 * @example
 * import { linearAttention } from "headwise/reference";
 *
 * const column = (...data) => ({ data, dims: [data.length, 1] });
 * const options = { featureMap: "identity", eps: 0 };
 * console.log([...linearAttention(column(1, 2), column(1, 3), column(4, 8), options).data]); // [7, 7]
 */
export function linearAttention(
  q: ReferenceTensor,
  k: ReferenceTensor,
  v: ReferenceTensor,
  options: ReferenceLinearOptions = {},
): ReferenceResult {
  const { layout = "bshd", rule, decay, beta, keyLengths, keyMask, initialState, finalState } = options;
  const { causal = rule !== undefined, normalize = rule === undefined, eps = 1e-6 } = options;
  const { featureMap = rule ? "identity" : "elu+1" } = options;
  const [queries, keys, values] = [new Rows(q, layout), new Rows(k, layout), new Rows(v, layout)];
  const { scale = rule ? 1 / Math.sqrt(queries.channels) : 1 } = options;
  if (options.cuSeqlens) return packed(q, k, v, options, options.cuSeqlens);
  const numOutHeads = Math.max(queries.heads, values.heads);
  const outDims = [...q.dims.slice(0, -1), values.channels];
  if (q.dims.length === 4) outDims[layout.indexOf("h")] = numOutHeads;
  const result = { data: new Float64Array(outDims.reduce((a, b) => a * b, 1)), dims: outDims };
  const out = new Rows(result, layout);

  for (let b = 0; b < queries.batch; b++) {
    const length = keyLengths?.[b] ?? keys.rows;
    const isPresent = (j: number): boolean => {
      if (j >= length) return false;
      return !keyMask || keyMask.data[keyMask.dims.length === 1 ? j : b * keys.rows + j] !== 0;
    };
    for (let h = 0; h < values.heads; h++) {
      const keyHead = Math.floor((h * keys.heads) / values.heads);
      const map = mapOf(featureMap, options.projections, h);
      const mapped = Array.from({ length: keys.rows }, (_, j) => (isPresent(j) ? map(keys.row(b, j, keyHead)) : []));
      if (featureMap === "softmax") softmaxOverRows(mapped);
      const numFeatures = map(new Array<number>(keys.channels).fill(0)).length;

      const stateStart = (b * values.heads + h) * numFeatures * values.channels;
      const sums = Array.from({ length: numFeatures }, (_, f) =>
        Array.from({ length: values.channels }, (_, c) => initialState?.data[stateStart + f * values.channels + c] ?? 0),
      );
      const normalizer = new Array<number>(numFeatures).fill(0);
      const read = (x: Row): Row => sums[0]!.map((_, c) => x.reduce((sum, xf, f) => sum + xf * sums[f]![c]!, 0));

      const take = (j: number): void => {
        if (decay && j < length) {
          for (const [f, row] of sums.entries()) {
            const factor = Math.exp(elementOf(decay, values, b, j, h, f));
            sums[f] = row.map((sum) => (factor === 0 ? 0 : factor * sum)); // cleared, also of NaN
          }
        }
        if (!isPresent(j)) return;
        let u = values.row(b, j, h);
        if (beta) {
          const found = read(mapped[j]!);
          u = u.map((vc, c) => elementOf(beta, values, b, j, h, 0) * (vc - found[c]!));
        }
        for (const [f, kf] of mapped[j]!.entries()) {
          normalizer[f]! += kf;
          for (const [c, uc] of u.entries()) sums[f]![c]! += kf * uc;
        }
      };
      const attend = (i: number): void => {
        for (let head = 0; head < numOutHeads; head++) {
          if (Math.floor((head * values.heads) / numOutHeads) !== h) continue;
          const row = queries.row(b, i, Math.floor((head * queries.heads) / numOutHeads));
          const x = (featureMap === "softmax" ? softmax(row) : map(row)).map((xf) => xf * scale);
          const denominator = normalize && featureMap !== "softmax" ? x.reduce((sum, xf, f) => sum + xf * normalizer[f]!, eps) : 1;
          out.write(
            b,
            i,
            head,
            read(x).map((sum) => sum / denominator),
          );
        }
      };

      if (!causal) for (let j = 0; j < keys.rows; j++) take(j);
      for (let i = 0; i < queries.rows; i++) {
        if (causal) take(i);
        attend(i);
      }
      for (const [index, sum] of sums.flat().entries()) if (finalState) finalState.data[stateStart + index] = sum;
    }
  }
  return result;
}

/** Each packed sequence by itself. */
function packed(
  q: ReferenceTensor,
  k: ReferenceTensor,
  v: ReferenceTensor,
  options: ReferenceLinearOptions,
  cuSeqlens: ArrayLike<number>,
): ReferenceResult {
  const { layout = "bshd", decay, beta, keyMask, initialState, finalState } = options;
  const rowAxis = q.dims.length === 2 ? 0 : layout.indexOf("s");
  const count = cuSeqlens.length - 1;
  const results: ReferenceResult[] = [];
  for (let s = 0; s < count; s++) {
    const cut = (x: ReferenceTensor, axis = rowAxis): ReferenceTensor => slice(x, axis, cuSeqlens[s]!, cuSeqlens[s + 1]!);
    const isFixed = (gate: ReferenceTensor): boolean => gate.dims.length === 1 && q.dims.length === 4;
    const gateOf = (gate: ReferenceTensor | undefined): ReferenceTensor | undefined => gate && (isFixed(gate) ? gate : cut(gate));
    const final = initialState && { data: new Float64Array(initialState.data.length / count) };
    results.push(
      linearAttention(cut(q), cut(k), cut(v), {
        ...options,
        cuSeqlens: undefined,
        decay: gateOf(decay),
        beta: gateOf(beta),
        keyMask: keyMask && cut(keyMask, keyMask.dims.length - 1),
        initialState: initialState && slice(initialState, 0, s, s + 1),
        finalState: final,
      }),
    );
    for (const [index, sum] of (final?.data ?? []).entries()) if (finalState) finalState.data[s * final!.data.length + index] = sum;
  }
  const dims = results[0]!.dims.map((size, axis) => (axis === rowAxis ? q.dims[rowAxis]! : size));
  const inner = dims.slice(rowAxis + 1).reduce((a, b) => a * b, 1);
  const data = new Float64Array(dims.reduce((a, b) => a * b, 1));
  for (const [s, part] of results.entries()) {
    const rowsOfPart = part.dims[rowAxis]! * inner;
    for (let index = 0; index < part.data.length; index++) {
      const outer = Math.floor(index / rowsOfPart);
      data[outer * dims[rowAxis]! * inner + cuSeqlens[s]! * inner + (index % rowsOfPart)] = part.data[index]!;
    }
  }
  return { data, dims };
}

/** The indices `first` to `end` − 1 of an axis. */
function slice({ data, dims }: ReferenceTensor, axis: number, first: number, end: number): ReferenceTensor {
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const whole = dims[axis]! * inner;
  const numbers = Array.from(data).filter((_, index) => {
    const position = Math.floor((index % whole) / inner);
    return first <= position && position < end;
  });
  return { data: numbers, dims: dims.map((size, each) => (each === axis ? end - first : size)) };
}

/** Rows of channels of a tensor in any layout or of rank 2. */
class Rows {
  readonly sizes: ReferenceSizes;
  readonly batch: number;
  readonly rows: number;
  readonly heads: number;
  readonly channels: number;

  constructor(
    readonly tensor: ReferenceTensor,
    readonly layout: ReferenceLayout,
  ) {
    this.sizes = sizesOf(tensor.dims, layout);
    [this.batch, this.rows, this.heads, this.channels] = this.sizes;
  }

  index(b: number, i: number, h: number): number {
    return rowIndex(this.layout, this.sizes, b, i, h);
  }

  start(b: number, i: number, h: number): number {
    return this.index(b, i, h) * this.channels;
  }

  row(b: number, i: number, h: number): Row {
    const start = this.start(b, i, h);
    return Array.from({ length: this.channels }, (_, d) => this.tensor.data[start + d]!);
  }

  write(b: number, i: number, h: number, row: Row): void {
    (this.tensor.data as Float64Array).set(row, this.start(b, i, h));
  }
}

/**
 * Element of a decay or beta: [heads], [batch, seq, heads] or [batch, seq, heads, headDim], with 1 or all heads; where q has rank 2 also
 * [seq] or [seq, headDim].
 */
function elementOf({ data, dims }: ReferenceTensor, values: Rows, b: number, i: number, h: number, f: number): number {
  if (dims.length === 1 && (dims[0] === values.heads || dims[0] === 1)) return data[dims[0] === 1 ? 0 : h]!;
  const { layout, batch, rows, heads, channels } = values;
  const gateHeads = dims.length < 3 ? heads : dims[layout.indexOf("h")]!; // 1 serves all
  const row = rowIndex(layout, [batch, rows, gateHeads, channels], b, i, gateHeads === 1 ? 0 : h);
  const isByChannel = dims.length === 4 || dims.length === 2;
  return isByChannel ? data[row * dims.at(-1)! + f]! : data[row]!;
}

/** A feature map of one row. */
function mapOf(
  featureMap: NonNullable<ReferenceLinearOptions["featureMap"]>,
  projections: ReferenceTensor | undefined,
  head: number,
): (x: Row) => Row {
  if (typeof featureMap === "function") return (x) => Array.from(featureMap({ data: x, dims: [1, x.length] }).data);
  const elements: Record<string, (x: number) => number> = {
    "elu+1": (x) => (x > 0 ? x + 1 : Math.exp(x)),
    relu: (x) => (x < 0 ? 0 : x),
    relu2: (x) => (x < 0 ? 0 : x * x),
    exp: (x) => Math.exp(x),
  };
  const element = elements[featureMap];
  if (element) return (x) => x.map(element);
  if (featureMap !== "favor+") return (x) => x;
  return (x) => {
    const [, count, channels] = projections!.dims as [number, number, number];
    const y = x.map((element) => element / channels ** 0.25);
    const half = y.reduce((sum, element) => sum + element * element, 0) / 2;
    return Array.from({ length: count }, (_, m) => {
      const start = (head * count + m) * channels;
      return Math.exp(y.reduce((sum, yd, d) => sum + projections!.data[start + d]! * yd, -half)) / Math.sqrt(count);
    });
  };
}

function softmax(x: Row): Row {
  const max = x.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = x.map((element) => (max === -Infinity ? 0 : Math.exp(element - max)));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => (sum === 0 ? 0 : power / sum));
}

/** Softmax of each channel over the rows that are present. */
function softmaxOverRows(rows: Row[]): void {
  const present = rows.filter((row) => row.length > 0);
  for (let d = 0; d < (present[0]?.length ?? 0); d++) {
    for (const [index, weight] of softmax(present.map((row) => row[d]!)).entries()) present[index]![d] = weight;
  }
}
