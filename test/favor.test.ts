/** "favor+": random features whose products estimate exp(q·k / √headDim), and hence softmax attention. */
import { linearAttention as reference, scaledDotProductAttention as softmaxAttention } from "headwise/reference";
import { expect, test } from "vitest";
import { instantiate } from "../src/runtime/instantiate.js";
import { expectSameBits, largestError } from "./support/attention.js";
import { binaryOf, openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { linearInputs, parseLinear } from "./support/linear.js";
import { normal } from "./support/random.js";

const PTR = 2 ** 16;
const PANEL = 8;

/** The projections of a seed [heads, features, headDim], as the kernels draw them. */
function projectionsOf(seed: number, heads: number, features: number, headDim: number) {
  const { kernels, memory } = instantiate("test", binaryOf("simd"), { initialBytes: 2 ** 24, maximumBytes: 2 ** 24 });
  const data = new Float32Array(heads * features * headDim);
  for (let head = 0; head < heads; head++) {
    kernels.randomProjections(PTR, seed, head, features, headDim);
    for (let m = 0; m < features; m++)
      for (let d = 0; d < headDim; d++) {
        const place = (Math.floor(m / PANEL) * headDim + d) * PANEL + (m % PANEL);
        data[(head * features + m) * headDim + d] = memory.f32[PTR / 4 + place]!;
      }
  }
  return { data, dims: [heads, features, headDim] };
}

onEveryEngine((_, engine) => {
  test.each([
    ["B1-S20-KV30-H2/2/2-D5:6", 19, false],
    ["B2-S60-KV60-H4/2/2-D8:8", 40, true],
    ["B1-S9-KV9-H1/1/1-D4:4", 600, true],
  ] as const)("%s, %i features, causal %s: 2e-6 from the definition", (name, features, causal) => {
    const sizes = parseLinear(name);
    const { q, k, v } = linearInputs(sizes, 1);
    const projections = projectionsOf(7, sizes.numKvHeads, features, sizes.headDim);
    const options = { featureMap: "favor+", causal } as const;
    const truth = reference(q, k, v, { ...options, projections });
    const found = engine.linearAttention(q, k, v, { ...options, features, seed: 7 });
    expect(largestError(found.data, truth.data)).toBeLessThan(2e-6);
    expectSameBits(engine.linearAttention(q, k, v, { ...options, features, seed: 7 }).data, found.data, "again");
    const other = engine.linearAttention(q, k, v, { ...options, features, seed: 8 });
    expect(largestError(other.data, found.data)).toBeGreaterThan(1e-3);
  });
});

test("projections: orthogonal in blocks of headDim, as long as normal vectors, different for each head and seed", () => {
  const [features, headDim] = [64, 16];
  const { data } = projectionsOf(1, 2, features, headDim);
  const row = (m: number): Float32Array => data.subarray(m * headDim, (m + 1) * headDim);
  const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, d) => sum + x * b[d]!, 0);
  let squares = 0;
  for (let m = 0; m < features; m++) {
    squares += dot(row(m), row(m));
    for (let n = m - (m % headDim); n < m; n++) expect(Math.abs(dot(row(m), row(n)))).toBeLessThan(1e-4);
  }
  // |ω|² has mean headDim and variance 2 headDim
  expect(Math.abs(squares / features - headDim)).toBeLessThan(4 * Math.sqrt((2 * headDim) / features));
  expect([...row(0)]).not.toEqual([...row(features)]); // of head 1
  expect([...row(0)]).not.toEqual([...projectionsOf(2, 1, features, headDim).data.subarray(0, headDim)]);
  expect([...projectionsOf(1, 1, 20, headDim).data]).toEqual([...data.subarray(0, 20 * headDim)]); // independent of their number
});

test("the estimate of softmax attention converges as 1/√features: error · √features within a factor of 2 from 16 to 4096", () => {
  using engine = openBuild("simd");
  const headDim = 8;
  const [q, k, v] = [normal([40, headDim], 1, 0.6), normal([40, headDim], 2, 0.6), normal([40, 4], 3)]; // short: the variance grows as exp |q + k|²
  for (const causal of [false, true]) {
    const truth = softmaxAttention(q, k, v, { causal }).data;
    const errors = [16, 64, 256, 1024, 4096].map((features) => {
      let sum = 0;
      const seeds = features > 512 ? 8 : 24;
      for (let seed = 0; seed < seeds; seed++) {
        const found = engine.linearAttention(q, k, v, { featureMap: "favor+", features, seed, causal, eps: 0 }).data;
        for (const [index, x] of truth.entries()) sum += (found[index]! - x) ** 2;
      }
      return Math.sqrt(sum / seeds / truth.length) * Math.sqrt(features);
    });
    expect(Math.max(...errors) / Math.min(...errors), errors.map((error) => error.toFixed(2)).join(", ")).toBeLessThan(2);
  }
});
