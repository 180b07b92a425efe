/** Looks at weights: what they are, to the bit, for the weights of the same call; parity with the reference; extremes; and places. */
import { describe, expect, test } from "vitest";
import type { AttentionOptions, Engine, MultiHeadAttention, WeightsRange } from "headwise";
import { expectSameBits, parseShape, randomInputs, type Shape } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { valueOfFloat16 } from "./support/halves.js";
import { randomParameters } from "./support/layers.js";
import { expectLooksNear, expectLooksOf, lookPlaces, weightPlaces } from "./support/looks.js";
import { normal, randomMask } from "./support/random.js";

type Options = (shape: Shape, seed: number) => AttentionOptions;

const hiding = (dims: number[], seed: number) => {
  const bias = normal(dims, seed);
  for (let index = 0; index < bias.data.length; index += 3) bias.data[index] = -Infinity;
  return bias;
};

/** Shapes with odd sizes on purpose, and one block of keys or several; the numbers of keys are below, at and above those seen. */
const CASES: readonly [name: string, shape: string, count: number, options: Options][] = [
  ["one row, one key", "B1-S1-KV1-H1/1-D1", 1, () => ({})],
  ["more keys than there are", "B2-S5-KV7-H3/3-D5", 9, () => ({})],
  ["as many keys as there are", "B1-S9-KV20-H2/2-D12", 20, () => ({})],
  ["the largest alone", "B1-S9-KV530-H2/2-D12", 1, () => ({})],
  ["one block", "B2-S63-KV100-H6/2-D80", 8, () => ({})],
  ["two blocks and a tail", "B1-S17-KV1030-H2/1-D16", 5, () => ({})],
  ["more keys than eighths", "B1-S7-KV1100-H1/1-D8", 40, () => ({})],
  ["layouts", "B3-S4-KV13-H4/2-D7:9", 3, () => ({ layout: "bhsd" })],
  ["causal", "B2-S40-KV40-H4/2-D16", 8, () => ({ causal: true })],
  ["causal, rows without keys", "B1-S40-KV13-H2/2-D16", 4, () => ({ causal: true })],
  ["causal, several blocks", "B1-S600-KV600-H1/1-D8", 8, () => ({ causal: true })],
  ["window and sink tokens", "B1-S30-KV1100-H4/2-D16", 6, () => ({ window: 4, causal: true, sinkTokens: 3 })],
  ["softcap", "B1-S11-KV30-H2/2-D24", 4, () => ({ softcap: 2 })],
  ["scales", "B1-S11-KV30-H2/2-D24", 4, () => ({ scale: [0.2, 3] })],
  ["bias", "B2-S9-KV21-H4/2-D8", 5, ({ seqLen, kvLen }, seed) => ({ bias: hiding([seqLen, kvLen], seed) })],
  ["mask", "B2-S9-KV600-H4/2-D8", 5, ({ seqLen, kvLen }, seed) => ({ mask: randomMask([seqLen, kvLen], seed, 0.01) })],
  ["keyMask", "B2-S9-KV21-H4/2-D8", 5, ({ batchSize, kvLen }, seed) => ({ keyMask: randomMask([batchSize, kvLen], seed, 0.4) })],
  ["sinks", "B2-S9-KV21-H4/2-D8", 5, ({ numHeads }, seed) => ({ sinks: normal([numHeads], seed, 3), causal: true })],
  ["lengths", "B3-S9-KV21-H4/2-D8", 5, () => ({ queryLengths: [9, 4, 0], keyLengths: [21, 0, 13], causal: true })],
  ["keyStarts", "B3-S9-KV21-H4/2-D8", 5, () => ({ keyStarts: [0, 17, 21] })],
  ["packed", "B1-S20-KV24-H4/2-D8", 5, () => ({ cuSeqlensQ: [0, 7, 7, 19, 20], cuSeqlensK: [0, 9, 12, 12, 24], causal: true })],
];

onEveryEngine((_, engine) => {
  describe.each(CASES)("looks: %s", (_, name, count, optionsOf) => {
    const shape = parseShape(name);
    const seed = 11;
    const inputs = randomInputs(shape, seed, optionsOf(shape, seed).layout ?? "bshd");
    const { q, k, v } = inputs;
    const options = optionsOf(shape, seed);

    test("are what the weights of the call say, and change no bit of the output", () => {
      const [looks, weights] = [lookPlaces(shape, count), weightPlaces(shape)];
      const plain = engine.scaledDotProductAttention(q, k, v, options);
      const out = engine.scaledDotProductAttention(q, k, v, { ...options, ...looks, ...weights });
      expectSameBits(out.data, plain.data, "out");
      expectLooksOf(looks, weights);
    });

    test("are near the reference, and the same each alone", () => {
      const [looks, alone] = [lookPlaces(shape, count), lookPlaces(shape, count)];
      engine.scaledDotProductAttention(q, k, v, { ...options, ...looks });
      expectLooksNear(looks, inputs, shape, options);
      for (const [look, place] of Object.entries(alone)) engine.scaledDotProductAttention(q, k, v, { ...options, [look]: place });
      expectSameBits(alone.topKeys.indices.data, looks.topKeys.indices.data, "indices");
      expectSameBits(alone.topKeys.weights.data, looks.topKeys.weights.data, "largest weights");
      for (const look of ["entropy", "largestWeight", "keyWeights"] as const) {
        expectSameBits(alone[look].data, looks[look].data, look);
      }
    });
  });
});

/** A layer with a key after all others, which every row sees. */
function layerOf(engine: Engine): MultiHeadAttention {
  const config = { embedDim: 16, numHeads: 4, numKvHeads: 2 };
  return engine.createMultiHeadAttention(config, randomParameters(config, 4, { biasKv: true }));
}

/** A call of one head on keys of one channel, whose scores are the keys. */
const scoresOf = (...keys: number[]) => {
  const k = { data: Float32Array.from(keys), dims: [keys.length, 1] };
  return { q: { data: Float32Array.of(1), dims: [1, 1] }, k, v: { data: new Float32Array(keys.length), dims: [keys.length, 1] } };
};
const places = (rows: number, kvLen: number, count: number) => {
  const place = (...dims: number[]) => ({ data: new Float32Array(dims.reduce((a, b) => a * b)).fill(7), dims });
  const topKeys = { indices: place(rows, count), weights: place(rows, count) };
  return { topKeys, entropy: place(rows), largestWeight: place(rows), keyWeights: place(kvLen) };
};

onEveryEngine((_, engine) => {
  describe("looks at extremes", () => {
    const look = (keys: number[], count: number, options: AttentionOptions = {}) => {
      const { q, k, v } = scoresOf(...keys);
      const looks = places(1, keys.length, count);
      engine.scaledDotProductAttention(q, k, v, { scale: 1, ...options, ...looks });
      return {
        indices: [...looks.topKeys.indices.data],
        weights: [...looks.topKeys.weights.data],
        entropy: looks.entropy.data[0]!,
        largestWeight: looks.largestWeight.data[0]!,
        keyWeights: [...looks.keyWeights.data],
      };
    };

    test("equal weights: the lower key first, across eighths and blocks", () => {
      const equal = look(new Array<number>(1024).fill(0.5), 10);
      expect(equal.indices).toEqual([...Array(10).keys()]);
      expect(equal.weights).toEqual(new Array<number>(10).fill(1 / 1024));
      expect(equal.entropy).toBeCloseTo(Math.log(1024), 5);
      const keys = new Array<number>(1100).fill(0);
      for (const key of [70, 200, 513, 1099]) keys[key] = 2;
      expect(look(keys, 6).indices).toEqual([70, 200, 513, 1099, 0, 1]);
    });

    test("visible keys whose weights are 0 follow, hidden ones do not", () => {
      const { indices, weights, entropy } = look([-500, -400, 0, -300, -600], 5, {
        mask: { data: Uint8Array.of(1, 0, 1, 1, 1), dims: [5] },
      });
      expect(indices).toEqual([2, 0, 3, 4, -1]);
      expect(weights).toEqual([1, 0, 0, 0, 0]);
      expect(entropy).toBe(0);
    });

    test("scores farther apart than float32 reaches, in one block and across blocks", () => {
      const far = [1.5e38, -1.5e38];
      expect(look(far, 2)).toEqual({ indices: [0, 1], weights: [1, 0], entropy: 0, largestWeight: 1, keyWeights: [1, 0] });
      const rising = new Array<number>(600).fill(-1.5e38);
      rising[599] = 1.5e38;
      expect(look(rising, 2)).toMatchObject({ indices: [599, 0], weights: [1, 0], entropy: 0, largestWeight: 1 });
    });

    test("a row that is NaN has no largest keys, and gives NaN to the keys that it sees", () => {
      for (const wrong of [NaN, Infinity]) {
        const mask = { data: Uint8Array.of(1, 1, 0, 1), dims: [4] };
        expect(look([1, wrong, 5, 2], 2, { mask })).toEqual({
          ...{ indices: [-1, -1], weights: [NaN, NaN], entropy: NaN, largestWeight: NaN },
          keyWeights: [NaN, NaN, 0, NaN],
        });
        const hidden = { data: Uint8Array.of(1, 0, 1, 1), dims: [4] };
        expect(look([1, wrong, 5, 2], 2, { mask: hidden })).toMatchObject({ indices: [2, 3] });
      }
    });

    test("a NaN value, which has no part in weights, changes none", () => {
      const { q, k, v } = scoresOf(1, 3, 2);
      const looks = places(1, 3, 2);
      engine.scaledDotProductAttention(q, k, { ...v, data: v.data.fill(NaN) }, { ...looks, scale: 1 });
      expect([...looks.topKeys.indices.data]).toEqual([1, 2]);
      expect([...looks.keyWeights.data].reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    });

    test("sinks take from the weights, which then do not sum to 1: one below, one far above, one −∞", () => {
      for (const sink of [0, 8, -Infinity, 300]) {
        const { entropy, largestWeight } = look([1, 2], 2, { sinks: { data: Float32Array.of(sink), dims: [1] } });
        const sum = Math.exp(1 - 2) + 1 + Math.exp(sink - 2);
        const weights = [Math.exp(1 - 2) / sum, 1 / sum];
        expect(largestWeight).toBeCloseTo(weights[1]!, 6);
        expect(entropy).toBeCloseTo(
          weights.reduce((most, w) => most - (w === 0 ? 0 : w * Math.log(w)), 0),
          6,
        );
      }
    });

    test("no keys, no queries: indices −1, and everything else 0", () => {
      expect(look([], 2)).toEqual({ indices: [-1, -1], weights: [0, 0], entropy: 0, largestWeight: 0, keyWeights: [] });
      const { k, v } = scoresOf(1, 2, 3);
      const { keyWeights } = places(1, 3, 1);
      engine.scaledDotProductAttention({ data: new Float32Array(0), dims: [0, 1] }, k, v, { keyWeights });
      expect([...keyWeights.data]).toEqual([0, 0, 0]);
    });
  });

  describe("looks elsewhere", () => {
    const shape = parseShape("B3-S9-KV700-H4/2-D12");

    test.each(["float32", "int8"] as const)("a cache of %s: what its weights say", (dtype) => {
      const { q, k, v } = randomInputs(shape, 5);
      const { batchSize, numKvHeads, headDim } = shape;
      const cache = engine.createKVCache({ batchSize, numKvHeads, headDim, capacity: 700, dtype });
      cache.append(k, v, { keyLengths: [700, 530, 3] });
      for (const options of [{ causal: false }, { queryLengths: [9, 1, 3] }]) {
        const [looks, weights] = [lookPlaces(shape, 8), weightPlaces(shape)];
        const out = cache.attend(q, { ...options, ...looks, ...weights });
        expectLooksOf(looks, weights);
        expectSameBits(out.data, cache.attend(q, options).data, "out");
      }
      cache.dispose();
    });

    test("decoding one token on many keys, where threads share its keys: entropy and the largest weight have the same bits", () => {
      const one = { ...shape, batchSize: 1, seqLen: 1 };
      const { q, k, v } = randomInputs(one, 6);
      const cache = engine.createKVCache({ numKvHeads: 2, headDim: 12, capacity: 700 });
      cache.append(k, v);
      const [split, whole] = [lookPlaces(one, 1), { ...lookPlaces(one, 1), ...weightPlaces(one) }];
      cache.attend(q, { entropy: split.entropy, largestWeight: split.largestWeight });
      cache.attend(q, whole);
      expectSameBits(split.entropy.data, whole.entropy.data, "entropy");
      expectSameBits(split.largestWeight.data, whole.largestWeight.data, "largest weight");
      cache.dispose();
    });

    test("an entry has the bits that it has alone", () => {
      const { q, k, v } = randomInputs(shape, 7);
      const [all, alone] = [lookPlaces(shape, 5), lookPlaces({ ...shape, batchSize: 1 }, 5)];
      engine.scaledDotProductAttention(q, k, v, all);
      const last = ({ data, dims }: typeof q) => ({ data: data.slice((data.length / 3) * 2), dims: [1, ...dims.slice(1)] });
      engine.scaledDotProductAttention(last(q), last(k), last(v), alone);
      expectSameBits(last(all.keyWeights).data, alone.keyWeights.data, "keyWeights");
      expectSameBits(last(all.entropy).data, alone.entropy.data, "entropy");
      expectSameBits(last(all.topKeys.indices).data, alone.topKeys.indices.data, "indices");
    });

    test("weightsRange: the weights of some heads and rows, to the bit", () => {
      const { q, k, v } = randomInputs(shape, 8);
      const { weights } = weightPlaces(shape);
      engine.scaledDotProductAttention(q, k, v, { weights });
      const ranges: WeightsRange[] = [
        { heads: [1, 3], rows: [2, 9] },
        { heads: [3, 4] },
        { rows: [0, 1] },
        { heads: [2, 2], rows: [5, 5] },
      ];
      for (const weightsRange of ranges) {
        const [heads, rows] = [weightsRange.heads ?? [0, 4], weightsRange.rows ?? [0, 9]];
        const part = normal([3, heads[1] - heads[0], rows[1] - rows[0], 700], 9);
        engine.scaledDotProductAttention(q, k, v, { weights: part, weightsRange });
        const expected = weights.data.filter((_, index) => {
          const [h, i] = [Math.floor(index / (9 * 700)) % 4, Math.floor(index / 700) % 9];
          return h >= heads[0] && h < heads[1] && i >= rows[0] && i < rows[1];
        });
        expectSameBits(part.data, expected, `heads ${heads.join("–")}, rows ${rows.join("–")}`);
      }
    });

    test("a layer: all looks, of keys that come after packed sequences too", () => {
      const layer = layerOf(engine);
      const x = normal([1, 11, 16], 3);
      const given = { cuSeqlensQ: [0, 4, 11], causal: true } as const;
      const sizes = { ...parseShape("B1-S11-KV12-H4/2-D4") };
      const [looks, weights] = [lookPlaces(sizes, 3), weightPlaces(sizes)];
      layer.forward(x, { ...given, ...looks, ...weights });
      expectLooksOf(looks, weights);
      expect(Math.min(...looks.keyWeights.data.subarray(11, 12))).toBeGreaterThan(0);
      layer.dispose();
    });

    test("places in float16 and in the engine's memory", () => {
      const { q, k, v } = randomInputs(shape, 12);
      const looks = lookPlaces(shape, 3);
      engine.scaledDotProductAttention(q, k, v, looks);
      const { indices, weights } = looks.topKeys;
      const half = { data: new Uint16Array(indices.data.length), type: "float16", dims: indices.dims } as const;
      const tensor = engine.tensor(weights.dims);
      engine.scaledDotProductAttention(q, k, v, { topKeys: { indices: half, weights: tensor } });
      expectSameBits(tensor.data, weights.data, "weights");
      expectSameBits(Array.from(half.data, valueOfFloat16), indices.data, "indices");
      tensor.dispose();
    });
  });
});
