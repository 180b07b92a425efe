/** Layer norm and RMS norm: against the reference, large means, extremes, determinism, places for results. */
import { describe, expect, test } from "vitest";
import type { LayerNormOptions, TensorLike } from "headwise";
import { layerNorm, type ReferenceNormOptions, rmsNorm } from "headwise/reference";
import { expectParity, expectSameBits, poison } from "./support/attention.js";
import { openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, type TestTensor } from "./support/random.js";

/** The yardstick of errors: every operation rounded to float32, sums in order. */
function naiveFloat32(x: TestTensor, { weight, bias, eps = 0 }: ReferenceNormOptions, isCentered: boolean): Float32Array {
  const { fround, sqrt } = Math;
  const length = x.dims.at(-1)!;
  const result = new Float32Array(x.data.length);
  for (let first = 0; first < result.length; first += length) {
    const row = x.data.subarray(first, first + length);
    const mean = isCentered ? fround(row.reduce((sum, value) => fround(sum + value), 0) / length) : 0;
    const square = (value: number): number => fround(fround(value - mean) * fround(value - mean));
    const variance = fround(row.reduce((sum, value) => fround(sum + square(value)), 0) / length);
    const factor = fround(1 / fround(sqrt(fround(variance + eps))));
    for (let j = 0; j < length; j++) {
      const y = fround(fround(fround(row[j]! - mean) * factor) * (weight?.data[j] ?? 1));
      result[first + j] = fround(y + (bias?.data[j] ?? 0));
    }
  }
  return result;
}

const equal = (value: number, length: number): TestTensor => ({ data: new Float32Array(length).fill(value), dims: [length] });

onEveryEngine((_, engine) => {
  test.each([
    [[1]],
    [[2]],
    [[3, 3]],
    [[4]],
    [[5, 5]],
    [[7, 7]],
    [[3, 8]],
    [[2, 9]],
    [[2, 3, 63]],
    [[4, 65]],
    [[3, 768]],
    [[1, 4099]],
  ])("%j › seed 3", (dims) => {
    const length = dims.at(-1)!;
    const x = normal(dims, 3, 3);
    for (let j = 0; j < x.data.length; j++) x.data[j]! += 1;
    const [weight, bias] = [normal([length], 4), normal([length], 5)];
    for (const options of [{}, { weight }, { bias }, { weight, bias, eps: 0.5 }]) {
      const found = engine.layerNorm(x, options);
      expect(found.dims).toEqual(dims);
      expectParity("layerNorm", found.data, layerNorm(x, options).data, naiveFloat32(x, { eps: 1e-5, ...options }, true));
      if (options.bias) continue;
      expectParity(
        "rmsNorm",
        engine.rmsNorm(x, options).data,
        rmsNorm(x, options).data,
        naiveFloat32(x, { eps: 1e-6, ...options }, false),
      );
    }
  });

  test("a row of equal numbers gives exactly the bias, however large they are", () => {
    for (const length of [1, 7, 64, 1023]) {
      const bias = normal([length], 6);
      for (const value of [0, 1, 1e6 + 0.3, -3e38, 1e-40]) {
        expectSameBits(engine.layerNorm(equal(value, length), { bias }).data, bias.data, `${value}, ${length} times`);
      }
    }
  });

  test("a mean of 1e6 does not cost deviations of 1 their accuracy: at most 2e-6", () => {
    const x = normal([3, 517], 7);
    for (let j = 0; j < x.data.length; j++) x.data[j]! += 1e6;
    const [found, truth] = [engine.layerNorm(x).data, layerNorm(x).data];
    for (const [j, value] of truth.entries()) expect(Math.abs(found[j]! - value)).toBeLessThanOrEqual(2e-6);
  });

  test("rows whose squares overflow or underflow float32 are normalized correctly", () => {
    for (const size of [1e30, 1e-30]) {
      const x = normal([4, 33], 8, size);
      const truths = { layer: layerNorm(x, { eps: 0 }).data, rms: rmsNorm(x, { eps: 0 }).data };
      expectParity("layerNorm", engine.layerNorm(x, { eps: 0 }).data, truths.layer, truths.layer);
      expectParity("rmsNorm", engine.rmsNorm(x, { eps: 0 }).data, truths.rms, truths.rms);
    }
  });

  test("rows of zeros give 0, NaN and ∞ stay in their rows", () => {
    const x = { data: Float32Array.of(0, 0, 0, NaN, 1, 2, Infinity, 1, 2, 1, 1, 1), dims: [4, 3] };
    expectSameBits(engine.layerNorm(x).data, [0, 0, 0, NaN, NaN, NaN, NaN, NaN, NaN, 0, 0, 0], "layerNorm");
    const ones = Math.fround(1 / Math.sqrt(1 + Math.fround(1e-6)));
    expectSameBits(engine.rmsNorm(x).data, [0, 0, 0, NaN, NaN, NaN, NaN, 0, 0, ones, ones, ones], "rmsNorm");
    expectSameBits(rmsNorm(x).data.slice(3, 9), [NaN, NaN, NaN, NaN, 0, 0], "the reference");
  });

  test("a row has the same bits as alone, even in place", () => {
    const x = normal([9, 77], 9, 5);
    const weight = normal([77], 10);
    const whole = engine.layerNorm(x, { weight });
    for (let row = 0; row < 9; row++) {
      const alone = engine.layerNorm({ data: x.data.slice(row * 77, (row + 1) * 77), dims: [77] }, { weight });
      expectSameBits(whole.data.slice(row * 77, (row + 1) * 77), alone.data, `row ${row}`);
    }
    const placed = engine.tensor([9, 77]);
    placed.data.set(x.data);
    poison(engine);
    expect(engine.layerNorm(placed, { weight, out: placed })).toBe(placed);
    expectSameBits(placed.data, whole.data, "in place");
    placed.data.set(x.data);
    engine.rmsNorm(placed, { weight, out: placed });
    expectSameBits(placed.data, engine.rmsNorm(x, { weight }).data, "in place");
    placed.dispose();
    expect(engine.info.memory.inUse).toBe(0);
  });

  test("reads and writes nothing beyond its elements", () => {
    const guarded = engine.tensor([16]);
    guarded.data.fill(NaN);
    const data = guarded.data.subarray(0, 5).fill(1);
    expect([...engine.layerNorm({ data, dims: [5] }).data]).toEqual([0, 0, 0, 0, 0]);
    expect([...guarded.data]).toEqual([1, 1, 1, 1, 1, ...new Array<number>(11).fill(NaN)]);
    guarded.dispose();
  });

  test.each([[[0]], [[3, 0]], [[0, 3]]])("%j gives nothing", (dims) => {
    expect(engine.layerNorm({ data: new Float32Array(0), dims }).dims).toEqual(dims);
    expect(engine.rmsNorm({ data: new Float32Array(0), dims }).dims).toEqual(dims);
  });
});

describe("mismatches are named", () => {
  const x = normal([2, 3], 1);
  test.each<[unknown, object, string]>([
    [3, {}, '"x" must be a tensor { data, dims } or { shape, dataSync() }, got 3'],
    [{ data: new Float32Array(1), dims: [] }, {}, '"x" has no axes, expected at least 1'],
    [x, { eps: -1 }, '"eps" must be a number ≥ 0 within the range of float32, got -1'],
    [x, { weight: normal([2], 1) }, '"weight" has dims [2], expected [3] (the last axis of x)'],
    [x, { bias: normal([1, 3], 1) }, '"bias" has dims [1, 3], expected [3] (the last axis of x)'],
    [x, { out: normal([6], 1) }, '"out" has dims [6], expected [2, 3] (as x)'],
    [x, { gamma: 1 }, 'unknown option "gamma"; here it is "weight"'],
  ])("%#", (input, options, message) => {
    using engine = openBuild("simd");
    expect(() => engine.layerNorm(input as TensorLike, options)).toThrow(`layerNorm: ${message}`);
    expect(engine.info.memory.inUse).toBe(0);
  });

  test("rmsNorm does not take a bias, or a result that overlaps its weight", () => {
    using engine = openBuild("simd");
    expect(() => engine.rmsNorm(x, { bias: x } as LayerNormOptions)).toThrow(
      'rmsNorm: unknown option "bias"; the options are weight, eps, out',
    );
    const weight = engine.tensor([3]);
    expect(() => engine.rmsNorm(normal([3], 1), { weight, out: weight })).toThrow(
      'rmsNorm: "out" overlaps "weight" in the engine\'s memory; only the tensor "x" itself may be overwritten',
    );
  });
});
