/** Activation functions: error bounds on a dense sweep of float32, limits, gates, tails and places for results. */
import { describe, expect, test } from "vitest";
import { type Activation, ACTIVATIONS } from "headwise";
import { activate as reference } from "headwise/reference";
import { expectSameBits, poison } from "./support/attention.js";
import { onEveryBuild, openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { sweepFloat32, ulp } from "./support/float32.js";
import { normal } from "./support/random.js";

/** Smaller results have an absolute bound instead: powers of e below 2^−99.5 are 0. */
const TINY = 2 ** -93;

interface Bounds {
  /** In ulp, for x ≥ 0. */
  positive: number;
  /** In ulp, for x < 0. */
  negative: (x: number) => number;
  says: string;
}

/** Of the exponent −w of gelu-tanh, whose rounding becomes a relative error of the result. */
const exponent = (x: number): number => 2 * Math.sqrt(2 / Math.PI) * (Math.abs(x) + 0.044715 * Math.abs(x) ** 3);

const BOUNDS: Record<Activation, Bounds> = {
  gelu: { positive: 4, negative: () => 12, says: "4 ulp for x ≥ 0, 12 ulp for x < 0" },
  "gelu-tanh": {
    positive: 2,
    negative: (x) => 4 + 3 * exponent(x),
    says: "2 ulp for x ≥ 0, 4 + 3w ulp for x < 0, w = 2√(2/π) (|x| + 0.044715 |x|³)",
  },
  silu: { positive: 2, negative: () => 3, says: "3 ulp" },
  relu: { positive: 0, negative: () => 0, says: "no error" },
  tanh: { positive: 3, negative: () => 3, says: "3 ulp" },
  sigmoid: { positive: 3, negative: () => 3, says: "3 ulp" },
};

const vector = (...data: number[]) => ({ data: Float32Array.from(data), dims: [data.length] });

onEveryBuild((build, engine) => {
  const step = build === "debug" ? 99991 : 20011;

  test.each(ACTIVATIONS.map((kind) => [kind, BOUNDS[kind].says] as const))(
    `%s: at most %s on every ${step}th float32, or 2⁻⁹³`,
    (kind) => {
      const { positive, negative } = BOUNDS[kind];
      const worst = sweepFloat32(
        step,
        (x) => engine.activate(x, kind).data,
        (x) => reference(x, kind).data,
        (x, found, truth) => {
          const error = Math.abs(found - truth);
          return Math.abs(truth) < TINY ? error / TINY : error / ulp(truth) / (x < 0 ? negative(x) || ulp(1) : positive || ulp(1));
        },
      );
      expect(worst, "share of the bound").toBeLessThanOrEqual(1);
    },
  );

  test.each<[Activation, number[]]>([
    ["gelu", [0, Infinity, NaN, 0, -0, 0]],
    ["gelu-tanh", [0, Infinity, NaN, 0, -0, 0]],
    ["silu", [0, Infinity, NaN, 0, -0, 0]],
    ["relu", [0, Infinity, NaN, 0, -0, 0]],
    ["tanh", [-1, 1, NaN, 0, -0, -1]],
    ["sigmoid", [0, 1, NaN, 0.5, 0.5, 0]],
  ])("%s of −∞, +∞, NaN, 0, −0 and the lowest float32 is %j, as in the reference", (kind, expected) => {
    const x = vector(-Infinity, Infinity, NaN, 0, -0, -3.4028234663852886e38);
    expectSameBits(engine.activate(x, kind).data, expected, kind);
    expectSameBits(reference(x, kind).data, expected, "the reference");
  });

  test("NaN stays NaN, whatever its bits", () => {
    const bits = Uint32Array.of(0x7fc00000, 0xffc00000, 0x7fc00001, 0x7fffffff, 0xffffffff, 0x7fc00180, 0x7f800001);
    const x = { data: new Float32Array(bits.buffer), dims: [7] };
    for (const kind of ACTIVATIONS) expect([...engine.activate(x, kind).data], kind).toEqual(new Array(7).fill(NaN));
  });
});

onEveryEngine((_, engine) => {
  test.each([0, 1, 2, 3, 4, 5, 7, 8, 9, 63, 65, 1023, 1024, 1025, 4100])(
    "each of %i elements has the same bits as alone",
    (count) => {
      const x = normal([count], 7, 3);
      const gate = normal([count], 8);
      for (const kind of ACTIVATIONS) {
        const plain = engine.activate(x, kind);
        const gated = engine.activate(x, kind, { gate });
        expect(plain.dims).toEqual([count]);
        for (const index of [0, 1, 2, count - 2, count - 1].filter((each) => each >= 0 && each < count)) {
          expectSameBits(engine.activate(vector(x.data[index]!), kind).data, [plain.data[index]!], `${kind} of element ${index}`);
        }
        const products = plain.data.map((value, index) => value * gate.data[index]!);
        expectSameBits(gated.data, products, `${kind} times a gate`);
      }
    },
  );

  test("reads and writes nothing beyond its elements, and does not write its inputs", () => {
    const guarded = engine.tensor([16]);
    for (const kind of ACTIVATIONS) {
      guarded.data.fill(NaN);
      const x = guarded.data.subarray(0, 5).fill(0.5);
      const out = engine.activate({ data: x, dims: [5] }, kind);
      expectSameBits(guarded.data, [0.5, 0.5, 0.5, 0.5, 0.5, ...new Array<number>(11).fill(NaN)], kind);
      expectSameBits(out.data, new Array<number>(5).fill(out.data[0]!), kind);
    }
    guarded.dispose();
  });

  test("the same bits in place and in another `out`", () => {
    const x = normal([3, 5, 7], 9, 2);
    const gate = normal([3, 5, 7], 10);
    const expected = engine.activate(x, "silu", { gate });
    expect(expected.dims).toEqual([3, 5, 7]);
    const place = { data: new Float32Array(105), dims: [3, 5, 7] };
    expect(engine.activate(x, "silu", { gate, out: place })).toBe(place);
    expectSameBits(place.data, expected.data, "a place");
    const placed = engine.tensor([3, 5, 7]);
    placed.data.set(x.data);
    poison(engine);
    expect(engine.activate(placed, "silu", { gate, out: placed })).toBe(placed);
    expectSameBits(placed.data, expected.data, "in place");
    placed.dispose();
    expect(engine.info.memory.inUse).toBe(0);
  });
});

describe("mismatches are named", () => {
  const x = normal([2, 3], 1);
  test.each<[unknown, unknown, object, string]>([
    [3, "relu", {}, '"x" must be a tensor { data, dims } or { shape, dataSync() }, got 3'],
    [x, "swish", {}, '"kind" must be one of "gelu", "gelu-tanh", "silu", "relu", "tanh", "sigmoid", got "swish"'],
    [x, undefined, {}, '"kind" must be one of "gelu", "gelu-tanh", "silu", "relu", "tanh", "sigmoid", got undefined'],
    [x, "relu", { gate: normal([3, 2], 1) }, '"gate" has dims [3, 2], expected [2, 3] (as x)'],
    [x, "relu", { out: normal([6], 1) }, '"out" has dims [6], expected [2, 3] (as x)'],
    [x, "relu", { gates: x }, 'unknown option "gates"; did you mean "gate"?'],
    [x, "relu", [], '"options" must be an object, got an array of 0'],
  ])("%#", (input, kind, options, message) => {
    using engine = openBuild("simd");
    expect(() => engine.activate(input as typeof x, kind as Activation, options)).toThrow(`activate: ${message}`);
    expect(engine.info.memory.inUse).toBe(0);
  });

  test("a result that overlaps the gate", () => {
    using engine = openBuild("simd");
    const gate = engine.tensor([2, 3]);
    expect(() => engine.activate(x, "relu", { gate, out: gate })).toThrow(
      'activate: "out" overlaps "gate" in the engine\'s memory; only the tensor "x" itself may be overwritten',
    );
    engine.dispose();
    expect(() => engine.activate(x, "relu")).toThrow("activate: the engine has been disposed of");
  });
});
