/** Slopes of attention with linear biases. Press, Smith & Lewis 2022, arXiv:2108.12409. Plain arithmetic: no engine is needed. */
import { integer } from "../check.js";
import type { ResultTensor } from "../call/tensor.js";

/** Far more heads than models have. */
const MAX_HEADS = 2 ** 16;

/**
 * The slopes of ALiBi, for `alibiSlopes` in attention. Head h of n has 2^(−8 (h + 1) / n), where n is a power of two. Else the first
 * heads have the slopes of the largest power of two below n, and the rest those of the even heads of twice as many.
 *
 * @returns { type: "float32", data, dims } with dims [numHeads]
 * @throws {TypeError} the wrong kind of value @throws {RangeError} a number of heads out of range
 *
 * @example
 * import { alibiSlopes } from "headwise";
 *
 * console.log([...alibiSlopes(4).data]); // [ 0.25, 0.0625, 0.015625, 0.00390625 ]
 */
export function alibiSlopes(numHeads: number): ResultTensor {
  const heads = integer("alibiSlopes", "numHeads", numHeads, 1, MAX_HEADS);
  const inFirst = 1 << (31 - Math.clz32(heads)); // the largest power of two
  const data = Float32Array.from({ length: heads }, (_, h) =>
    h < inFirst ? powerOfHalf((8 * (h + 1)) / inFirst) : powerOfHalf((4 * (2 * (h - inFirst) + 1)) / inFirst),
  );
  return { type: "float32", data, dims: [heads] };
}

/** 2^−exponent for an exponent below 31 with few binary digits. By roots, which have the same bits on every host; powers may not. */
function powerOfHalf(exponent: number): number {
  let power = 1 / (1 << Math.floor(exponent));
  let root = 0.5;
  for (let rest = exponent % 1; rest > 0; rest %= 1) {
    root = Math.sqrt(root);
    rest *= 2;
    if (rest >= 1) power *= root;
  }
  return power;
}
