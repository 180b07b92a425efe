/** The relative bias of T5: the buckets of its implementations, also at their borders. */
import { describe, expect, test } from "vitest";
import { t5RelativeBias, type T5RelativeBiasOptions } from "headwise";
import { normal } from "./support/random.js";

/** The bucket of each distance from −(length − 1) on, found by an embedding that holds 1 more than the bucket's number. */
function bucketsOf(buckets: number, options: T5RelativeBiasOptions): number[] {
  const embedding = { data: Float32Array.from({ length: buckets }, (_, bucket) => bucket + 1), dims: [buckets, 1] };
  return Array.from(t5RelativeBias(embedding, options).data, (bias) => bias - 1);
}

/** _relative_position_bucket of Hugging Face transformers, each operation rounded to float32 as there. */
function implemented(distance: number, buckets: number, isBothWays: boolean, maxDistance: number): number {
  const inDirection = isBothWays ? buckets / 2 : buckets;
  const base = isBothWays && distance > 0 ? inDirection : 0;
  const far = isBothWays ? Math.abs(distance) : -Math.min(distance, 0);
  const exact = Math.floor(inDirection / 2);
  if (far < exact) return base + far;
  const ratio = Math.fround(Math.fround(Math.log(Math.fround(far / exact))) / Math.fround(Math.log(maxDistance / exact)));
  return base + Math.min(exact + Math.trunc(Math.fround(ratio * (inDirection - exact))), inDirection - 1);
}

describe("buckets", () => {
  test("both ways, 32 buckets up to 128: the borders are 8 · 2^(t/2)", () => {
    const buckets = bucketsOf(32, { length: 200 });
    const firsts = Array.from({ length: 16 }, (_, bucket) => 199 - buckets.lastIndexOf(bucket));
    expect(firsts).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]);
    const after = Array.from({ length: 15 }, (_, index) => buckets.indexOf(17 + index) - 199);
    expect(after).toEqual(firsts.slice(1));
    expect(buckets).not.toContain(16); // the distance 0 is in bucket 0
  });

  test("one way: keys after the row are in bucket 0", () => {
    const buckets = bucketsOf(32, { length: 150, bidirectional: false });
    expect(buckets.slice(149)).toEqual(new Array(150).fill(0));
    expect(buckets.slice(149 - 16, 149)).toEqual([16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect(buckets[149 - 128]).toBe(31);
    expect(buckets[0]).toBe(31);
  });

  test.each([8, 16, 20, 32, 40, 64, 128, 256])("%i buckets ≡ Hugging Face's float32, for each distance", (buckets) => {
    for (const isBothWays of [true, false]) {
      for (const maxDistance of [100, 128, 129, 256, 800, 1000]) {
        if (maxDistance <= (isBothWays ? buckets / 4 : buckets / 2)) continue;
        const length = maxDistance + 10;
        const found = bucketsOf(buckets, { length, bidirectional: isBothWays, maxDistance });
        for (const [index, bucket] of found.entries()) {
          const expected = implemented(index - length + 1, buckets, isBothWays, maxDistance);
          if (bucket !== expected) expect.fail(`distance ${index - length + 1} of ${maxDistance}: ${bucket}, expected ${expected}`);
        }
      }
    }
  });

  test("distances that are borders are in the next bucket, also where float64 falls short", () => {
    expect((Math.log(8 / 4) / Math.log(128 / 4)) * 5).toBeLessThan(1); // 4 · 32^(1/5) is 8
    const buckets = bucketsOf(18, { length: 200 });
    expect([4, 5, 6, 7, 8].map((bucket) => 199 - buckets.lastIndexOf(bucket))).toEqual([4, 8, 16, 32, 64]);
  });
});

test("each head has its column of the embedding", () => {
  const embedding = normal([8, 3], 1);
  const { type, data, dims } = t5RelativeBias(embedding, { length: 20, maxDistance: 16 });
  expect([type, dims]).toEqual(["float32", [3, 39]]);
  const buckets = bucketsOf(8, { length: 20, maxDistance: 16 });
  for (const [index, bias] of data.entries()) {
    expect(bias).toBe(embedding.data[buckets[index % 39]! * 3 + Math.floor(index / 39)]);
  }
});

test("short sequences have the middle of longer ones; absent options are the defaults", () => {
  const embedding = normal([32, 2], 2);
  const long = t5RelativeBias(embedding, { length: 300, bidirectional: null, maxDistance: undefined }).data;
  for (const length of [1, 2, 9, 100]) {
    const { data } = t5RelativeBias(embedding, { length });
    const distances = 2 * length - 1;
    for (const h of [0, 1]) {
      const middle = h * 599 + 300 - length;
      expect(data.slice(h * distances, (h + 1) * distances)).toEqual(long.slice(middle, middle + distances));
    }
  }
});

test("an embedding may be an array, float64, bfloat16 or a view", () => {
  const numbers = [0, 1, 2, 3, 4, 5, 6, 7];
  const expected = t5RelativeBias({ data: Float32Array.from(numbers), dims: [8, 1] }, { length: 9 });
  const bits = Uint16Array.from(numbers, (x) => new Uint32Array(Float32Array.of(x).buffer)[0]! >>> 16);
  const spaced = { data: Float32Array.from(numbers.flatMap((x) => [NaN, x])), dims: [8, 1], strides: [2, 1], offset: 1 };
  for (const embedding of [
    { data: numbers, dims: [8, 1] },
    { data: Float64Array.from(numbers), dims: [8, 1] },
    { data: bits, dims: [8, 1], type: "bfloat16" },
    spaced,
  ]) {
    expect(t5RelativeBias(embedding as never, { length: 9 })).toEqual(expected);
  }
});

describe("refuses", () => {
  const zeros = (...dims: number[]) => ({ data: new Float32Array(dims.reduce((a, b) => a * b, 1)), dims });
  test.each<[string, unknown, object | undefined, ErrorConstructor, string]>([
    ["no options", zeros(32, 2), undefined, TypeError, '"length" is missing, expected an integer from 1 to 536870912'],
    ["length 0", zeros(32, 2), { length: 0 }, RangeError, '"length" must be an integer from 1 to 536870912, got 0'],
    ["no embedding", null, { length: 3 }, TypeError, '"embedding" must be a tensor'],
    ["one axis", zeros(32), { length: 3 }, RangeError, '"embedding" has dims [32], expected [buckets, numHeads]'],
    ["three axes", zeros(32, 1, 1), { length: 3 }, RangeError, '"embedding" has dims [32, 1, 1], expected [buckets, numHeads]'],
    [
      "odd buckets",
      zeros(5, 2),
      { length: 3 },
      RangeError,
      '"embedding" has 5 buckets, expected an even number from 4 to 1024 (dims [5, 2])',
    ],
    [
      "one bucket",
      zeros(1, 2),
      { length: 3, bidirectional: false },
      RangeError,
      '"embedding" has 1 bucket, expected a number from 2 to 1024 (dims [1, 2])',
    ],
    [
      "maxDistance 8",
      zeros(32, 2),
      { length: 3, maxDistance: 8 },
      RangeError,
      '"maxDistance" must be an integer from 9 to 536870912, got 8',
    ],
    ["bidirectional 1", zeros(32, 2), { length: 3, bidirectional: 1 }, TypeError, '"bidirectional" must be true or false, got 1'],
    ["too large", zeros(32, 2), { length: 2 ** 28 }, RangeError, "a bias of dims [2, 536870911] has more than 268435456 elements"],
    [
      "short data",
      { data: new Float32Array(5), dims: [4, 2] },
      { length: 3 },
      RangeError,
      '"embedding" holds 5 elements, expected 4 × 2 = 8',
    ],
    [
      "float16",
      { data: new Uint16Array(8), dims: [4, 2], type: "float16" },
      { length: 3 },
      TypeError,
      '"embedding.data" must be a Float32Array, Float64Array or array of numbers, or a Uint16Array with type "bfloat16", got',
    ],
    ["num_buckets", zeros(32, 2), { length: 3, numBuckets: 32 }, TypeError, 'unknown option "numBuckets"'],
  ])("%s", (_, embedding, options, kind, message) => {
    const call = (): unknown => t5RelativeBias(embedding as never, options as never);
    expect(call).toThrow(kind);
    expect(call).toThrow(`t5RelativeBias: ${message}`);
  });
});
