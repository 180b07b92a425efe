/** How exact a product is as its depth grows: k is summed in chains, each from 0, and the chains are added in order. */
import { describe, expect, test } from "vitest";
import { matmul as reference } from "headwise/reference";
import { expectSameBits } from "./support/attention.js";
import { onEveryBuild } from "./support/builds.js";
import { normal, type TestTensor } from "./support/random.js";

/** Steps of a chain; the same as in assembly/tiles/layout.ts. */
const CHAIN = 128;
const DEPTHS = [256, 512, 1024, 2048, 4096];
/** Of each height of tile, and columns for four panels at once, two, and one that is not whole. */
const ROWS = [1, 3, 11];
const COLUMNS = 52;

/** The model, in float32 without fused operations: each multiplication and each addition is rounded. */
function inChains(a: TestTensor, b: TestTensor, chain: number): Float32Array {
  const { fround } = Math;
  const [rows, depth] = a.dims as [number, number];
  const columns = b.dims[1]!;
  const out = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let total = 0;
      for (let first = 0; first < depth; first += chain) {
        let sum = 0;
        for (let k = first; k < Math.min(first + chain, depth); k++)
          sum = fround(sum + fround(a.data[i * depth + k]! * b.data[k * columns + j]!));
        total = fround(total + sum);
      }
      out[i * columns + j] = total;
    }
  }
  return out;
}

/** Root of the mean square of the errors. */
function errorOf(found: Float32Array, truth: ArrayLike<number>): number {
  let sum = 0;
  for (const [index, value] of found.entries()) sum += (value - truth[index]!) ** 2;
  return Math.sqrt(sum / found.length);
}

onEveryBuild((build, engine) => {
  describe.each(DEPTHS)("depth %i", (depth) => {
    test.each(ROWS)("%i rows: at most 1.2 times the error of the model, packed or not", (rows) => {
      const [a, b] = [normal([rows, depth], depth + rows), normal([depth, COLUMNS], depth + 1)];
      const truth = reference(a, b).data;
      const { data } = engine.matmul(a, b);
      const packed = engine.packMatrix(b);
      expectSameBits(engine.matmul(a, packed).data, data, "packed");
      packed.dispose();
      const model = inChains(a, b, CHAIN);
      expect(errorOf(data, truth)).toBeLessThanOrEqual(1.2 * errorOf(model, truth));
      // Without fused operations the model says every bit.
      if (build === "simd" || build === "debug") expectSameBits(data, model, "the model");
    });
  });

  test("with accumulate, the chains are added to what there is", () => {
    const out = { data: new Float32Array(45).fill(2 ** 24), dims: [5, 9] };
    const ones = { data: new Float32Array(5 * 1000).fill(1), dims: [5, 1000] };
    const halves = { data: new Float32Array(1000 * 9).fill(0.5), dims: [1000, 9] };
    // A half alone is lost beside 2²⁴; a chain of 128 of them is 64.
    engine.matmul(ones, halves, { accumulate: true, out });
    expect([...out.data]).toEqual(new Array(45).fill(2 ** 24 + 500));
  });
});
