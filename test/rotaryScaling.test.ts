/** Scaled rotary embeddings: against transformers' numbers and the reference, in tables, layers and caches; what is refused. */
import { describe, expect, test } from "vitest";
import type { RopeScaling, RotaryConfig, RotaryScaling, TensorLike } from "headwise";
import { type ReferenceScaling, rotary as reference, rotaryFrequencies } from "headwise/reference";
import { expectSameBits, largestError } from "./support/attention.js";
import { openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { normal } from "./support/random.js";

const SHORT = [0.9978, 1.0147, 1.03, 1.05, 1.1, 1.2, 1.3, 1.4];
const LONG = [1.08, 1.11, 1.4, 2.0, 4.5, 20.0, 40.0, 64.5];
const LONGROPE = { type: "longrope", shortFactor: SHORT, longFactor: LONG, originalMaxPositionEmbeddings: 4096 } as const;

/** One for each type, for heads of 16 channels. */
const SCALINGS: Record<string, RotaryScaling> = {
  linear: { type: "linear", factor: 2.5 },
  "dynamic, short": { type: "dynamic", factor: 4, maxPositionEmbeddings: 2048, length: 100 },
  "dynamic, long": { type: "dynamic", factor: 4, maxPositionEmbeddings: 2048, length: 9999 },
  yarn: { type: "yarn", factor: 8, originalMaxPositionEmbeddings: 4096 },
  "yarn, every option": {
    ...{ type: "yarn", factor: 40, originalMaxPositionEmbeddings: 4096, betaFast: 20, betaSlow: 2, truncate: false },
    ...{ mscale: 0.7, mscaleAllDim: 1 },
  },
  "yarn, a factor of its own": {
    type: "yarn",
    maxPositionEmbeddings: 9000,
    originalMaxPositionEmbeddings: 512,
    attentionFactor: 0.75,
  },
  "yarn, both bounds at the first pair": { type: "yarn", factor: 8, originalMaxPositionEmbeddings: 6 },
  "yarn, bounds within one pair": { type: "yarn", factor: 8, originalMaxPositionEmbeddings: 4096, betaFast: 1, truncate: false },
  llama3: { type: "llama3", factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 8192 },
  "longrope, short": { ...LONGROPE, factor: 32, length: 4096 },
  "longrope, long": { ...LONGROPE, maxPositionEmbeddings: 131072, length: 4097 },
  "longrope, a factor of its own": { ...LONGROPE, attentionFactor: 1.25, length: 5000 },
};

/**
 * What transformers 5.24.0 computes (modeling_rope_utils.py, in float32): some frequencies by pair, and the factor on cosines and sines.
 */
const TRANSFORMERS: [number, number, RotaryScaling, number, Record<number, number>][] = [
  [128, 10000, { type: "linear", factor: 2.5 }, 1, { 0: 0.4, 8: 0.1264911, 24: 0.012649111, 56: 0.00012649111 }],
  [
    ...([64, 10000, { type: "dynamic", factor: 2, maxPositionEmbeddings: 2048, length: 8192 }, 1] as const),
    { 0: 1, 4: 0.24601132, 12: 0.014888993, 20: 0.00090110512, 28: 5.4536296e-5 },
  ],
  [
    ...([64, 10000, { type: "dynamic", factor: 2, maxPositionEmbeddings: 2048, length: 100 }, 1] as const),
    { 0: 1, 4: 0.31622776, 20: 0.0031622779, 28: 0.00031622779 },
  ],
  [
    ...([64, 10000] as const),
    { type: "yarn", factor: 40, originalMaxPositionEmbeddings: 4096, betaFast: 32, betaSlow: 1, mscale: 0.707, mscaleAllDim: 1 },
    ...([
      0.921042355,
      { 8: 0.1, 12: 0.026879361, 14: 0.012447956, 18: 0.0022493652, 22: 0.00017782794, 30: 4.4456983e-6 },
    ] as const),
  ],
  [
    ...([128, 1e6, { type: "yarn", factor: 4, originalMaxPositionEmbeddings: 32768 }, 1.13862944] as const),
    { 20: 0.013335215, 24: 0.0053753215, 32: 0.00060294115, 36: 0.00017984118, 40: 4.4456985e-5, 60: 5.9284343e-7 },
  ],
  [
    ...([64, 150000, { type: "yarn", factor: 32, originalMaxPositionEmbeddings: 4096, truncate: false }, 1.34657359] as const),
    { 8: 0.05081328, 10: 0.019335002, 12: 0.0067949593, 16: 0.00045648392, 18: 3.8308812e-5, 30: 4.3879785e-7 },
  ],
  [
    ...([128, 500000] as const),
    { type: "llama3", factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 8192 },
    ...([1, { 0: 1, 24: 0.0072926651, 32: 0.00052484602, 40: 3.4281024e-5, 56: 1.2891732e-6 }] as const),
  ],
  [
    ...([64, 500000] as const),
    { type: "llama3", factor: 32, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 8192 },
    ...([1, { 12: 0.0072926651, 16: 0.00042955671, 20: 8.5702559e-6, 28: 3.2229329e-7 }] as const),
  ],
  [
    ...([16, 10000, { ...LONGROPE, maxPositionEmbeddings: 131072, length: 4096 }, 1.19023807] as const),
    { 0: 1.0022049, 1: 0.31164655, 4: 0.0090909088, 7: 0.00022587698 },
  ],
  [
    ...([16, 10000, { ...LONGROPE, maxPositionEmbeddings: 131072, length: 4097 }, 1.19023807] as const),
    { 0: 0.92592591, 1: 0.28488988, 4: 0.0022222223, 7: 4.9027562e-6 },
  ],
];

const inSnakeCase = (scaling: object): RopeScaling =>
  Object.fromEntries(
    Object.entries(scaling).map(([name, value]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value as unknown,
    ]),
  );

onEveryEngine((_, engine) => {
  test.each(TRANSFORMERS)(
    "transformers, %i channels, base %f, %j: frequencies within 2e-6 of themselves",
    (rotaryDim, base, scaling, attentionFactor, frequencies) => {
      const { cos, sin } = engine.rotaryTables({ length: 2, rotaryDim, base, scaling });
      const truth = rotaryFrequencies(rotaryDim, base, scaling as ReferenceScaling);
      expect(Math.abs(truth.attentionFactor / attentionFactor - 1)).toBeLessThanOrEqual(1e-8);
      for (const [name, frequency] of Object.entries(frequencies)) {
        const pair = Number(name);
        const [c, s] = [cos.data[rotaryDim / 2 + pair]!, sin.data[rotaryDim / 2 + pair]!]; // of position 1
        expect(Math.abs(Math.atan2(s, c) / frequency - 1)).toBeLessThanOrEqual(2e-6);
        expect(Math.abs(truth.frequencies[pair]! / frequency - 1)).toBeLessThanOrEqual(2e-6);
        expect(Math.abs(Math.hypot(c, s) / attentionFactor - 1)).toBeLessThanOrEqual(2 ** -23);
      }
    },
  );

  describe.each(Object.keys(SCALINGS))("%s", (name) => {
    const scaling = SCALINGS[name]!;
    const x = normal([2, 9, 3, 20], 1);

    test.each<[RotaryConfig & { offset: number; inverse?: boolean }]>([
      [{ rotaryDim: 16, offset: 0 }],
      [{ rotaryStart: 4, offset: 5000, interleaved: true, base: 500000 }],
      [{ rotaryDim: 16, offset: 123456, inverse: true }],
    ])("rotary %j: rounding of tables, products and a sum, and of the angle", (options) => {
      const found = engine.rotary(x, { ...options, scaling });
      const truth = reference(x, { ...options, tables: undefined, scaling: scaling as ReferenceScaling } as object).data;
      const largest =
        2 * Math.max(...x.data.map(Math.abs)) * rotaryFrequencies(16, 10000, scaling as ReferenceScaling).attentionFactor;
      expect(largestError(found.data, truth)).toBeLessThanOrEqual((3 * 2 ** -24 + (options.offset + 9) * 2 ** -50) * largest);
    });

    test("the same bits by the names of config.json, in tables, and row by row", () => {
      const options = { rotaryDim: 16, offset: 30 };
      const expected = engine.rotary(x, { ...options, scaling }).data;
      const named = inSnakeCase({ ...scaling, type: null, ropeType: scaling.type, lowFreqFactor: scaling.lowFreqFactor });
      expectSameBits(engine.rotary(x, { ...options, scaling: named }).data, expected, "rope_type");
      expectSameBits(
        engine.rotary(x, { ...options, scaling: { ...inSnakeCase(scaling), rope_type: scaling.type } }).data,
        expected,
        "both",
      );
      const tables = engine.rotaryTables({ length: 40, rotaryDim: 16, scaling });
      expectSameBits(engine.rotary(x, { offset: 30, tables }).data, expected, "tables");
      for (let i = 0; i < 9; i++) {
        const row = { data: x.data.slice(i * 60, (i + 1) * 60), dims: [1, 1, 3, 20] };
        expectSameBits(
          engine.rotary(row, { ...options, scaling, offset: 30 + i }).data,
          expected.slice(i * 60, (i + 1) * 60),
          `row ${i}`,
        );
      }
    });

    test("a layer has the bits of its parts, prefill and decoding those of one call, and its config gives the same layer", () => {
      const rotary = { rotaryDim: 16, scaling };
      const [x, q, k, v, out] = [
        normal([7, 24], 2),
        normal([40, 24], 3),
        normal([20, 24], 4),
        normal([20, 24], 5),
        normal([24, 40], 6),
      ] as const;
      const config = { embedDim: 24, numHeads: 2, numKvHeads: 1, headDim: 20, rotary };
      using layer = engine.createMultiHeadAttention(config, { q, k, v, out });
      const projected = (w: TensorLike, heads: number): TensorLike => ({
        data: engine.matmul(x, w, { transposeB: true }).data,
        dims: [1, 7, heads, 20],
      });
      const attended = engine.scaledDotProductAttention(
        engine.rotary(projected(q, 2), rotary),
        engine.rotary(projected(k, 1), rotary),
        projected(v, 1),
        { causal: true },
      );
      const expected = engine.matmul({ data: attended.data, dims: [7, 40] }, out, { transposeB: true }).data;
      const whole = layer.forward(x, { causal: true }).data;
      expectSameBits(whole, expected, "parts");
      using cache = layer.createCache({ capacity: 7 });
      const first = layer.forward({ data: x.data.slice(0, 5 * 24), dims: [5, 24] }, { cache }).data;
      const rest = layer.forward({ data: x.data.slice(5 * 24), dims: [2, 24] }, { cache }).data;
      expectSameBits(Float32Array.of(...first, ...rest), whole, "pieces");
      using again = engine.createMultiHeadAttention(layer.config, { q, k, v, out });
      expectSameBits(again.forward(x, { causal: true }).data, whole, "config");
    });
  });

  test("type default, and factors of 1, change no bit; of two channels one pair does not scale", () => {
    const x = normal([3, 8], 7);
    const expected = engine.rotary(x, { offset: 9 }).data;
    const scalings: RotaryScaling[] = [
      { type: "default" },
      { type: "linear", factor: 1 },
      { type: "dynamic", factor: 8, maxPositionEmbeddings: 50, length: 50 },
      { type: "yarn", factor: 1, originalMaxPositionEmbeddings: 50 },
      { type: "llama3", factor: 1, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 2 },
    ];
    for (const scaling of scalings) expectSameBits(engine.rotary(x, { offset: 9, scaling }).data, expected, scaling.type);
    const pair = { offset: 9, rotaryDim: 2 };
    const scaling = { type: "dynamic", factor: 8, maxPositionEmbeddings: 50, length: 5000 } as const;
    expectSameBits(engine.rotary(x, { ...pair, scaling }).data, engine.rotary(x, pair).data, "one pair");
  });

  test("longrope by its old name", () => {
    const options = { rotaryDim: 16, length: 9 };
    const old = { ...SCALINGS["longrope, short"]!, type: "su" } as unknown as RopeScaling;
    expectSameBits(
      engine.rotaryTables({ ...options, scaling: old }).cos.data,
      engine.rotaryTables({ ...options, scaling: SCALINGS["longrope, short"]! }).cos.data,
      "su",
    );
  });

  test("tables take their length by default", () => {
    const options = { rotaryDim: 16, length: 5000 };
    for (const scaling of [SCALINGS["dynamic, short"]!, SCALINGS["longrope, long"]!]) {
      const own = engine.rotaryTables({ ...options, scaling: { ...scaling, length: null } });
      expectSameBits(
        own.cos.data,
        engine.rotaryTables({ ...options, scaling: { ...scaling, length: 5000 } }).cos.data,
        scaling.type,
      );
      expect(own.sin.data).not.toEqual(engine.rotaryTables({ ...options, scaling: { ...scaling, length: 8 } }).sin.data);
    }
  });
});

describe("mismatches are named", () => {
  const yarn = { type: "yarn", factor: 2, originalMaxPositionEmbeddings: 64 };
  const llama3 = { type: "llama3", factor: 2, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 64 };
  const longrope = { type: "longrope", length: 9, originalMaxPositionEmbeddings: 64, shortFactor: [1, 1], longFactor: [1, 2] };
  test.each<[unknown, string]>([
    [2, '"scaling" must be { type, … }, got 2'],
    [{}, '"scaling.type" must be one of "default", "linear", "dynamic", "yarn", "llama3", "longrope", got undefined'],
    [{ rope_type: "ntk" }, '"scaling.type" must be one of "default", "linear", "dynamic", "yarn", "llama3", "longrope", got "ntk"'],
    [{ type: "yarn", rope_type: "linear" }, '"scaling" gives type twice: "yarn" and "linear"'],
    [{ type: "linear" }, '"scaling.factor" is missing, expected a number from 1 to 1048576'],
    [{ type: "linear", factor: 0.5 }, '"scaling.factor" must be a number from 1 to 1048576, got 0.5'],
    [{ type: "linear", factor: "2" }, '"scaling.factor" must be a number from 1 to 1048576, got "2"'],
    [{ type: "linear", factor: 2, beta_fast: 3 }, '"scaling.betaFast" has no effect: type "linear" has the options factor'],
    [{ type: "default", factor: 2 }, '"scaling.factor" has no effect: type "default" has no options'],
    [{ type: "linear", factr: 2 }, 'unknown option "scaling.factr"; did you mean "factor"?'],
    [
      { type: "linear", factor: 2, rope_theta: 3 },
      'unknown option "scaling.rope_theta"; "base" and "rotaryDim" stand beside "scaling"',
    ],
    [
      { type: "dynamic", factor: 2, length: 9 },
      '"scaling.maxPositionEmbeddings" is missing, expected an integer from 1 to 536870912',
    ],
    [
      { type: "dynamic", factor: 2, maxPositionEmbeddings: 9 },
      '"scaling.length" is missing: the angles of type "dynamic" depend on the length of sequences',
    ],
    [
      { type: "dynamic", factor: 2, maxPositionEmbeddings: 9, length: 0 },
      '"scaling.length" must be an integer from 1 to 536870912, got 0',
    ],
    [{ ...yarn, factor: null }, '"scaling.factor" is missing, expected a number from 1 to 1048576'],
    [{ type: "yarn", factor: 2 }, '"scaling.originalMaxPositionEmbeddings" is missing, expected an integer from 2 to 536870912'],
    [{ ...yarn, betaFast: 0.5 }, '"scaling.betaFast" is 0.5, expected at least betaSlow 1'],
    [{ ...yarn, mscale: 1 }, '"scaling.mscaleAllDim" is missing; "scaling.mscale" needs it'],
    [{ ...yarn, mscaleAllDim: 1 }, '"scaling.mscale" is missing; "scaling.mscaleAllDim" needs it'],
    [{ ...yarn, attentionFactor: 0 }, '"scaling.attentionFactor" must be a number from 9.5367431640625e-7 to 1048576, got 0'],
    [{ ...yarn, truncate: 1 }, '"scaling.truncate" must be true or false, got 1'],
    [
      { ...yarn, factor: null, maxPositionEmbeddings: 63 },
      '"scaling.maxPositionEmbeddings" must be an integer from 64 to 536870912, got 63',
    ],
    [{ ...llama3, highFreqFactor: 1 }, '"scaling.highFreqFactor" is 1, expected more than lowFreqFactor 1'],
    [longrope, '"scaling.factor" is missing; type "longrope" needs it, or "attentionFactor" or "maxPositionEmbeddings"'],
    [{ ...longrope, factor: 2, shortFactor: 3 }, '"scaling.shortFactor" must be an array of 2 numbers, got 3'],
    [
      { ...longrope, factor: 2, longFactor: [1] },
      '"scaling.longFactor" holds 1 element, expected 2, one for each pair of channels',
    ],
    [{ ...longrope, factor: 2, longFactor: [1, 0] }, '"scaling.longFactor[1]" must be a number from 0.75 to 1048576, got 0'],
  ])("%#", (scaling, message) => {
    using engine = openBuild("simd");
    const options = { scaling: scaling as RotaryScaling };
    expect(() => engine.rotary(normal([3, 4], 1), options)).toThrow(`rotary: ${message}`);
    expect(() => engine.createKVCache({ numKvHeads: 1, headDim: 4, capacity: 9 }).remove(0, 0, { rotary: options })).toThrow(
      `KVCache.remove: ${message}`,
    );
    if (!message.startsWith('"scaling.length" is missing')) {
      expect(() => engine.rotaryTables({ ...options, length: 3, rotaryDim: 4 })).toThrow(`rotaryTables: ${message}`);
    }
  });

  test("with tables, and yarn with base 1", () => {
    using engine = openBuild("simd");
    const tables = engine.rotaryTables({ length: 3, rotaryDim: 4 });
    const scaling = { type: "linear", factor: 2 } as const;
    const x = normal([3, 4], 1);
    expect(() => engine.rotary(x, { tables, scaling })).toThrow(
      'rotary: "scaling" cannot be combined with "tables", which already hold the angles',
    );
    expect(() => engine.rotary(x, { base: 1, scaling: yarn as RotaryScaling })).toThrow(
      'rotary: "scaling" of type "yarn" needs a "base" above 1',
    );
  });
});
