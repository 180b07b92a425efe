/** Softmax along an axis: against the reference, absence, extremes, determinism, places for results. */
import { describe, expect, test } from "vitest";
import type { Engine, SoftmaxOptions, TensorLike } from "headwise";
import { type ReferenceSoftmaxOptions, softmax as reference } from "headwise/reference";
import { expectParity, expectSameBits, poison } from "./support/attention.js";
import { onEveryBuild, openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { countOf, normal, randomMask, type TestTensor } from "./support/random.js";

const vector = (...data: number[]): TestTensor => ({ data: Float32Array.from(data), dims: [data.length] });

/** The yardstick of errors: every operation rounded to float32, sums in order. */
function naiveFloat32(x: TestTensor, options: ReferenceSoftmaxOptions): number[] {
  const { fround, exp, log } = Math;
  const { axis = -1, scale = 1 } = options;
  const place = axis < 0 ? x.dims.length + axis : axis;
  const [length, inner] = [x.dims[place]!, countOf(x.dims.slice(place + 1))];
  // which elements are visible, and the bias, do not depend on rounding
  const visible = reference({ ...x, data: x.data.map(() => 0) }, { ...options, log: true, bias: undefined }).data;
  const hidden = reference({ ...x, data: x.data.map(() => 0) }, { ...options, log: true }).data;
  const bias = options.bias && broadcastBias(x, options.bias);
  const result = new Array<number>(x.data.length).fill(NaN);
  for (let first = 0; first < result.length; first++) {
    if (Math.floor(first / inner) % length !== 0) continue;
    const indices = Array.from({ length }, (_, j) => first + j * inner);
    const scores = indices.map((index) =>
      visible[index] === -Infinity || hidden[index] === -Infinity
        ? -Infinity
        : fround(fround(x.data[index]! * fround(scale)) + (bias?.[index] ?? 0)),
    );
    const most = Math.max(...scores);
    const powers = scores.map((s) => (s === -Infinity ? 0 : fround(exp(fround(s - most)))));
    const sum = powers.reduce((a, b) => fround(a + b), 0);
    for (const [j, index] of indices.entries()) {
      if (scores[j] === -Infinity) result[index] = options.log ? -Infinity : 0;
      else result[index] = options.log ? fround(fround(scores[j]! - most) - fround(log(sum))) : fround(powers[j]! / sum);
    }
  }
  return result;
}

/** The bias of each element of x. */
function broadcastBias(x: TestTensor, bias: { data: ArrayLike<number>; dims: readonly number[] }): number[] {
  const { dims } = x;
  return Array.from(x.data, (_, index) => {
    let [stride, offset, rest] = [1, 0, index];
    for (let axis = dims.length - 1; axis >= dims.length - bias.dims.length; axis--) {
      const size = bias.dims[axis - dims.length + bias.dims.length]!;
      if (size !== 1) offset += (rest % dims[axis]!) * stride;
      stride *= size;
      rest = Math.floor(rest / dims[axis]!);
    }
    return bias.data[offset] ?? 0;
  });
}

function check(engine: Engine, x: TestTensor, options: SoftmaxOptions): void {
  const referenceOptions = options as ReferenceSoftmaxOptions;
  for (const log of [false, true]) {
    const found = engine.softmax(x, { ...options, log });
    const truth = reference(x, { ...referenceOptions, log });
    expect(found.dims).toEqual(x.dims);
    expectParity(log ? "logarithms" : "weights", found.data, truth.data, naiveFloat32(x, { ...referenceOptions, log }));
  }
}

const place = (engine: Engine, { data, dims }: TestTensor) => {
  const tensor = engine.tensor(dims);
  tensor.data.set(data);
  return tensor;
};

onEveryEngine((_, engine) => {
  test.each<[number[], number]>([
    ...[1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 63, 65, 511, 512, 513, 1029].map((length): [number[], number] => [[3, length], -1]),
    [[7], 0],
    [[2, 3, 4, 5], 3],
    [[2, 3, 4, 5], -2],
    [[2, 3, 4, 5], 1],
    [[2, 3, 4, 5], 0],
    [[5, 1], 0],
    [[1, 9], 0],
    [[530, 3], 0],
    [[3, 9, 127], 1],
    [[2, 5, 130, 1], 1],
    [[2, 5, 259], 1],
  ])("%j along axis %i › seed 5", (dims, axis) => {
    const x = normal(dims, 5, 4);
    check(engine, x, { axis });
    check(engine, x, { axis, scale: 0.3 });
    check(engine, x, { axis, scale: -2 });
    check(engine, x, { axis, scale: 0 });
    check(engine, x, { axis, mask: randomMask(dims, 6, 0.7), bias: normal(dims, 7, 2) });
  });

  test.each<[number[], number, number[], number[]]>([
    [[2, 3, 4, 21], -1, [21], [1, 4, 1]],
    [[2, 3, 4, 21], -1, [2, 1, 1, 21], [3, 1, 21]],
    [[2, 3, 4, 21], -1, [4, 1], [1]],
    [[2, 3, 4, 21], 1, [3, 1, 1], [2, 1, 4, 21]],
    [[2, 3, 4, 21], 2, [21], [4, 1]],
    [[2, 3, 4, 21], 0, [2, 1, 4, 1], [1, 3, 1, 21]],
    [[4, 21], -1, [13], [21]],
    [[4, 21], -1, [4, 16], [4, 19]],
    [[4, 21], -1, [4, 3], [1, 2]],
    [[3, 7, 1], 1, [7, 1], [3, 7, 1]],
  ])("%j along axis %i, mask %j, bias %j › seed 8", (dims, axis, maskDims, biasDims) => {
    const x = normal(dims, 8, 2);
    const [mask, bias] = [randomMask(maskDims, 9, 0.6), normal(biasDims, 10)];
    bias.data[0] = -Infinity;
    check(engine, x, { axis, mask, shortMask: "hide" });
    check(engine, x, { axis, bias, shortMask: "hide" });
    check(engine, x, { axis, mask, bias, scale: 0.5, shortMask: "hide" });
  });

  test("hidden elements have no influence, to the bit, whatever they hold, and are 0; a fully hidden row is 0", () => {
    for (const [dims, axis] of [
      [[9, 21], -1],
      [[9, 21], 0],
      [[21, 130], 0],
    ] as const) {
      const mask = randomMask(dims, 11, 0.6);
      mask.data.fill(0, 0, 21); // a fully hidden row
      const bias = { data: Float32Array.from(mask.data, (byte) => (byte ? 0 : -Infinity)), dims: [...dims] };
      const x = normal(dims, 12);
      for (const log of [false, true]) {
        const expected = engine.softmax(x, { axis, mask, log }).data;
        for (const wrong of [NaN, Infinity, -Infinity, 3e38]) {
          const spoilt = { data: x.data.map((value, index) => (mask.data[index] ? value : wrong)), dims: [...dims] };
          expectSameBits(engine.softmax(spoilt, { axis, mask, log }).data, expected, `mask over ${wrong}`);
          expectSameBits(engine.softmax(spoilt, { axis, bias, log }).data, expected, `bias over ${wrong}`);
        }
        for (const [index, byte] of mask.data.entries()) if (!byte) expect(expected[index]).toBe(log ? -Infinity : 0);
      }
    }
  });

  test.each([
    { values: [NaN, 1, 2], weights: [NaN, NaN, NaN] },
    { values: [Infinity, 1, 2], weights: [NaN, NaN, NaN] },
    { values: [Infinity, -Infinity, 2], weights: [NaN, 0, NaN] },
    { values: [NaN, -Infinity, 2], weights: [NaN, 0, NaN] },
    { values: [NaN, -Infinity, -Infinity], weights: [NaN, 0, 0] },
    { values: [-Infinity, -Infinity, -Infinity], weights: [0, 0, 0] },
    { values: [-Infinity, 5, -3e38], weights: [0, 1, 0] },
    { values: [1.7e38, -1.7e38, 0], weights: [1, 0, 0] },
    { values: [1, 1, 1 - 200], weights: [0.5, 0.5, 0] },
  ])("extremes %j, with other rows unaffected", ({ values, weights }) => {
    const others = normal([2, 3], 3);
    const rows = [...others.data.slice(0, 3), ...values, ...others.data.slice(3)];
    const columns = rows.map((_, index) => rows[(index % 3) * 3 + Math.floor(index / 3)]!);
    const expected = engine.softmax(others).data;
    const whole = [...expected.slice(0, 3), ...weights, ...expected.slice(3)];
    const transposed = whole.map((_, index) => whole[(index % 3) * 3 + Math.floor(index / 3)]!);
    const x = { data: Float32Array.from(rows), dims: [3, 3] };
    const across = { data: Float32Array.from(columns), dims: [3, 3] };
    expectSameBits(engine.softmax(x).data, whole, "rows");
    expectParity("columns", engine.softmax(across, { axis: 0 }).data, transposed, transposed);
    for (const [tensor, axis] of [[x, 1] as const, [across, 0] as const]) {
      const placed = place(engine, tensor);
      for (const log of [false, true]) {
        placed.data.set(tensor.data);
        const fresh = engine.softmax(tensor, { axis, log });
        expectSameBits(engine.softmax(placed, { axis, log, out: placed }).data, fresh.data, "in place");
        const truth = reference(tensor, { axis, log });
        expectParity("against the reference", fresh.data, truth.data, truth.data);
      }
      placed.dispose();
    }
  });

  test("logarithms of entries far below the largest are exact up to rounding", () => {
    const x = vector(0, -1000, -1e5, -1e30, -3.4e38);
    expectSameBits(engine.softmax(x, { log: true }).data, x.data, "nothing is added to the largest");
    const shifted = vector(30000, 30000, 29000, -3e4, 0, 1, 2, 3, 30000, 29990, 29000, 7);
    const truth = reference(shifted, { log: true }).data;
    const found = engine.softmax(shifted, { log: true }).data;
    for (const [index, value] of truth.entries()) expect(Math.abs(found[index]! / value - 1)).toBeLessThanOrEqual(2 ** -23);
  });

  test("a row and a column have the same bits as alone, whatever surrounds them", () => {
    const [rows, length] = [11, 523];
    const x = normal([rows, length], 13, 3);
    const mask = randomMask([length], 14, 0.8);
    for (const options of [{}, { log: true }, { scale: 0.7 }, { mask }]) {
      const whole = engine.softmax(x, options).data;
      for (let row = 0; row < rows; row++) {
        const alone = { data: x.data.slice(row * length, (row + 1) * length), dims: [length] };
        expectSameBits(whole.slice(row * length, (row + 1) * length), engine.softmax(alone, options).data, `row ${row}`);
      }
    }
    const across = normal([length, 131], 15, 3);
    const whole = engine.softmax(across, { axis: 0 }).data;
    for (const column of [0, 1, 3, 4, 7, 63, 127, 128, 130]) {
      const data = Float32Array.from({ length: 2 * length }, (_, j) => across.data[(j >> 1) * 131 + column]!);
      const alone = engine.softmax({ data, dims: [length, 2] }, { axis: 0 }).data;
      for (let j = 0; j < length; j++) expectSameBits([alone[2 * j]!], [whole[j * 131 + column]!], `column ${column}`);
    }
  });

  test("reads and writes nothing beyond its elements", () => {
    const guarded = engine.tensor([64]);
    for (const dims of [[5], [13], [2, 3], [3, 5]]) {
      guarded.data.fill(NaN);
      const x = { data: guarded.data.subarray(0, countOf(dims)).fill(1), dims };
      expect([...engine.softmax(x, { axis: 0 }).data]).toEqual(Array.from(x.data, () => Math.fround(1 / dims[0]!)));
      expect([...guarded.data.subarray(countOf(dims))]).toEqual(new Array(64 - countOf(dims)).fill(NaN));
    }
    guarded.dispose();
  });

  test("the same bits in place and in another `out`", () => {
    for (const options of [
      {},
      { log: true },
      { axis: 0 },
      { axis: 1, log: true },
      { scale: 3 },
      { mask: randomMask([21], 1, 0.5) },
    ]) {
      const x = normal([4, 6, 21], 16, 2);
      const expected = engine.softmax(x, options);
      const result = { data: new Float32Array(504), dims: [4, 6, 21] };
      expect(engine.softmax(x, { ...options, out: result })).toBe(result);
      expectSameBits(result.data, expected.data, "a place");
      const placed = place(engine, x);
      poison(engine);
      expect(engine.softmax(placed, { ...options, out: placed })).toBe(placed);
      expectSameBits(placed.data, expected.data, "in place");
      placed.dispose();
    }
    expect(engine.info.memory.inUse).toBe(0);
  });

  test.each([[[0]], [[3, 0]], [[0, 3]], [[2, 0, 5]]])("%j gives nothing", (dims) => {
    for (let axis = 0; axis < dims.length; axis++)
      expect(engine.softmax({ data: new Float32Array(0), dims }, { axis }).dims).toEqual(dims);
  });
});

const MILLION = normal([1e6], 17);
const MILLION_SUM = MILLION.data.reduce((sum, value) => sum + Math.exp(value), 0);

onEveryBuild((_, engine) => {
  test("a million elements along an axis: relative error at most 1e-6", () => {
    for (const dims of [[1e6], [1e6, 1, 1]]) {
      const found = engine.softmax({ data: MILLION.data, dims }, { axis: 0 }).data;
      let worst = 0;
      for (let j = 0; j < 1e6; j += 97) {
        worst = Math.max(worst, Math.abs((found[j]! * MILLION_SUM) / Math.exp(MILLION.data[j]!) - 1));
      }
      expect(worst).toBeLessThanOrEqual(1e-6);
    }
  });

  test("e^d is within a relative error of (2.5 + |d| / 2) · 2⁻²³", () => {
    for (let d = 0; d < 68.9; d += 0.37) {
      const [, small] = engine.softmax(vector(0, -d)).data;
      expect(Math.abs(small! * (1 + Math.exp(-d)) * Math.exp(Math.fround(d)) - 1)).toBeLessThanOrEqual((2.5 + d / 2) * 2 ** -23);
    }
  });

  test("e^d is exactly 0 below −68.97, in rows and in columns, also where e^d would be subnormal", () => {
    const differences = [0, -68.96, -68.98, -70, -87.4, -103, -265, -1e4, -3e38];
    for (const dims of [
      [1, differences.length],
      [differences.length, 1, 1],
    ]) {
      const { data } = engine.softmax({ data: Float32Array.from(differences), dims }, { axis: dims[0] === 1 ? 1 : 0 });
      expect([...data].map((weight) => weight > 0)).toEqual(differences.map((d) => d > -68.97));
    }
  });
});

describe("mismatches are named", () => {
  const x = normal([2, 3, 4], 1);
  const bytes = (...dims: number[]) => ({ data: new Uint8Array(countOf(dims)), dims });
  test.each<[unknown, object, string]>([
    [3, {}, '"x" must be a tensor { data, dims } or { shape, dataSync() }, got 3'],
    [{ data: new Float32Array(1), dims: [] }, {}, '"x" has no axes, expected at least 1'],
    [x, { axis: 3 }, '"axis" must be an integer from -3 to 2, got 3'],
    [x, { axis: -4 }, '"axis" must be an integer from -3 to 2, got -4'],
    [x, { axis: "last" }, '"axis" must be an integer from -3 to 2, got "last"'],
    [x, { scale: NaN }, '"scale" must be a number within the range of float32, got NaN'],
    [x, { log: 1 }, '"log" must be true or false, got 1'],
    [
      x,
      { mask: normal([4], 1) },
      '"mask.data" must be an array of integers or booleans, 0 where an element is left out, got Float32Array(4)',
    ],
    [
      x,
      { mask: bytes(3) },
      '"mask" has dims [3], expected 1 or 4 for axis 2 instead of 3 (it must broadcast to x, of dims [2, 3, 4])' +
        '; shortMask: "hide" would leave out the elements beyond it',
    ],
    [
      x,
      { bias: normal([3, 2], 1) },
      '"bias" has dims [3, 2], expected 1 or 4 for axis 2 instead of 2 (it must broadcast to x, of dims [2, 3, 4])' +
        '; shortMask: "hide" would leave out the elements beyond it',
    ],
    [x, { shortMask: "cut" }, '"shortMask" must be "error" or "hide", got "cut"'],
    [
      x,
      { mask: bytes(5) },
      '"mask" has dims [5], expected 1 or 4 for axis 2 instead of 5 (it must broadcast to x, of dims [2, 3, 4])',
    ],
    [
      x,
      { mask: bytes(5), shortMask: "hide" },
      '"mask" has dims [5], expected 1 to 4 for axis 2 instead of 5 (it must broadcast to x, of dims [2, 3, 4])',
    ],
    [
      x,
      { axis: 0, mask: bytes(2), shortMask: "hide" },
      '"mask" has dims [2], expected 1 or 4 for axis 2 instead of 2 (it must broadcast to x, of dims [2, 3, 4])',
    ],
    [
      x,
      { mask: bytes(0), shortMask: "hide" },
      '"mask" has dims [0], expected 1 to 4 for axis 2 instead of 0 (it must broadcast to x, of dims [2, 3, 4])',
    ],
    [
      x,
      { bias: normal([2, 1], 1) },
      '"bias" has dims [2, 1], expected 1 or 3 for axis 1 instead of 2 (it must broadcast to x, of dims [2, 3, 4])',
    ],
    [
      x,
      { bias: normal([1, 1, 1, 1], 1) },
      '"bias" has dims [1, 1, 1, 1], expected at most 3 of them (it must broadcast to x, of dims [2, 3, 4])',
    ],
    [x, { out: normal([24], 1) }, '"out" has dims [24], expected [2, 3, 4] (as x)'],
    [x, { axes: 1 }, 'unknown option "axes"; did you mean "axis"?'],
  ])("%#", (input, options, message) => {
    using engine = openBuild("simd");
    expect(() => engine.softmax(input as TensorLike, options)).toThrow(`softmax: ${message}`);
    expect(engine.info.memory.inUse).toBe(0);
  });

  test("a result that overlaps the bias", () => {
    using engine = openBuild("simd");
    const bias = engine.tensor([2, 3, 4]);
    expect(() => engine.softmax(x, { bias, out: bias })).toThrow(
      'softmax: "out" overlaps "bias" in the engine\'s memory; only the tensor "x" itself may be overwritten',
    );
  });
});
