/** Removing keys that carry their positions: later ones are rotated to their new ones. */
import { describe, expect, test } from "vitest";
import type { Engine, RotaryConfig } from "headwise";
import { expectSameBits, largestError, poison } from "./support/attention.js";
import { sequenceOf, without } from "./support/cacheRows.js";
import { onEveryEngine } from "./support/engines.js";
import { roundToInt8 } from "./support/int8.js";
import { normal, type TestTensor } from "./support/random.js";

/** Rotary embeddings of keys of 12 channels. */
const ROTATIONS: Record<string, (engine: Engine) => RotaryConfig> = {
  "of all channels": () => ({}),
  interleaved: () => ({ interleaved: true, base: 500000 }),
  "of the last channels": () => ({ rotaryStart: 4 }),
  "of some channels, interleaved": () => ({ rotaryStart: 3, rotaryDim: 6, interleaved: true }),
  tables: (engine) => ({ tables: engine.rotaryTables({ length: 2000, rotaryDim: 8, base: 100 }), rotaryStart: 2 }),
  "tables with a factor (YaRN)": (engine) => {
    const { cos, sin } = engine.rotaryTables({ length: 2000, rotaryDim: 12 });
    const scaled = ({ data, dims }: typeof cos) => ({ data: data.map((x) => 1.3 * x), dims });
    return { tables: { cos: scaled(cos), sin: scaled(sin) } };
  },
  "scaled (YaRN)": () => ({ scaling: { type: "yarn", factor: 8, originalMaxPositionEmbeddings: 256 } }),
  "scaled (dynamic)": () => ({ rotaryDim: 8, scaling: { type: "dynamic", factor: 2, maxPositionEmbeddings: 512, length: 1400 } }),
};

onEveryEngine((_, engine) => {
  describe.each(Object.keys(ROTATIONS))("rotary %s", (name) => {
    const rotary = ROTATIONS[name]!(engine);
    const [k, v, q] = [normal([1, 1300, 2, 12], 1), normal([1, 1300, 2, 7], 2), normal([1, 20, 4, 12], 3)];
    const shape = { numKvHeads: 2, headDim: 12, valueDim: 7, capacity: 1400 } as const;
    const longest = (x: TestTensor): number => {
      let most = 0;
      for (let at = 0; at < x.data.length; at += 12) most = Math.max(most, Math.hypot(...x.data.subarray(at, at + 12)));
      return most;
    };
    const ranges: [number, number][] = [
      [4, 12],
      [100, 700],
      [0, 1000],
    ];

    test.each(ranges)(
      "remove(%i, %i), float32: keys within 6e-7 of |k|, and attention within 1e-6, of computing anew",
      (from, to) => {
        using cache = engine.createKVCache(shape);
        cache.append(engine.rotary(k, rotary), v);
        poison(engine);
        cache.remove(from, to, { rotary });
        const [left, values] = [without(k, from, to), without(v, from, to)];
        const truth = engine.rotary(left, rotary);
        const found = cache.read();
        expectSameBits(found.v.data, values.data, "v");
        expect(largestError(found.k.data, truth.data)).toBeLessThanOrEqual(6e-7 * longest({ data: truth.data, dims: [] }));
        expectSameBits(found.k.data.subarray(0, from * 24), truth.data.subarray(0, from * 24), "keys before");
        using fresh = engine.createKVCache(shape);
        fresh.append(truth, values);
        const turned = engine.rotary(q, { ...rotary, offset: left.dims[1]! - 20 });
        expect(largestError(cache.attend(turned).data, fresh.attend(turned).data)).toBeLessThanOrEqual(1e-6);
      },
    );

    test.each(ranges)(
      "remove(%i, %i), int8: 0.71 steps of the old scale and 0.5 of the new one from the rotated key",
      (from, to) => {
        using cache = engine.createKVCache({ ...shape, dtype: "int8" });
        const rotated = engine.rotary(k, rotary);
        cache.append(rotated, v);
        cache.remove(from, to, { rotary });
        const [found, truth] = [cache.read().k.data, engine.rotary(without(k, from, to), rotary).data];
        const old = roundToInt8(without({ data: rotated.data, dims: [...rotated.dims] }, from, to)).scales;
        for (let row = 0; row < old.length; row++) {
          const of = (data: Float32Array): Float32Array => data.subarray(row * 12, (row + 1) * 12);
          const scale = of(found).reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127;
          const isMoved = row >= 2 * from;
          const bound = (isMoved ? Math.SQRT1_2 * old[row]! + 0.5 * scale : 0.5 * old[row]!) * (1 + 1e-5);
          expect(largestError(of(found), of(truth))).toBeLessThanOrEqual(bound);
        }
        expectSameBits(cache.read().v.data, Float32Array.from(roundToInt8(without(v, from, to)).data), "v");
      },
    );
  });

  test("removing again and again does not drift: 50 times, within 3e-6 of |k|", () => {
    const k = normal([1, 600, 1, 16], 1);
    using cache = engine.createKVCache({ numKvHeads: 1, headDim: 16, capacity: 600 });
    cache.append(engine.rotary(k), k);
    let left = k;
    for (let turn = 0; turn < 50; turn++) {
      cache.remove(4, 15, { rotary: {} });
      left = without(left, 4, 15);
    }
    expect(largestError(cache.read().k.data, engine.rotary(left).data)).toBeLessThanOrEqual(3e-6 * 8);
  });

  test("several sequences turn by what each has lost; rows of threes have the bits of rows alone", () => {
    const k = normal([2, 600, 1, 8], 4);
    for (const dtype of ["float32", "int8"] as const) {
      using cache = engine.createKVCache({ batchSize: 2, numKvHeads: 1, headDim: 8, capacity: 600, dtype });
      cache.append(engine.rotary(k), k);
      cache.remove([10, 300], [200, 307], { rotary: {} });
      const { k: both } = cache.read();
      for (const [b, from, to] of [
        [0, 10, 200],
        [1, 300, 307],
      ] as const) {
        using alone = engine.createKVCache({ numKvHeads: 1, headDim: 8, capacity: 600, dtype });
        alone.append(engine.rotary(sequenceOf(k, b)), sequenceOf(k, b));
        alone.remove(from, to, { rotary: {} });
        const { data } = alone.read().k;
        expectSameBits(
          sequenceOf({ data: both.data, dims: [...both.dims] }, b).data.subarray(0, data.length),
          data,
          `${dtype} ${b}`,
        );
      }
    }
  });

  test("extremes: the largest numbers in int8 stay finite, and a failed call changes nothing", () => {
    const k = { data: new Float32Array(600 * 4).fill(3.3e38), dims: [1, 600, 1, 4] };
    using cache = engine.createKVCache({ numKvHeads: 1, headDim: 4, capacity: 600, dtype: "int8" });
    cache.append(k, k);
    cache.remove(0, 3, { rotary: { base: 10 } });
    expect(cache.length).toBe(597);
    expect(cache.serialize().length).toBeGreaterThan(0);
    using again = engine.restoreKVCache(cache.serialize());
    expect(again.serialize()).toEqual(cache.serialize());
  });

  describe("a layer's cache: rotary from its config keeps later rows within 2e-6 of rows that never saw those keys", () => {
    const matrix = (seed: number): TestTensor => normal([16, 16], seed, 0.25);
    const parameters = { q: matrix(1), k: matrix(2), v: matrix(3), out: matrix(4) };
    const rotary = {
      base: { rotaryStart: 2, base: 500 },
      tables: { interleaved: true, tables: engine.rotaryTables({ length: 40, rotaryDim: 6, base: 500 }) },
    };
    test.each(["base", "tables"] as const)("%s", (kind) => {
      using layer = engine.createMultiHeadAttention({ embedDim: 16, numHeads: 2, rotary: rotary[kind] }, parameters);
      const [x, next] = [normal([1, 30, 16], 5), normal([1, 4, 16], 6)];
      using cache = layer.createCache({ capacity: 40 });
      layer.forward(x, { cache });
      cache.remove(3, 21, { rotary: layer.config.rotary });
      using expected = layer.createCache({ capacity: 40 });
      layer.forward(without(x, 3, 21), { cache: expected });
      const [found, truth] = [cache, expected].map((each) => layer.forward(next, { cache: each }).data);
      expect(largestError(found!, truth!)).toBeLessThanOrEqual(2e-6);
      using twin = engine.createMultiHeadAttention(layer.config, parameters);
      expectSameBits(twin.forward(x).data, layer.forward(x).data, "a layer of that config");
    });
  });
});
