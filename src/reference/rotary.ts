/** Rotary position embedding in float64, by its definition. Su et al. 2021, arXiv:2104.09864. */
import { type ReferenceLayout, rowIndex, sizesOf } from "./layout.js";
import { type ReferenceScaling, rotaryFrequencies } from "./rotaryScaling.js";
import type { ReferenceResult, ReferenceTensor } from "./tensor.js";

/** The options of `Engine.rotary`, with the same meanings and defaults. Nothing is checked. */
export interface ReferenceRotaryOptions {
  layout?: ReferenceLayout | undefined;
  base?: number | undefined;
  scaling?: ReferenceScaling | undefined;
  rotaryStart?: number | undefined;
  rotaryDim?: number | undefined;
  interleaved?: boolean | undefined;
  offset?: number | ArrayLike<number> | undefined;
  positions?: ArrayLike<number> | undefined;
  inverse?: boolean | undefined;
  tables?: { readonly cos: ReferenceTensor; readonly sin: ReferenceTensor } | undefined;
}

/**
 * (a, b) → (a cos θ − b sin θ, b cos θ + a sin θ) for each pair i of channels from rotaryStart on, θ = position · frequency, by default
 * base^(−2i / rotaryDim).
 *
 * @param x  [batch, seqLen, heads, headDim] in layout "bshd", or [seqLen, headDim]
 * @returns { data, dims } with the sizes of x
 *
 * @example
 * import { rotary } from "headwise/reference";
 *
 * const x = { data: [1, 0, 1, 0], dims: [2, 2] };
 * console.log([...rotary(x).data].map((y) => y.toFixed(2))); // [ '1.00', '0.00', '0.54', '0.84' ]
 */
export function rotary(x: ReferenceTensor, options: ReferenceRotaryOptions = {}): ReferenceResult {
  const { layout = "bshd", base = 10000, interleaved = false, offset = 0, positions, inverse = false, tables } = options;
  const sizes = sizesOf(x.dims, layout);
  const [batchSize, seqLen, heads, headDim] = sizes;
  const { rotaryStart = 0, rotaryDim = tables ? 2 * tables.cos.dims[1]! : headDim - rotaryStart } = options;
  const pairs = rotaryDim / 2;
  const { frequencies, attentionFactor } = rotaryFrequencies(rotaryDim, base, options.scaling);
  const data = Float64Array.from(x.data);

  for (let index = 0; index < batchSize * seqLen * heads; index++) {
    const token = Math.floor(index / heads);
    const [batch, i] = [Math.floor(token / seqLen), token % seqLen];
    const row = rowIndex(layout, sizes, batch, i, index % heads);
    let position = i + (typeof offset === "number" ? offset : offset[batch]!);
    if (positions) position = positions[positions.length === seqLen ? i : token]!;
    for (let pair = 0; pair < pairs; pair++) {
      const angle = position * frequencies[pair]!;
      const cos = tables ? tables.cos.data[position * pairs + pair]! : attentionFactor * Math.cos(angle);
      const sin = (tables ? tables.sin.data[position * pairs + pair]! : attentionFactor * Math.sin(angle)) * (inverse ? -1 : 1);
      const first = row * headDim + rotaryStart + (interleaved ? 2 * pair : pair);
      const second = first + (interleaved ? 1 : pairs);
      const [a, b] = [data[first]!, data[second]!];
      data[first] = a * cos - b * sin;
      data[second] = b * cos + a * sin;
    }
  }
  return { data, dims: x.dims };
}
