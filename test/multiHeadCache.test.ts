/** Keys and values of a multi-head layer that are kept: caches, and a memory projected once. Calls with them have the bits of one call. */
import { describe, expect, test } from "vitest";
import { expectSameBits } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { concatenated, cut, GROUPED, type LayerConfig, randomParameters, sequenceOf } from "./support/layers.js";
import { normal, randomMask } from "./support/random.js";

onEveryEngine((_build, engine) => {
  describe("cached keys", () => {
    const parameters = randomParameters(GROUPED, 5, { biases: true });
    const x = normal([2, 530, 20], 9); // more than a block of keys
    test.each([[[530]], [[1, 2, 3, 505, 17, 1, 1]], [[512, 18]]])("prefill and decoding %j are one call, to the bit", (pieces) => {
      using layer = engine.createMultiHeadAttention(GROUPED, parameters);
      const whole = layer.forward(x, { causal: true });
      using cache = layer.createCache({ batchSize: 2, capacity: 600 });
      let from = 0;
      for (const rows of pieces) {
        const piece = cut(x, from, from + rows);
        expectSameBits(layer.forward(piece, { cache }).data, cut(whole, from, from + rows).data, `rows from ${from}`);
        from += rows;
      }
      expect(cache.lengths).toEqual([530, 530]);
    });

    test.each<[string, LayerConfig["rotary"]]>([
      ["of a base", { base: 100, rotaryDim: 6 }],
      ["of the last channels", { rotaryStart: 2, rotaryDim: 4 }],
      ["of tables", { tables: { cos: normal([530, 3], 4), sin: normal([530, 3], 5) }, interleaved: true }],
    ])("rotary %s continues where the cache ends, to the bit", (_name, rotary) => {
      const config = { ...GROUPED, rotary, qkNorm: true };
      using layer = engine.createMultiHeadAttention(config, randomParameters(config, 5, { norms: true }));
      const whole = layer.forward(x, { causal: true });
      using cache = layer.createCache({ batchSize: 2, capacity: 600 });
      for (const [from, to] of [
        [0, 3],
        [3, 500],
        [500, 529],
        [529, 530],
      ] as const) {
        expectSameBits(layer.forward(cut(x, from, to), { cache }).data, cut(whole, from, to).data, `rows from ${from}`);
      }
      using memory = layer.projectKeys(x);
      expectSameBits(layer.forward(x, { memory, causal: true }).data, whole.data, "memory");
      using smaller = layer.pruneHeads([4, 5]);
      const gated = layer.forward(x, { causal: true, headGates: [1, 1, 1, 1, 0, 0] });
      layer.dispose();
      expectSameBits(smaller.forward(x, { causal: true }).data, gated.data, "pruned");
    });

    test("padding on the left does not shift positions, to the bit", () => {
      const config = { ...GROUPED, rotary: { rotaryDim: 6 } };
      using layer = engine.createMultiHeadAttention(config, parameters);
      const rows = cut(x, 0, 9);
      const padded = { data: new Float32Array(2 * 12 * 20), dims: [2, 12, 20] };
      for (const batch of [0, 1]) padded.data.set(sequenceOf(rows, batch).data, (batch * 12 + 3) * 20);
      const expected = layer.forward(rows, { causal: true });
      const found = layer.forward(rows, { key: padded, keyStarts: [3, 3], causal: true });
      expectSameBits(found.data, expected.data, "out");
    });

    test("sequences of different lengths: queryLengths says how many rows each receives", () => {
      using layer = engine.createMultiHeadAttention(GROUPED, parameters);
      using cache = layer.createCache({ batchSize: 2, capacity: 20 });
      const [first, second] = [cut(x, 0, 5), cut(x, 5, 9)];
      layer.forward(first, { cache, queryLengths: [5, 2] });
      expect(cache.lengths).toEqual([5, 2]);
      const out = layer.forward(second, { cache, queryLengths: [1, 4] });
      expect(cache.lengths).toEqual([6, 6]);
      const shorter = sequenceOf(x, 1);
      const own = concatenated({ ...cut(shorter, 0, 2), dims: [2, 20] }, { ...cut(shorter, 5, 9), dims: [4, 20] });
      const alone = layer.forward(own, { causal: true });
      expectSameBits(sequenceOf(out, 1).data, alone.data.subarray(2 * 20), "sequence 1");
    });

    test("a rolling cache gives what a window gives", () => {
      using layer = engine.createMultiHeadAttention(GROUPED, parameters);
      using cache = layer.createCache({ batchSize: 2, capacity: 120, policy: "rolling", window: 9, sinkTokens: 2 });
      const whole = layer.forward(x, { causal: true, window: 9, sinkTokens: 2 });
      for (const [from, to] of [
        [0, 100],
        [100, 101],
        [101, 210],
      ] as const) {
        expectSameBits(layer.forward(cut(x, from, to), { cache }).data, cut(whole, from, to).data, `rows from ${from}`);
      }
    });

    test("a cache of int8 has the results of attention on its rows", () => {
      using layer = engine.createMultiHeadAttention(GROUPED, parameters);
      using cache = layer.createCache({ batchSize: 2, capacity: 20, dtype: "int8" });
      using other = layer.createCache({ batchSize: 2, capacity: 20, dtype: "int8" });
      const whole = layer.forward(cut(x, 0, 9), { cache });
      layer.forward(cut(x, 0, 8), { cache: other });
      expectSameBits(layer.forward(cut(x, 8, 9), { cache: other }).data, cut(whole, 8, 9).data, "last row");
    });
  });

  describe("projected memory", () => {
    const config = { embedDim: 18, numHeads: 3, kDim: 7, vDim: 9 };
    const parameters = randomParameters(config, 6, { biases: true });
    const [x, key, value] = [normal([2, 5, 18], 1), normal([2, 21, 7], 2), normal([2, 21, 9], 3)];

    test("equals what forward computes from key and value, to the bit", () => {
      using layer = engine.createMultiHeadAttention(config, parameters);
      using memory = layer.projectKeys(key, { value });
      const options = { mask: randomMask([5, 21], 4, 0.6), window: [8, 2] as const };
      expectSameBits(layer.forward(x, { memory }).data, layer.forward(x, { key, value }).data, "all keys");
      expectSameBits(layer.forward(x, { memory, ...options }).data, layer.forward(x, { key, value, ...options }).data, "options");
      expectSameBits(
        layer.forward(cut(x, 3, 4), { memory, queryOffset: 3, window: [1, 2] }).data,
        cut(layer.forward(x, { key, value, queryOffset: 0, window: [1, 2] }), 3, 4).data,
        "a row at its position",
      );
    });

    test("keeps its lengths, and can be forked and reordered", () => {
      using layer = engine.createMultiHeadAttention(config, parameters);
      using memory = layer.projectKeys(key, { value, keyLengths: [21, 4] });
      const expected = layer.forward(x, { key, value, keyLengths: [21, 4] });
      expectSameBits(layer.forward(x, { memory }).data, expected.data, "lengths");
      using beams = memory.fork();
      beams.reorder([1, 1]);
      const both = layer.forward(
        { ...x, data: Float32Array.from([...sequenceOf(x, 1).data, ...sequenceOf(x, 1).data]) },
        { memory: beams },
      );
      expectSameBits(sequenceOf(both, 0).data, sequenceOf(expected, 1).data, "reordered");
    });

    test("includes extra keys", () => {
      const more = { ...config, addZeroAttention: true };
      using layer = engine.createMultiHeadAttention(more, randomParameters(more, 6, { biasKv: true }));
      using memory = layer.projectKeys(key, { value });
      expect(memory.length).toBe(23);
      const options = { causal: true, mask: randomMask([5, 21], 4, 0.6) };
      expectSameBits(
        layer.forward(x, { memory, ...options }).data,
        layer.forward(x, { key, value, ...options }).data,
        "extra keys",
      );
    });
  });
});
