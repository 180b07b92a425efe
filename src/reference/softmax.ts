/** Softmax along an axis in float64, by its definition. */
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

/** The options of `Engine.softmax`, with the same meanings and defaults. Nothing is checked. */
export interface ReferenceSoftmaxOptions {
  axis?: number | undefined;
  scale?: number | undefined;
  mask?: ReferenceTensor | undefined;
  bias?: ReferenceTensor | undefined;
  /** Has no effect here: since nothing is checked, a short mask always hides the elements beyond it. */
  shortMask?: "error" | "hide" | undefined;
  log?: boolean | undefined;
}

/**
 * out_j = exp(s_j) / Σ_j' exp(s_j') along the axis, s = scale · x + bias, over the elements that mask and bias leave visible.
 *
 * @returns { data, dims } with the sizes of x
 *
 * @example
 * import { softmax } from "headwise/reference";
 *
 * const x = { data: [0, 5, 0], dims: [3] };
 * console.log(softmax(x, { mask: { data: [1, 0, 1], dims: [3] } }).data); // Float64Array(3) [ 0.5, 0, 0.5 ]
 */
export function softmax(x: ReferenceTensor, options: ReferenceSoftmaxOptions = {}): ReferenceResult {
  const { axis = -1, scale = 1, mask, bias, log = false } = options;
  const { dims } = x;
  const place = axis < 0 ? dims.length + axis : axis;
  const length = dims[place]!;
  const inner = dims.slice(place + 1).reduce((product, size) => product * size, 1);
  const data = new Float64Array(x.data.length);

  for (let first = 0; first < data.length; first++) {
    if (Math.floor(first / inner) % length !== 0) continue; // not the first one along the axis
    const indices = Array.from({ length }, (_, j) => first + j * inner);
    const scores = indices.map((index) => {
      const added = bias ? elementUnder(bias, dims, index) : 0;
      const isHidden = added === undefined || added === -Infinity || (mask && !elementUnder(mask, dims, index));
      return isHidden ? -Infinity : scale * x.data[index]! + added;
    });
    const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const sum = scores.reduce((total, s) => total + (s === -Infinity ? 0 : Math.exp(s - most)), 0);
    for (const [j, index] of indices.entries()) {
      const s = scores[j]!;
      if (s === -Infinity)
        data[index] = log ? -Infinity : 0; // also in a row that is NaN
      else data[index] = log ? s - most - Math.log(sum) : Math.exp(s - most) / sum;
    }
  }
  return { data, dims };
}

/** The element of a mask or bias for an element of a tensor of sizes `full`; undefined beyond a short last axis. */
function elementUnder({ data, dims }: ReferenceTensor, full: readonly number[], index: number): number | undefined {
  let [stride, offset] = [1, 0];
  for (let axis = full.length - 1; axis >= full.length - dims.length; axis--) {
    const size = dims[axis - full.length + dims.length]!;
    const at = index % full[axis]!;
    if (size !== 1 && at >= size) return undefined;
    if (size !== 1) offset += at * stride;
    stride *= size;
    index = Math.floor(index / full[axis]!);
  }
  return data[offset]!;
}
