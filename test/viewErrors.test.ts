/** Views, rows and orders that are refused. */
import { describe, expect, test } from "vitest";
import type { PlaceTensor, TensorLike } from "headwise";
import { notMask } from "headwise";
import { openBuild } from "./support/builds.js";
import { k, q, v } from "./support/everyOperation.js";
import { eighths, normal, type TestTensor } from "./support/random.js";

describe("refused", () => {
  const engine = openBuild("simd");
  const data = new Float32Array(30);
  const soften = (given: object, options: object = {}) => engine.softmax(given as TensorLike, options);
  const dims = [2, 3];
  const reaches = (problem: string) => new RangeError(`softmax: "x" holds 30 elements, expected more than ${problem}`);
  const whole = `must be an integer from 0 to ${Number.MAX_SAFE_INTEGER}, got`;
  test.each<[given: object, error: Error]>([
    [{ strides: [27, 1], offset: 1 }, reaches("1 + 1 × 27 + 2 × 1")],
    [{ offset: 25 }, reaches("25 + 1 × 3 + 2 × 1")],
    [{ strides: [15, 8] }, reaches("0 + 1 × 15 + 2 × 8")],
    [
      { strides: [2 ** 53 - 1, 2 ** 53 - 1], offset: 2 ** 53 - 1 },
      reaches("9007199254740991 + 1 × 9007199254740991 + 2 × 9007199254740991"),
    ],
    [{ strides: [3, -1], offset: 2 }, new RangeError(`softmax: "x.strides[1]" ${whole} -1`)],
    [{ strides: [3, 0.5] }, new RangeError(`softmax: "x.strides[1]" ${whole} 0.5`)],
    [{ strides: [3, "1"] }, new TypeError(`softmax: "x.strides[1]" ${whole} "1"`)],
    [{ strides: [3] }, new RangeError('softmax: "x.strides" holds 1 element, expected 2, one for each axis')],
    [
      { strides: { length: 2 ** 31 } },
      new RangeError('softmax: "x.strides" has length 2147483648, expected an integer from 0 to 16777216'),
    ],
    [{ strides: 3 }, new TypeError('softmax: "x.strides" must be an array of 2 integers, got 3')],
    [{ offset: -1 }, new RangeError(`softmax: "x.offset" ${whole} -1`)],
    [{ offset: 2n ** 60n }, new RangeError(`softmax: "x.offset" ${whole} 1152921504606846976n`)],
    [{ offset: {} }, new TypeError(`softmax: "x.offset" ${whole} an object`)],
    [{ data: new Float64Array(30), offset: 25 }, reaches("25 + 1 × 3 + 2 × 1")],
    [{ data: [...data], offset: 25 }, reaches("25 + 1 × 3 + 2 × 1")],
  ])("%o", (given, error) => {
    const before = engine.info.memory;
    expect(() => soften({ data, dims, ...given })).toThrow(error);
    expect(engine.info.memory).toEqual(before);
  });

  test("a view that repeats elements beyond any memory, also of an array and of a mask", () => {
    const huge = { dims: [2 ** 30, 2 ** 20], strides: [0, 0] };
    for (const data of [Float32Array.of(1), [1], Float64Array.of(1)]) {
      expect(() => soften({ data, ...huge })).toThrow(/^softmax: needs \d+ bytes of memory/);
    }
    expect(() => soften({ data, dims, strides: [3, 1] }, { mask: { data: [1], ...huge } })).toThrow(
      /^softmax: needs \d+ bytes of memory/,
    );
    expect(() => notMask({ data: [1], ...huge })).toThrow(
      /^notMask: a mask of dims \[1073741824, 1048576\] has 1125899906842624 elements/,
    );
    expect(engine.info.memory.inUse).toBe(0);
  });

  test.each([[[3, 0]], [[1, 1]], [[2, 1]], [[4, 2]]])("a place whose elements overlap: strides %j", (strides) => {
    const own = eighths([2, 3], 1);
    expect(() => soften(own, { out: { data: data.slice(), dims, strides } })).toThrow(
      new RangeError(
        `softmax: "out" has strides [${strides.join(", ")}], expected each to pass what the smaller ones span of [2, 3]`,
      ),
    );
    expect(soften({ data, dims, strides }).dims).toEqual(dims);
  });

  test("places that overlap, by their ranges; a view of the engine's tensor that another operand reads in place", () => {
    const out = { data: new Float32Array(400), dims: [2, 5, 4, 8], strides: [160, 32, 8, 1], offset: 80 };
    const attend = (options: object, of: object = q) => engine.scaledDotProductAttention(of as TensorLike, k, v, options);
    const logSumExp = { data: out.data, dims: [2, 4, 5], offset: 399 - 39 };
    expect(() => attend({ out, logSumExp })).toThrow(/"out" and "logSumExp" overlap, expected separate places/);
    expect(attend({ out, logSumExp: { ...logSumExp, offset: 0 } })).toBe(out);
    using tensor = engine.tensor([2, 5, 3, 4, 8]);
    const view = (offset: number) => ({ data: tensor, dims: [2, 5, 4, 8], strides: [480, 96, 8, 1], offset });
    expect(() => attend({ out: view(32) }, view(0))).toThrow(/"out" overlaps "q" in the engine's memory/);
    expect(() => attend({ out: { ...view(0), strides: [480, 48, 8, 1] } }, view(0))).toThrow(
      /"out" overlaps "q" in the engine's memory/,
    );
    const same = view(0);
    expect(attend({ out: same }, view(0))).toBe(same);
    const lse = { data: tensor, dims: [2, 4, 5], strides: [480, 24, 2] };
    expect(() => attend({ out: view(0), logSumExp: lse })).toThrow(/"out" and "logSumExp" overlap, expected separate places/);
  });

  test("an array that a getter detaches, and a tensor that it disposes of", () => {
    const own = new Float32Array(30);
    const attend = (given: object, last: () => void) =>
      engine.scaledDotProductAttention(given as TensorLike, normal([1, 3], 1), {
        dims: [1, 3],
        get data() {
          last();
          return new Float32Array(3);
        },
      });
    const detach = () => void structuredClone(own.buffer, { transfer: [own.buffer] });
    expect(() => attend({ data: own, dims, strides: [10, 1] }, detach)).toThrow(
      new RangeError('scaledDotProductAttention: "q" holds 0 elements after the arguments were read, expected 13'),
    );
    for (const strides of [
      [10, 1],
      [1, 10],
    ]) {
      const tensor = engine.tensor([30]);
      const given = { data: tensor, dims, strides };
      expect(() => attend(given, () => tensor.dispose())).toThrow(/"q" has been disposed of/);
      expect(() => soften(given)).toThrow(/"x" has been disposed of/);
    }
  });

  test("each getter is read once", () => {
    const reads: string[] = [];
    const given = { data, dims, strides: [10, 1], offset: 2 };
    const counted = new Proxy(given, {
      get(target, name) {
        reads.push(String(name));
        return target[name as "data"];
      },
    });
    soften(counted);
    for (const name of Object.keys(given))
      expect(
        reads.filter((read) => read === name),
        name,
      ).toHaveLength(1);
  });

  test("rows that do not split, other heads, and layouts that cannot hold them", () => {
    const call = (options: object, [a, b, c]: readonly TestTensor[] = [q, k, v]) =>
      engine.scaledDotProductAttention(a!, b!, c!, options);
    const flat = [eighths([2, 5, 30], 1), eighths([2, 7, 16], 2), eighths([2, 7, 16], 3)];
    expect(() => call({ numHeads: 4 }, flat)).toThrow('"q" has dims [2, 5, 30], expected rows of 4 heads');
    expect(() => call({ numHeads: 2 })).toThrow('"q" has dims [2, 5, 4, 8], expected rows of 2 heads');
    expect(() => call({ numHeads: 4, numKvHeads: 4 })).toThrow('"k" has dims [2, 7, 2, 8], expected rows of 4 heads');
    expect(call({ numHeads: 4 }).dims).toEqual([2, 5, 4, 8]); // k may have fewer
    expect(() => call({ layout: "bhsd", numHeads: 3 }, flat)).toThrow('give layout "bshd" for rows of');
    expect(() => call({ numHeads: 0 })).toThrow('"numHeads" must be an integer from 1 to');
  });

  test("orders that a layer cannot have", () => {
    const matrix = eighths([8, 8], 1);
    const make = (config: object, parameters: object) => () =>
      engine.createMultiHeadAttention({ embedDim: 8, numHeads: 4, ...config }, { out: matrix, ...parameters });
    const apart = { q: matrix, k: matrix, v: matrix };
    expect(make({ order: "heads", numKvHeads: 2 }, apart)).toThrow(
      '"order" is "heads", expected "groups" where numHeads 4 are more than numKvHeads 2',
    );
    expect(make({ order: "groups" }, apart)).toThrow('"order" is "groups", which needs "parameters.qkv" or "parameters.qkvBias"');
    expect(make({ order: "kqv" }, apart)).toThrow('"order" must be one of "qkv", "heads", "groups", got "kqv"');
    expect(make({ layout: "sbhd" }, apart)).toThrow('"layout" must be "batchFirst" or "sequenceFirst", got "sbhd"');
    const layer = make({ layout: "sequenceFirst" }, apart)();
    expect(() => layer.forward(eighths([5, 2, 7], 1))).toThrow('"x" has dims [5, 2, 7], expected [seq, batch, 8] or [seq, 8]');
    expect(() =>
      layer.forward(eighths([5, 2, 8], 1), { out: { data: new Float32Array(80), dims: [2, 5, 8] } as PlaceTensor }),
    ).toThrow('"out" has dims [2, 5, 8], expected [5, 2, 8]');
  });
});
