/** Additive, bilinear and cosine attention with every option against the reference: at most twice the error of naive float32, plus 4 ulp. */
import { describe, expect, test } from "vitest";
import type { Layout, ScoreOptions, TensorLike } from "headwise";
import { dimsOf, expectSameBits, parseShape, poison, randomInputs, type Shape } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, randomMask, type TestTensor } from "./support/random.js";
import { checkScore, cosine, inputsFor, randomAdditive, randomBilinear, type Score } from "./support/scores.js";

const SCORES: Record<string, (shape: Shape, seed: number) => Score> = {
  additive: (shape, seed) => randomAdditive(shape, {}, seed),
  "additive, parameters of each head": (shape, seed) => randomAdditive(shape, { perHead: true, hidden: 16 }, seed),
  "additive, projected keys, no bias": (shape, seed) => randomAdditive(shape, { hasKey: false, hasBias: false, hidden: 9 }, seed),
  "additive, relu": (shape, seed) => randomAdditive(shape, { activation: "relu" }, seed),
  "additive, gelu": (shape, seed) => randomAdditive(shape, { activation: "gelu", hidden: 4 }, seed),
  bilinear: (shape, seed) => randomBilinear(shape, 9, false, seed),
  "bilinear, a matrix of each head": (shape, seed) => randomBilinear(shape, 3, true, seed),
  cosine: (shape) => cosine(shape),
};

const bias = (dims: number[], seed: number): TestTensor => {
  const tensor = normal(dims, seed);
  for (let index = 0; index < tensor.data.length; index += 7) tensor.data[index] = -Infinity;
  return tensor;
};

/** Odd sizes on purpose: tails of rows, keys and channels, one block of keys and several. */
const CASES: Record<string, [shape: string, options: (shape: Shape, seed: number) => ScoreOptions]> = {
  "one of each": ["B1-S1-KV1-H1/1-D1", () => ({})],
  "grouped heads": ["B2-S5-KV21-H6/2-D12:5", () => ({})],
  "several blocks": ["B1-S7-KV1030-H2/1-D6:3", () => ({})],
  "layout bhsd, a scale of each head": ["B2-S4-KV19-H2/2-D8", () => ({ layout: "bhsd", scale: [0.3, -2] })],
  "causal, a window and first tokens": ["B1-S20-KV530-H2/1-D5:3", () => ({ causal: true, window: 30, sinkTokens: 3 })],
  "softcap and scale": ["B1-S6-KV30-H2/2-D8", () => ({ softcap: 1.5, scale: 4, scoresStage: "capped" })],
  "scaled, with lengths": [
    "B3-S6-KV30-H2/2-D8:3",
    () => ({ keyLengths: [30, 0, 7], queryLengths: [6, 5, 2], scoresStage: "scaled" }),
  ],
  "lengths, padding and sinks": [
    "B2-S6-KV30-H2/2-D8:3",
    (_, seed) => ({ keyLengths: [30, 9], keyStarts: [2, 5], causal: true, sinks: normal([2], seed) }),
  ],
  "masks and bias": [
    "B2-S9-KV21-H4/2-D8:3",
    ({ seqLen, kvLen, numHeads }, seed) => ({
      mask: randomMask([seqLen, kvLen], seed, 0.5),
      keyMask: randomMask([2, kvLen], seed + 1, 0.8),
      bias: bias([numHeads, 1, kvLen], seed),
    }),
  ],
  "packed sequences": [
    "B1-S30-KV540-H4/2-D8:3",
    () => ({ cuSeqlensQ: [0, 7, 7, 30], cuSeqlensK: [0, 11, 20, 540], causal: true, queryOffset: [2, 0, 490] }),
  ],
  "slopes and a table of distances": [
    "B2-S9-KV25-H4/2-D8:3",
    (_, seed) => ({ alibiSlopes: normal([2, 4], seed, 0.2), relativeBias: normal([4, 11], seed + 1), causal: true }),
  ],
};

/** The same for every build. */
const seedOf = (score: string, name: string): number => 100 * Object.keys(SCORES).indexOf(score) + Object.keys(CASES).indexOf(name);

onEveryEngine((_, engine) => {
  describe.each(Object.entries(SCORES))("%s", (name, scoreOf) => {
    test.each(Object.entries(CASES))("%s", (caseName, [shapeName, optionsOf]) => {
      const shape = parseShape(shapeName);
      const seed = seedOf(name, caseName);
      const score = scoreOf(shape, seed);
      const options = optionsOf(shape, seed);
      poison(engine);
      checkScore(engine, shape, score, inputsFor(shape, score, seed, options.layout as Layout), options);
    });

    test("other layouts and ranks have the bits of this one", () => {
      const shape = parseShape("B2-S5-KV11-H4/2-D8:3");
      const score = scoreOf(shape, 5);
      const inputs = inputsFor(shape, score, 5);
      const truth = score.run(engine, inputs).data;
      const rank3 = ({ data, dims: [batch, rows, heads, channels] }: TestTensor): TestTensor => ({
        data,
        dims: [batch!, rows!, heads! * channels!],
      });
      const { q, k, v } = inputs;
      const flat = score.run(engine, { q: rank3(q), k: rank3(k), v: rank3(v) }, { numHeads: 4, numKvHeads: 2 });
      expect(flat.dims).toEqual([2, 5, 12]);
      expectSameBits(flat.data, truth, "numHeads");
      for (const layout of ["bhsd", "sbhd"] as const) {
        const moved = (x: TestTensor): TestTensor => reordered(x, layout);
        const out = score.run(engine, { q: moved(q), k: moved(k), v: moved(v) }, { layout });
        expectSameBits(out.data, moved({ data: truth, dims: [2, 5, 4, 3] }).data, layout);
      }
    });

    test("rank 2 is one head of one sequence, also with rows apart", () => {
      const shape = parseShape("B1-S5-KV11-H1/1-D8:3");
      const score = scoreOf(shape, 6);
      const inputs = inputsFor(shape, score, 6);
      const flat = ({ data, dims }: TestTensor): TestTensor => ({ data, dims: [dims[1]!, dims[3]!] });
      const { q, k, v } = inputs;
      const out = score.run(engine, { q: flat(q), k: flat(k), v: flat(v) });
      expect(out.dims).toEqual([5, 3]);
      const truth = score.run(engine, inputs).data;
      expectSameBits(out.data, truth, "rank 2");
      const apart = ({ data, dims }: TestTensor): TensorLike => {
        const [rows, width] = [dims[1]!, dims[3]!];
        const padded = new Float32Array(rows * (width + 3)).fill(NaN);
        for (let row = 0; row < rows; row++) padded.set(data.subarray(row * width, (row + 1) * width), row * (width + 3) + 2);
        const inMemory = engine.tensor([padded.length]); // where a view is used in place
        inMemory.data.set(padded);
        return { data: inMemory, dims: [rows, width], strides: [width + 3, 1], offset: 2 };
      };
      const views = { q: apart(q), k: apart(k), v: apart(v) } as unknown as typeof inputs;
      expectSameBits(score.run(engine, views).data, truth, "rows apart");
    });

    test("a row alone, and rows in another order, have the bits of all rows", () => {
      const shape = parseShape("B1-S11-KV530-H4/2-D8:3");
      const score = scoreOf(shape, 7);
      const { q, k, v } = inputsFor(shape, score, 7);
      const all = score.run(engine, { q, k, v }, { causal: true });
      for (const i of [0, 4, 10]) {
        const row = { data: q.data.subarray(i * 32, i * 32 + 32), dims: [1, 1, 4, 8] };
        const alone = score.run(engine, { q: row, k, v }, { causal: true, queryOffset: 519 + i });
        expectSameBits(alone.data, all.data.subarray(i * 12, i * 12 + 12), `row ${i}`);
      }
    });

    test("keys that a row does not see have no influence, whatever they hold", () => {
      const shape = parseShape("B1-S3-KV40-H2/1-D8:3");
      const score = scoreOf(shape, 8);
      const { q, k, v } = inputsFor(shape, score, 8);
      const options = { causal: "upper-left", queryOffset: 20 } as const;
      const truth = score.run(engine, { q, k, v }, options).data;
      for (const value of [NaN, Infinity, -Infinity, 3e38, 1e-40, 0]) {
        const other = { data: k.data.slice(), dims: k.dims };
        other.data.fill(value, 23 * score.kDim);
        expectSameBits(score.run(engine, { q, k: other, v }, options).data, truth, `keys of ${value}`);
        other.data.fill(value, 22 * score.kDim); // the last row sees this one
        expectSameBits(score.run(engine, { q, k: other, v }, options).data.subarray(0, 12), truth.subarray(0, 12), "rows before");
      }
    });

    test("NaN in a row makes that row NaN, and no other", () => {
      const shape = parseShape("B1-S7-KV20-H1/1-D8:3");
      const score = scoreOf(shape, 9);
      const { q, k, v } = inputsFor(shape, score, 9);
      const truth = score.run(engine, { q, k, v }).data;
      q.data[3 * 8 + 1] = NaN;
      const found = score.run(engine, { q, k, v }).data;
      // max(NaN, 0) is NaN too
      expect([...found.subarray(9, 12)]).toEqual([NaN, NaN, NaN]);
      expectSameBits([...found.subarray(0, 9), ...found.subarray(12)], [...truth.subarray(0, 9), ...truth.subarray(12)], "others");
      k.data[0] = NaN;
      expect(score.run(engine, { q, k, v }).data.every(Number.isNaN)).toBe(true);
    });
  });

  test("no keys of distances beside other scores", () => {
    const { q, k, v } = randomInputs(parseShape("B1-S2-KV3-H1/1-D4"), 1);
    expect(() => engine.cosineAttention(q, k, v, { relativeKeys: normal([5, 1, 4], 1) } as never)).toThrow(TypeError);
  });
});

/** [batch, rows, heads, channels] in another order of axes. */
function reordered({ data, dims }: TestTensor, layout: Layout): TestTensor {
  const [batch, rows, heads, channels] = dims as [number, number, number, number];
  const to = dimsOf(layout, batch, rows, heads, channels);
  const sizes = { b: batch, s: rows, h: heads };
  const moved = new Float32Array(data.length);
  for (let b = 0; b < batch; b++) {
    for (let s = 0; s < rows; s++) {
      for (let h = 0; h < heads; h++) {
        const at = { b, s, h };
        const index = Array.from(layout.slice(0, 3)).reduce((sum, axis) => sum * sizes[axis as "b"] + at[axis as "b"], 0);
        const from = ((b * rows + s) * heads + h) * channels;
        moved.set(data.subarray(from, from + channels), index * channels);
      }
    }
  }
  return { data: moved, dims: to };
}
