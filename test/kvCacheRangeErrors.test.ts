/** Refused ranges of a cache's keys, and offsets of rows: the cache stays as it was. */
import { expect, test } from "vitest";
import type { KVCache } from "headwise";
import { expectSameBits } from "./support/attention.js";
import { onEveryBuild } from "./support/builds.js";
import { normal } from "./support/random.js";

onEveryBuild((_, engine) => {
  const x = normal([2, 8, 1, 4], 1);
  const open = (): KVCache => {
    const cache = engine.createKVCache({ batchSize: 2, numKvHeads: 1, headDim: 4, capacity: 20 });
    cache.append(x, x, { keyLengths: [8, 5] });
    return cache;
  };
  const tables = { cos: normal([3, 2], 1), sin: normal([3, 2], 2) };

  test.each<[string, (cache: KVCache) => unknown, new (message: string) => Error, string]>([
    [
      "more keys",
      (c) => c.remove(2, 6),
      RangeError,
      'remove: "from" 2 and "to" 6 must be in order and within the 5 keys of sequence 1',
    ],
    [
      "backwards",
      (c) => c.remove(4, 2),
      RangeError,
      'remove: "from" 4 and "to" 2 must be in order and within the 8 keys of sequence 0',
    ],
    [
      "beyond the length",
      (c) => c.remove(6),
      RangeError,
      'remove: "from" 6 and "to" 5 must be in order and within the 5 keys of sequence 1',
    ],
    ["a fraction", (c) => c.remove(0.5, 2), RangeError, 'remove: "from" must be an integer from 0 to 536870912, got 0.5'],
    ["a negative", (c) => c.remove(0, -2), RangeError, 'remove: "to" must be an integer from 0 to 536870912, got -2'],
    ["text", (c) => c.remove("1" as never, 2), TypeError, 'remove: "from" must be an array of 2 integers, got "1"'],
    ["nothing", (c) => (c.remove as () => void)(), TypeError, 'remove: "from" must be an array of 2 integers, got undefined'],
    [
      "three of two",
      (c) => c.remove([0, 1, 2], 3),
      RangeError,
      'remove: "from" holds 3 elements, expected 2, one for each sequence',
    ],
    [
      "an element",
      (c) => c.remove([0, "1" as never], 3),
      TypeError,
      'remove: "from[1]" must be an integer from 0 to 536870912, got "1"',
    ],
    [
      "an option",
      (c) => c.remove(0, 1, { rotate: {} } as never),
      TypeError,
      'remove: unknown option "rotate"; did you mean "rotary"?',
    ],
    ["rotary", (c) => c.remove(0, 1, { rotary: true as never }), TypeError, 'remove: "rotary" must be an object, got true'],
    [
      "an option of rotary",
      (c) => c.remove(0, 1, { rotary: { offset: 3 } as never }),
      TypeError,
      'remove: unknown option "rotary.offset"; the options are base, scaling, rotaryStart, rotaryDim, interleaved, tables',
    ],
    [
      "too many channels",
      (c) => c.remove(0, 1, { rotary: { rotaryDim: 6 } }),
      RangeError,
      'remove: "rotaryDim" must be an integer from 2 to 4, got 6',
    ],
    [
      "short tables",
      (c) => c.remove(0, 3, { rotary: { tables } }),
      RangeError,
      'remove: "tables" hold 3 positions, expected at least the 3 removed keys + 1 = 4',
    ],
    [
      "tables without angles",
      (c) =>
        c.remove(0, 1, {
          rotary: {
            tables: { cos: { data: new Float32Array(6), dims: [3, 2] }, sin: { data: new Float32Array(6), dims: [3, 2] } },
          },
        }),
      RangeError,
      'remove: "tables" hold no angle at position 1',
    ],
    [
      "more rows to read",
      (c) => c.read(0, [8, 6]),
      RangeError,
      'read: "from" 0 and "to" 6 must be in order and within the 5 keys of sequence 1',
    ],
    [
      "a layout",
      (c) => c.read(0, 1, { layout: "hsbd" as never }),
      RangeError,
      'read: "layout" must be one of "bshd", "bhsd", "sbhd", got "hsbd"',
    ],
    [
      "an option of read",
      (c) => c.read(0, 1, { out: x } as never),
      TypeError,
      'read: unknown option "out"; the only option is layout',
    ],
    [
      "an offset",
      (c) => c.attend(x, { queryOffset: [0] }),
      RangeError,
      'attend: "queryOffset" holds 1 element, expected 2, one for each sequence',
    ],
  ])("refuses %s, and nothing changes", (_name, call, kind, message) => {
    using cache = open();
    const before = [cache.serialize(), engine.info.memory.inUse];
    expect(() => call(cache)).toThrow(new kind(`KVCache.${message}`));
    expect([cache.serialize(), engine.info.memory.inUse]).toEqual(before);
  });

  test("getters that dispose of the cache or change it", () => {
    for (const [act, error] of [
      [(cache: KVCache) => cache.dispose(), new Error("KVCache.remove: this cache has been disposed of")],
      [
        (cache: KVCache) => cache.truncate(2),
        new RangeError('KVCache.remove: "from" 0 and "to" 5 must be in order and within the 2 keys of sequence 0'),
      ],
    ] as const) {
      using cache = open();
      const from = {
        0: 0,
        1: 1,
        get length() {
          act(cache);
          return 2;
        },
      };
      expect(() => cache.remove(from, 5)).toThrow(error);
    }
    using cache = open();
    cache.dispose();
    for (const call of [() => cache.read(), () => cache.remove(0)]) expect(call).toThrow(/this cache has been disposed of$/);
  });

  test("absent is absent", () => {
    using cache = open();
    expectSameBits(cache.read(null, null).k.data, cache.read(0).k.data, "read");
    cache.remove(4, null, { rotary: null as never });
    expect(cache.lengths).toEqual([4, 4]);
  });
});
