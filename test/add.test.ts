/** Sums of two tensors: every way to broadcast, exact results, places for results and errors. */
import { describe, expect, test } from "vitest";
import type { EngineTensor, Engine } from "headwise";
import { add as reference } from "headwise/reference";
import { mergedAxes, stridesUnder } from "../src/call/broadcast.js";
import { expectSameBits, poison } from "./support/attention.js";
import { openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, uniform } from "./support/random.js";

interface Numbers {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** The only result: one addition, rounded once. */
function expectSum(engine: Engine, a: Numbers, b: Numbers): void {
  const truth = reference(a, b);
  const what = `[${a.dims.join(", ")}] + [${b.dims.join(", ")}]`;
  const found = engine.add(a, b);
  expect(found.dims, what).toEqual(truth.dims);
  expectSameBits(found.data, truth.data.map(Math.fround), what);
}

const resident = (engine: Engine, { data, dims }: Numbers): EngineTensor<"float32"> => {
  const tensor = engine.tensor(dims);
  tensor.data.set(data);
  return tensor;
};

/** Sizes that broadcast, longer than a unit, and ends of rows within units. */
const PAIRS: readonly [string, number[], number[]][] = [
  ["equal sizes", [3, 5, 701], [3, 5, 701]],
  ["a row", [2, 31, 133], [133]],
  ["a short row", [2, 701, 7], [7]],
  ["a row of 3, in each of 5", [5, 301, 3], [5, 1, 3]],
  ["a row shared by all but one axis", [4, 9, 5, 33], [9, 1, 33]],
  ["columns", [31, 133], [31, 1]],
  ["short columns", [2101, 2], [2101, 1]],
  ["a number", [5, 7, 131], [1]],
  ["no axes", [4099], []],
  ["no axes at all", [], []],
  ["axes of 1 alone", [1, 1], [1, 1, 1]],
  ["axes of 1 between", [3, 1, 701, 1], [1, 3, 1, 701, 1]],
  ["a row and a column", [67, 1], [71]],
  ["axes in turn", [5, 1, 3, 1, 7], [4, 1, 6, 1]],
  ["the first axis alone", [5, 6, 7, 8], [5, 1, 1, 1]],
  ["the middle axes alone", [5, 6, 7, 8], [6, 7, 1]],
  ["outer axes in turn", [2, 3, 2, 3, 2, 130], [2, 1, 2, 1, 2, 130]],
  ["an axis of 0", [3, 0, 5], [5]],
  ["an axis of 0 against 1", [3, 1, 5], [0, 5]],
  ["0 against no axes", [0], []],
];

onEveryEngine((_, engine) => {
  test.each(PAIRS)("exact: %s", (_name, aDims, bDims) => {
    const [a, b] = [normal(aDims, 1), normal(bDims, 2)];
    expectSum(engine, a, b);
    expectSum(engine, b, a);
  });

  test.each([1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 127, 128, 129, 513, 2047, 2048, 2049])(
    "exact: rows, columns and numbers of %i elements",
    (length) => {
      const x = normal([5, length], 3);
      for (const dims of [[5, length], [length], [5, 1], [1]]) expectSum(engine, x, normal(dims, 4));
    },
  );

  test("exact: axes that are broadcast at random, up to 64 of them", () => {
    const next = uniform(5);
    for (let round = 0; round < 60; round++) {
      const rank = round % 2 === 0 ? 64 : 1 + Math.floor(next() * 6);
      const full = Array.from({ length: rank }, () => (next() < 8 / rank ? 2 + Math.floor(next() * 3) : 1));
      const some = (): number[] => {
        const dims = full.map((size) => (next() < 0.4 ? 1 : size));
        return dims.slice(Math.floor(next() * next() * rank));
      };
      expectSum(engine, normal(some(), round), normal(some(), round + 100));
    }
  });

  test("exact: 64 axes, each broadcast in the other tensor than the next", () => {
    const dims = (parity: number): number[] =>
      Array.from({ length: 64 }, (_x, axis) => (axis >= 50 && axis % 2 === parity ? 2 : 1));
    expectSum(engine, normal(dims(0), 6), normal(dims(1), 7));
  });

  test("−0, subnormal numbers, infinities and NaN are those of an addition", () => {
    const special = Float32Array.of(
      0,
      -0,
      1e-45,
      -1e-45,
      1.1754944e-38,
      3.4028235e38,
      -3.4028235e38,
      Infinity,
      -Infinity,
      NaN,
      1,
      16777216,
    );
    const a = { data: special, dims: [special.length, 1] };
    const b = { data: special, dims: [special.length] };
    const expected = Float32Array.from(reference(a, b).data);
    expect(engine.add(a, b).data).toEqual(expected);
    expect(engine.add(b, a).data).toEqual(expected);
  });

  test("float16 is widened, on either side", () => {
    const halves = { type: "float16", data: Uint16Array.of(0x3c00, 0xc000, 0x0001), dims: [3] }; // 1, −2, 2⁻²⁴
    const x = { data: Float32Array.of(0.5, 0.25, 0, 4, 5, 6), dims: [2, 3] };
    const expected = [1.5, -1.75, 2 ** -24, 5, 3, 6 + 2 ** -24].map(Math.fround);
    expectSameBits(engine.add(x, halves).data, expected, "b");
    expectSameBits(engine.add(halves, x).data, expected, "a");
    expectSameBits(engine.add(halves, halves).data, [2, -4, 2 ** -23], "both");
  });

  test("reads and writes nothing beyond its elements, and does not write its inputs", () => {
    const guarded = engine.tensor([64]);
    for (const count of [1, 3, 4, 5, 17, 23]) {
      guarded.data.fill(NaN);
      const x = guarded.data.subarray(20, 20 + count).fill(0.5);
      for (const dims of [[count], [1]]) {
        const out = engine.add({ data: x, dims: [count] }, { data: x.subarray(0, dims[0]), dims });
        expectSameBits(out.data, new Array<number>(count).fill(1), "the sum");
      }
      const expected = Array.from({ length: 64 }, (_x, index) => (index >= 20 && index < 20 + count ? 0.5 : NaN));
      expectSameBits(guarded.data, expected, "its surroundings");
    }
    guarded.dispose();
  });

  test("writes nothing beyond `out` in the engine's memory", () => {
    const [before, out, after] = [engine.tensor([16]), engine.tensor([5, 7]), engine.tensor([16])];
    before.data.fill(3);
    after.data.fill(3);
    expect(engine.add(normal([5, 7], 1), normal([7], 2), { out })).toBe(out);
    expectSameBits(out.data, engine.add(normal([5, 7], 1), normal([7], 2)).data, "out");
    for (const guard of [before, after]) expectSameBits(guard.data, new Array<number>(16).fill(3), "a neighbour");
    for (const tensor of [before, out, after]) tensor.dispose();
  });

  test.each([[[3, 701, 5]], [[5]], [[701, 1]], [[701, 5]], [[1]], [[3, 1, 5]], [[3, 1, 1]]])(
    "`out` may be the larger tensor, whose sum is with one of sizes %j, and an array",
    (dims) => {
      const [x, y] = [normal([3, 701, 5], 8), normal(dims, 9)];
      const expected = reference(x, y).data.map(Math.fround);
      const place = { data: new Float32Array(3 * 701 * 5), dims: [3, 701, 5] };
      expect(engine.add(x, y, { out: place })).toBe(place);
      expectSameBits(place.data, expected, "an array");
      const other = resident(engine, y);
      poison(engine);
      for (const isFirst of [true, false]) {
        const placed = resident(engine, x);
        expect(isFirst ? engine.add(placed, other, { out: placed }) : engine.add(other, placed, { out: placed })).toBe(placed);
        expectSameBits(placed.data, expected, isFirst ? "a" : "b");
        expectSameBits(other.data, y.data, "the other tensor");
        placed.dispose();
      }
      other.dispose();
      expect(engine.info.memory.inUse).toBe(0);
    },
  );

  test("`out` may be both tensors", () => {
    const x = normal([3, 5, 701], 10);
    const placed = resident(engine, x);
    expect(engine.add(placed, placed, { out: placed })).toBe(placed);
    expectSameBits(
      placed.data,
      x.data.map((value) => 2 * value),
      "twice x",
    );
    const array = { data: x.data.slice(), dims: x.dims };
    expect(engine.add(array, array, { out: array })).toBe(array);
    expectSameBits(array.data, placed.data, "an array");
    placed.dispose();
    expect(engine.info.memory.inUse).toBe(0);
  });
});

test.each<[number[], number[], number[][]]>([
  [[4, 5, 6], [4, 5, 6], [[120, 1, 1]]],
  [
    [4, 5, 6],
    [6],
    [
      [20, 6, 0],
      [6, 1, 1],
    ],
  ],
  [[4, 5, 6], [1], [[120, 1, 0]]],
  [
    [4, 5, 1, 6],
    [5, 1, 1],
    [
      [4, 30, 0],
      [5, 6, 1],
      [6, 1, 0],
    ],
  ],
  [
    [4, 1, 6, 1],
    [1, 1, 6, 1],
    [
      [4, 6, 0],
      [6, 1, 1],
    ],
  ],
  [[1, 1], [1], [[1, 0, 0]]],
])("%j + %j has as few axes as can be", (a, b, expected) => {
  const axes = mergedAxes(a, [stridesUnder(a, a.length), stridesUnder(b, a.length)]);
  expect(axes.map(({ size, strides }) => [size, ...strides])).toEqual(expected);
});

describe("mismatches are named", () => {
  const x = normal([2, 3], 1);
  const tensor = '"%" must be a tensor { data, dims } or { shape, dataSync() }, got ';
  const broadcasts = (a: string, b: string): string =>
    `"a" and "b" have dims ${a} and ${b}, expected equal sizes or 1, aligned to the right`;
  test.each<[unknown, unknown, object, typeof Error, string]>([
    [3, x, {}, TypeError, `${tensor.replace("%", "a")}3`],
    [x, undefined, {}, TypeError, `${tensor.replace("%", "b")}undefined`],
    [
      x,
      { data: new Uint8Array(3), dims: [3] },
      {},
      TypeError,
      '"b.data" must be a Float32Array, Float64Array, Float16Array or array of numbers, or a Uint16Array with type "float16" or "bfloat16", got Uint8Array(3)',
    ],
    [x, normal([2], 1), {}, RangeError, broadcasts("[2, 3]", "[2]")],
    [x, normal([3, 2], 1), {}, RangeError, broadcasts("[2, 3]", "[3, 2]")],
    [normal([0], 1), x, {}, RangeError, broadcasts("[0]", "[2, 3]")],
    [x, normal([0], 1), {}, RangeError, broadcasts("[2, 3]", "[0]")],
    [x, x, { out: normal([6], 1) }, RangeError, '"out" has dims [6], expected [2, 3] (as a and b broadcast)'],
    [normal([3], 1), x, { out: normal([3], 1) }, RangeError, '"out" has dims [3], expected [2, 3] (as a and b broadcast)'],
    [x, x, { place: x }, TypeError, 'unknown option "place"; the only option is out'],
    [x, x, [], TypeError, '"options" must be an object, got an array of 0'],
  ])("%#", (a, b, options, Kind, message) => {
    using engine = openBuild("simd");
    expect(() => engine.add(a as typeof x, b as typeof x, options)).toThrow(new Kind(`add: ${message}`));
    expect(engine.info.memory.inUse).toBe(0);
  });

  test("a result that overlaps a tensor, but is not that tensor", () => {
    using engine = openBuild("simd");
    const out = engine.tensor([1, 3]);
    const b = out.reshape([3]);
    expect(() => engine.add(x, b, { out: engine.tensor([2, 3]) })).not.toThrow();
    const problem = 'add: "out" overlaps "b" in the engine\'s memory; only the tensor "a" or "b" itself may be overwritten';
    expect(() => engine.add(normal([1, 3], 1), b, { out })).toThrow(new RangeError(problem));
    engine.dispose();
    expect(() => engine.add(x, x)).toThrow(new Error("add: the engine has been disposed of"));
  });
});
