/** Sinusoidal position embeddings in float64, by their definition. Vaswani et al. 2017, arXiv:1706.03762, section 3.5. */
import type { ReferenceResult } from "./tensor.js";

/**
 * PE(p, 2i) = sin(p / 10000^(2i / dim)) ,  PE(p, 2i + 1) = cos(p / 10000^(2i / dim))
 *
 * @returns { data, dims } with dims [length, dim]
 *
 * @example
 * import { sinusoidalPositions } from "headwise/reference";
 *
 * console.log([...sinusoidalPositions({ length: 2, dim: 2 }).data].map((x) => x.toFixed(2))); // [ '0.00', '1.00', '0.84', '0.54' ]
 */
export function sinusoidalPositions({ length, dim }: { length: number; dim: number }): ReferenceResult {
  const data = new Float64Array(length * dim);
  for (const index of data.keys()) {
    const [position, channel] = [Math.floor(index / dim), index % dim];
    const angle = position / 10000 ** ((channel - (channel % 2)) / dim);
    data[index] = channel % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  }
  return { data, dims: [length, dim] };
}
