/** Attention of rows at any positions on the keys of a cache. */
import { expect, test } from "vitest";
import { expectSameBits, largestError } from "./support/attention.js";
import { cutRows } from "./support/cacheRows.js";
import { onEveryEngine } from "./support/engines.js";
import { normal } from "./support/random.js";

const DTYPES = ["float32", "int8"] as const;

onEveryEngine((_, engine) => {
  test.each(DTYPES)("attend with queryOffset, %s: rows at any positions", (dtype) => {
    const [k, v, q] = [normal([2, 600, 2, 8], 1), normal([2, 600, 2, 8], 2), normal([2, 9, 4, 8], 3)];
    using cache = engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim: 8, capacity: 600, dtype });
    cache.append(k, v, { keyLengths: [600, 30] });
    const stored = cache.read();
    const last = cache.attend(q);
    expectSameBits(cache.attend(q, { queryOffset: [591, 21] }).data, last.data, "the default, said aloud");
    for (const [queryOffset, options] of [
      [5, {}],
      [[520, 0], { window: 30, sinkTokens: 2 }],
      [[0n, 28n], {}],
      [-4, {}],
      [[700, -3], { causal: false, window: 5 }],
    ] as const) {
      const found = cache.attend(q, { queryOffset, ...options });
      const keyLengths = [600, 30];
      const truth = engine.scaledDotProductAttention(q, stored.k, stored.v, { queryOffset, keyLengths, causal: true, ...options });
      if (dtype === "float32") expectSameBits(found.data, truth.data, JSON.stringify(options));
      else expect(largestError(found.data, truth.data)).toBeLessThanOrEqual(2e-3);
    }
  });

  test.each(DTYPES)("attend without causal, %s: more rows than keys", (dtype) => {
    const [k, v, q] = [normal([1, 3, 1, 8], 1), normal([1, 3, 1, 8], 2), normal([1, 10, 2, 8], 3)];
    using cache = engine.createKVCache({ numKvHeads: 1, headDim: 8, capacity: 9, dtype });
    cache.append(k, v);
    const stored = cache.read();
    for (const options of [{}, { window: 2 }, { queryOffset: 1, window: [1, 0] }] as const) {
      const found = cache.attend(q, { causal: false, ...options });
      const truth = engine.scaledDotProductAttention(q, stored.k, stored.v, options);
      if (dtype === "float32") expectSameBits(found.data, truth.data, JSON.stringify(options));
      else expect(largestError(found.data, truth.data)).toBeLessThanOrEqual(2e-3);
    }
    for (let i = 0; i < 10; i++) {
      const row = cache.attend(cutRows(q, i, i + 1), { causal: false });
      expectSameBits(row.data, cache.attend(q, { causal: false }).data.subarray(i * 16, i * 16 + 16), `row ${i} alone`);
    }
    expect(() => cache.attend(q)).toThrow(
      new RangeError('KVCache.attend: "q" has 10 rows of sequence 0, which has 3 keys; append their keys first'),
    );
    expect(
      cache
        .attend(q, { queryOffset: -7 })
        .data.subarray(0, 7 * 16)
        .every((x) => x === 0),
    ).toBe(true);
  });
});
