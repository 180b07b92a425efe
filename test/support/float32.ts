/** Float32 as a set of numbers: distances between them, and sweeps over all of them. */

/** The distance between neighbouring float32 numbers around a value. */
export const ulp = (value: number): number => 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(value)))) - 23);

/** Elements per call of a kernel. */
const COUNT = 2 ** 16;

/**
 * The largest error on every `step`-th finite float32, both signs.
 *
 * @param errorOf  the error of a result, in any unit
 */
export function sweepFloat32(
  step: number,
  kernel: (x: { data: Float32Array; dims: number[] }) => ArrayLike<number>,
  truthOf: (x: { data: Float32Array; dims: number[] }) => ArrayLike<number>,
  errorOf: (x: number, found: number, truth: number) => number,
): number {
  let worst = 0;
  for (const [first, last] of [
    [0, 0x7f7fffff],
    [0x80000000, 0xff7fffff],
  ] as const) {
    for (let start = first; start <= last; start += COUNT * step) {
      const bits = Uint32Array.from({ length: COUNT }, (_, index) => Math.min(last, start + index * step));
      const x = { data: new Float32Array(bits.buffer), dims: [COUNT] };
      const [found, truth] = [kernel(x), truthOf(x)];
      for (let index = 0; index < COUNT; index++) {
        const error = found[index] === truth[index] ? 0 : errorOf(x.data[index]!, found[index]!, truth[index]!);
        if (!(error <= worst)) worst = error;
      }
    }
  }
  return worst;
}
