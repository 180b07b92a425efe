/** Seeded inputs. */
import type { AttentionShape } from "./shapes.js";

export interface Tensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** Normally distributed numbers (Box & Muller 1958) from a multiplicative generator (Park & Miller 1988). */
export function normal(dims: readonly number[], seed: number): Tensor {
  let state = seed * 48271 + 1;
  const uniform = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  const length = dims.reduce((product, size) => product * size, 1);
  const data = Float32Array.from({ length }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
  return { data, dims };
}

/** q, k and v of one sequence in layout "bshd". */
export function inputsOf({ seqLen, kvLen = seqLen, numHeads, numKvHeads, headDim }: AttentionShape): {
  q: Tensor;
  k: Tensor;
  v: Tensor;
} {
  return {
    q: normal([1, seqLen, numHeads, headDim], 1),
    k: normal([1, kvLen, numKvHeads, headDim], 2),
    v: normal([1, kvLen, numKvHeads, headDim], 3),
  };
}
