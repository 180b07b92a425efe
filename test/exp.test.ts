/** 2ˣ and the hyperbolic tangent, on a dense sweep of float32. */
import { expect, test } from "vitest";
import { instantiate, type Instance } from "../src/runtime/instantiate.js";
import { binaryOf, onEveryBuild } from "./support/builds.js";
import { ulp } from "./support/float32.js";
import { uniform } from "./support/random.js";

const COUNT = 2 ** 16;
const PTR = 2 ** 16;

type Kernel = (instance: Instance, bytes: number) => void;

/** The largest error in ulp on every `step`-th float32 with bits from `first` to `last`. */
function sweep(
  instance: Instance,
  kernel: Kernel,
  truth: (x: number) => number,
  first: number,
  last: number,
  step: number,
): number {
  const { f32 } = instance.memory;
  const bits = new Uint32Array(f32.buffer, PTR, COUNT);
  const values = f32.subarray(PTR / 4, PTR / 4 + COUNT);
  let worst = 0;
  for (let start = first; start <= last; start += COUNT * step) {
    for (let index = 0; index < COUNT; index++) bits[index] = Math.min(last, start + index * step);
    const inputs = values.slice();
    kernel(instance, COUNT * 4);
    for (let index = 0; index < COUNT; index++) {
      const expected = truth(inputs[index]!);
      const error = Math.abs(values[index]! - expected) / ulp(expected);
      if (!(error <= worst)) worst = error;
    }
  }
  return worst;
}

const bitsOf = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0]!;

onEveryBuild((build) => {
  const instance = instantiate("test", binaryOf(build), { initialBytes: 2 ** 20, maximumBytes: 2 ** 20 });
  const exponentials: Kernel = ({ kernels }, bytes) => kernels.exponentials(PTR, bytes, 0);
  const softcap: Kernel = ({ kernels }, bytes) => kernels.softcapRow(PTR, bytes, 1);
  const step = build === "debug" ? 8191 : 1021;

  const apply = (kernel: Kernel, inputs: number[]): number[] => {
    const padded = Float32Array.from({ length: Math.ceil(inputs.length / 8) * 8 }, (_, index) => inputs[index] ?? 0);
    instance.memory.f32.set(padded, PTR / 4);
    kernel(instance, padded.byteLength);
    return [...instance.memory.f32.subarray(PTR / 4, PTR / 4 + inputs.length)];
  };

  test(`2ˣ: ≤ 1.5 ulp on every ${step}th float32 in (−99.5, 0]`, () => {
    expect(sweep(instance, exponentials, (x) => 2 ** x, bitsOf(-0), bitsOf(-99.5) - 1, step)).toBeLessThanOrEqual(1.5);
  });

  test("2^±0 = 1, 2ˣ = 0 from −99.5 down, 2^NaN = NaN, whatever its bits", () => {
    expect(apply(exponentials, [0, -0])).toEqual([1, 1]);
    expect(apply(exponentials, [-99.5, -100, -100.4, -126.2, -150, -382.2, -1e4, -3e38, -Infinity])).toEqual(new Array(9).fill(0));
    const last = Math.fround(-99.49999);
    expect(apply(exponentials, [last])[0]! / 2 ** last).toBeCloseTo(1, 6);
    const bits = new Uint32Array(instance.memory.f32.buffer, PTR, 8);
    bits.set([0x7fc00000, 0xffc00000, 0x7fc00001, 0x7fffffff, 0xffffffff, 0x7fc00180, 0x7fc000ff, 0x7f800001]);
    instance.kernels.exponentials(PTR, 32, 0);
    expect([...instance.memory.f32.subarray(PTR / 4, PTR / 4 + 8)]).toEqual(new Array(8).fill(NaN));
  });

  test("2ˣ: a power that is not 0, times a value of 2⁻²⁶, is no subnormal number", () => {
    const powers = apply(
      exponentials,
      Array.from({ length: 4096 }, (_, index) => -90 - index / 64),
    );
    expect(powers.filter((power) => power !== 0 && power * 2 ** -26 < 2 ** -126)).toEqual([]);
    expect(powers.filter((power) => power !== 0)).toHaveLength(608); // those above −99.5
  });

  test("2ˣ: the sum is over eight lanes, lane = index mod 8, joined by a fixed tree", () => {
    const random = uniform(4);
    for (let round = 0; round < 10; round++) {
      const inputs = Array.from({ length: 512 }, () => Math.fround(-8 * random()));
      const lanes = new Float32Array(8);
      const values = apply(exponentials, inputs);
      for (const [index, value] of values.entries()) lanes[index % 8] = lanes[index % 8]! + value;
      const fours = Float32Array.from({ length: 4 }, (_, lane) => lanes[lane]! + lanes[lane + 4]!);
      const expected = Math.fround(Math.fround(fours[0]! + fours[2]!) + Math.fround(fours[1]! + fours[3]!));
      instance.memory.f32.set(inputs, PTR / 4);
      expect(instance.kernels.exponentials(PTR, 2048, 0)).toBe(expected);
    }
  });

  test(`tanh: ≤ 3 ulp on every ${step}th float32, odd to the bit`, () => {
    expect(sweep(instance, softcap, Math.tanh, 1, bitsOf(3.4e38), step)).toBeLessThanOrEqual(3);
    const inputs = [1e-30, 0.01, 0.3, 0.7, 3, 20];
    expect(
      apply(
        softcap,
        inputs.map((x) => -x),
      ),
    ).toEqual(apply(softcap, inputs).map((y) => -y));
  });

  test("tanh(±0) = ±0, tanh(±∞) = ±1, tanh(NaN) = NaN", () => {
    expect(apply(softcap, [0, -0, Infinity, -Infinity, NaN, 45, 100])).toEqual([0, -0, 1, -1, NaN, 1, 1]);
  });
});
