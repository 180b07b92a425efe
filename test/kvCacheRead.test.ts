/** Reading the keys and values of a cache. */
import { expect, test } from "vitest";
import { expectSameBits, poison } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { roundToInt8 } from "./support/int8.js";
import { normal, type TestTensor } from "./support/random.js";

onEveryEngine((_, engine) => {
  test.each(["float32", "int8"] as const)(
    "%s: rows as append takes them, in both layouts, and 0 beyond the end of a sequence",
    (dtype) => {
      const shape = { numKvHeads: 2, headDim: 5, valueDim: 11, capacity: 1400, dtype } as const;
      const [keys, values] = [normal([2, 600, 2, 5], 6), normal([2, 600, 2, 11], 7)];
      using cache = engine.createKVCache({ ...shape, batchSize: 2 });
      cache.append(keys, values, { keyLengths: [600, 520] });
      const stored = (x: TestTensor): Float32Array => (dtype === "int8" ? Float32Array.from(roundToInt8(x).data) : x.data);
      poison(engine);
      const all = cache.read();
      expect([all.k.dims, all.v.dims]).toEqual([
        [2, 600, 2, 5],
        [2, 600, 2, 11],
      ]);
      const expected = (x: TestTensor, width: number): Float32Array =>
        stored(x).map((value, index) => (index >= (600 + 520) * width ? 0 : value));
      expectSameBits(all.k.data, expected(keys, 10), "k");
      expectSameBits(all.v.data, expected(values, 22), "v");

      const part = cache.read([510, 0], [515, 2]);
      expect(part.k.dims).toEqual([2, 5, 2, 5]);
      expectSameBits(part.k.data.subarray(0, 50), all.k.data.subarray(510 * 10, 515 * 10), "sequence 0");
      expectSameBits(part.k.data.subarray(50, 70), all.k.data.subarray(6000, 6020), "sequence 1");
      expect(part.k.data.subarray(70).every((x) => x === 0)).toBe(true);

      const turned = cache.read(510, 515, { layout: "bhsd" });
      expect(turned.v.dims).toEqual([2, 2, 5, 11]);
      for (let h = 0; h < 2; h++) {
        for (let i = 0; i < 5; i++) {
          const at = ((510 + i) * 2 + h) * 11;
          expectSameBits(turned.v.data.subarray((h * 5 + i) * 11, (h * 5 + i + 1) * 11), all.v.data.subarray(at, at + 11), "bhsd");
        }
      }
      if (dtype === "float32") {
        using again = engine.createKVCache({ ...shape, batchSize: 2 });
        again.append(all.k, all.v, { keyLengths: cache.lengths });
        expect(again.serialize()).toEqual(cache.serialize());
      }
      expect(cache.read(7, 7).k.dims).toEqual([2, 0, 2, 5]);
      using empty = engine.createKVCache(shape);
      expect(empty.read().v.dims).toEqual([1, 0, 2, 11]);
    },
  );
});
