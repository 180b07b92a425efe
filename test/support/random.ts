/** Seeded random numbers: a failing test names its seed. */

/** mulberry32: uniform in [0, 1). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const countOf = (dims: readonly number[]): number => dims.reduce((product, size) => product * size, 1);

export interface TestTensor {
  data: Float32Array;
  dims: number[];
}

/** Normally distributed numbers (Box & Muller 1958). */
export function normal(dims: readonly number[], seed: number, deviation = 1): TestTensor {
  const next = uniform(seed);
  const gauss = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()) * deviation;
  return { data: Float32Array.from({ length: countOf(dims) }, gauss), dims: [...dims] };
}

/** Bytes that are 1 with the given probability. */
export function randomMask(dims: readonly number[], seed: number, probability: number): { data: Uint8Array; dims: number[] } {
  const next = uniform(seed);
  return { data: Uint8Array.from({ length: countOf(dims) }, () => (next() < probability ? 1 : 0)), dims: [...dims] };
}

/** Small multiples of 1/8, which every type holds exactly. */
export function eighths(dims: readonly number[], seed: number): TestTensor {
  const next = uniform(seed);
  const count = dims.reduce((product, size) => product * size, 1);
  return { data: Float32Array.from({ length: count }, () => (Math.floor(next() * 17) - 8) / 8), dims: [...dims] };
}
