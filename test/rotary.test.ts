/** Rotary embeddings: against the reference, relative positions, tables, layouts, determinism, places for results. */
import { describe, expect, test } from "vitest";
import type { Layout, RotaryOptions, RotaryTablesOptions, TensorLike } from "headwise";
import { type ReferenceRotaryOptions, rotary as reference } from "headwise/reference";
import { dimsOf, expectSameBits, largestError, poison } from "./support/attention.js";
import { openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { ulp } from "./support/float32.js";
import { normal, type TestTensor } from "./support/random.js";

const LAYOUTS = ["bshd", "bhsd"] as const;

const magnitudeOf = ({ data }: TestTensor): number => data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Rounding of the tables, two products and a sum; and rounding of the host's powers, multiplied by the angle. */
const boundOf = (x: TestTensor, position: number): number => (3 * 2 ** -24 + position * 2 ** -52) * 2 * magnitudeOf(x);

/** [batch, seq, heads, headDim] in the other layout. */
function transposed({ data, dims }: TestTensor): TestTensor {
  const [batch, rows, heads, channels] = dims as [number, number, number, number];
  const result = new Float32Array(data.length);
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < rows; i++)
      for (let h = 0; h < heads; h++) {
        const from = ((b * rows + i) * heads + h) * channels;
        result.set(data.subarray(from, from + channels), ((b * heads + h) * rows + i) * channels);
      }
  return { data: result, dims: [batch, heads, rows, channels] };
}

onEveryEngine((_, engine) => {
  describe.each([[[2, 5, 3, 8]], [[1, 7, 2, 2]], [[3, 1, 1, 64]], [[2, 3, 2, 22]], [[1, 65, 2, 12]], [[2, 3, 5, 9]]])(
    "%j › seed 2",
    (sizes) => {
      const [batch, seqLen, heads, headDim] = sizes as [number, number, number, number];
      test.each<[Layout, Omit<ReferenceRotaryOptions, "tables">]>([
        ["bshd", {}],
        ["bhsd", { interleaved: true }],
        ["bhsd", { offset: 1000 }],
        ["bshd", { offset: 2 ** 20, interleaved: true, base: 500000 }],
        ["bshd", { offset: [11, 200, 3].slice(0, batch), rotaryDim: 2 }],
        ["bshd", { rotaryStart: Math.min(3, headDim - 2), offset: 40, rotaryDim: 2 * Math.max(1, Math.floor((headDim - 3) / 2)) }],
        ["bhsd", { rotaryStart: headDim - 2, rotaryDim: 2, interleaved: true, inverse: true }],
        ["bhsd", { positions: Array.from({ length: seqLen }, (_, i) => (i * 37) % 101), inverse: true }],
        [
          "bshd",
          { positions: Int32Array.from({ length: batch * seqLen }, (_, i) => (i * 53) % 997), interleaved: true, inverse: true },
        ],
      ])("%s %j", (layout, options) => {
        const x = normal(dimsOf(layout, batch, seqLen, heads, headDim), 2);
        const rotaryDim = options.rotaryDim ?? headDim - (headDim % 2);
        const found = engine.rotary(x, { layout, ...options, rotaryDim });
        expect(found.dims).toEqual(x.dims);
        const truth = reference(x, { layout, ...options, rotaryDim }).data;
        const last = typeof options.offset === "number" ? options.offset + seqLen : 1000;
        expect(largestError(found.data, truth)).toBeLessThanOrEqual(boundOf(x, last));
        const start = options.rotaryStart ?? 0;
        for (let j = 0; j < x.data.length; j++) {
          if (j % headDim < start || j % headDim >= start + rotaryDim) expect(found.data[j]).toBe(x.data[j]);
        }
      });
    },
  );

  test("a score depends on the distance alone: at most 1e-6 of |q| |k|, at positions up to 2²⁰", () => {
    const [q, k] = [normal([1, 64], 3), normal([1, 64], 4)];
    for (const interleaved of [false, true]) {
      const scoreAt = (i: number, j: number): number => {
        const [a, b] = [engine.rotary(q, { offset: i, interleaved }).data, engine.rotary(k, { offset: j, interleaved }).data];
        return a.reduce((sum, value, d) => sum + value * b[d]!, 0);
      };
      for (const distance of [0, 1, 17, 300]) {
        const expected = scoreAt(distance, 0);
        for (const j of [5, 1000, 2 ** 20]) expect(Math.abs(scoreAt(j + distance, j) - expected)).toBeLessThanOrEqual(64e-6);
      }
    }
  });

  test("rotating back undoes it, and norms are preserved: at most 4 · 2⁻²⁴ of the largest", () => {
    const x = normal([2, 6, 3, 16], 5);
    for (const options of [{}, { interleaved: true }, { rotaryDim: 10, offset: 77 }]) {
      const turned = engine.rotary(x, options);
      const back = engine.rotary(turned, { ...options, inverse: true });
      expect(largestError(back.data, x.data)).toBeLessThanOrEqual(4 * 2 ** -24 * 2 * magnitudeOf(x));
      for (let first = 0; first < x.data.length; first += 16) {
        const norm = (data: Float32Array): number => Math.hypot(...data.subarray(first, first + 16));
        expect(Math.abs(norm(turned.data) / norm(x.data) - 1)).toBeLessThanOrEqual(4 * 2 ** -24);
      }
    }
  });

  test("rotaryStart: the other channels stay, and those have the bits of a tensor of their own; all the rest by default", () => {
    const x = normal([2, 7, 3, 14], 11);
    const lastChannels = ({ data }: Pick<TestTensor, "data">, count: number) => data.filter((_, j) => j % 14 >= 14 - count);
    const last = { data: lastChannels(x, 6), dims: [2, 7, 3, 6] };
    const tables = engine.rotaryTables({ length: 50, rotaryDim: 6 });
    for (const options of [{}, { interleaved: true }, { inverse: true, base: 500 }, { tables }]) {
      const expected = engine.rotary(last, { ...options, offset: 40 });
      const found = engine.rotary(x, { ...options, offset: 40, rotaryStart: 8 });
      expectSameBits(lastChannels(found, 6), expected.data, "last channels");
      expectSameBits(
        found.data.filter((_, j) => j % 14 < 8),
        x.data.filter((_, j) => j % 14 < 8),
        "first channels",
      );
      using placed = engine.tensor(x.dims);
      placed.data.set(x.data);
      expectSameBits(engine.rotary(placed, { ...options, offset: 40, rotaryStart: 8, out: placed }).data, found.data, "in place");
    }
  });

  test("position 0 changes no bit", () => {
    const x = normal([1, 9], 6);
    expectSameBits(engine.rotary(x, { rotaryDim: 6 }).data, x.data, "halves");
    expectSameBits(engine.rotary(x, { rotaryDim: 6, interleaved: true }).data, x.data, "neighbours");
  });

  test("layouts, neighbours and halves, rows alone and tables: the same bits", () => {
    const x = normal([2, 7, 3, 14], 7);
    const expected = engine.rotary(x, { offset: 40 });
    expectSameBits(
      engine.rotary(transposed(x), { layout: "bhsd", offset: 40 }).data,
      transposed({ ...expected, dims: x.dims }).data,
      "bhsd",
    );
    const channelOf = (c: number): number => (c % 7) * 2 + Math.floor(c / 7); // of channel c if pairs are neighbours
    const spread = (data: Float32Array): Float32Array => {
      const result = new Float32Array(data.length);
      for (const [j, value] of data.entries()) result[j - (j % 14) + channelOf(j % 14)] = value;
      return result;
    };
    const neighbours = { data: spread(x.data), dims: x.dims };
    expectSameBits(engine.rotary(neighbours, { interleaved: true, offset: 40 }).data, spread(expected.data), "neighbours");
    const tables = engine.rotaryTables({ length: 50, rotaryDim: 14 });
    expectSameBits(engine.rotary(x, { tables, offset: 40 }).data, expected.data, "tables");
    expectSameBits(engine.rotary(x, { tables, offset: [40, 40] }).data, expected.data, "an offset each");
    const positions = Array.from({ length: 14 }, (_, i) => 40 + (i % 7));
    expectSameBits(engine.rotary(x, { positions }).data, expected.data, "positions");
    for (let i = 0; i < 7; i++) {
      const row = { data: x.data.slice(i * 42, (i + 1) * 42), dims: [1, 1, 3, 14] };
      expectSameBits(engine.rotary(row, { offset: 40 + i }).data, expected.data.slice(i * 42, (i + 1) * 42), `row ${i}`);
    }
  });

  test("the caller's tables are used unchanged", () => {
    const tables = { cos: normal([5, 3], 8), sin: normal([5, 3], 9) };
    const x = normal([2, 3, 1, 8], 10);
    for (const options of [{ offset: 2 }, { positions: [4, 0, 4] }, { offset: [0, 1], interleaved: true, inverse: true }]) {
      const found = engine.rotary(x, { tables, ...options });
      const truth = reference(x, { tables, ...options }).data;
      expect(largestError(found.data, truth)).toBeLessThanOrEqual(2 ** -22 * magnitudeOf(x) * 4);
    }
  });

  test("tables: within 1 ulp of the cosine and sine of integers up to 2²⁹", () => {
    // base 1: every angle is the position itself
    const positions = [0, 1, 2, 3, 11, 22, 44, 355, 710, 103993, 104348, 208341, 312689, 833719, 1146408, 4272943, 5419351];
    for (let position = 7; position < 2 ** 29; position = Math.floor(position * 1.007) + 1) positions.push(position);
    positions.push(80143857, 165707065, 245850922, 411557987, 2 ** 29 - 1);
    const unit = { data: Float32Array.from({ length: 2 * positions.length }, (_, j) => 1 - (j % 2)), dims: [positions.length, 2] };
    const found = engine.rotary(unit, { base: 1, positions }).data;
    let worst = 0;
    for (const [row, position] of positions.entries()) {
      for (const [index, truth] of [Math.cos(position), Math.sin(position)].entries()) {
        const error = Math.abs(found[2 * row + index]! - truth) / ulp(truth);
        worst = Math.max(worst, found[2 * row + index] === truth ? 0 : error);
      }
    }
    expect(worst).toBeLessThanOrEqual(1);
  });

  test.each([64, 80, 128, 2])(
    "tables of %i channels: θ = position · base^(−2i / rotaryDim), within 1 ulp and 2⁻⁵² of the angle",
    (rotaryDim) => {
      for (const base of [10000, 1e6, 1.5]) {
        const { cos, sin } = engine.rotaryTables({ length: 300, rotaryDim, base });
        expect([cos.dims, sin.dims]).toEqual([
          [300, rotaryDim / 2],
          [300, rotaryDim / 2],
        ]);
        for (let j = 0; j < cos.data.length; j++) {
          const [position, i] = [Math.floor(j / (rotaryDim / 2)), j % (rotaryDim / 2)];
          const angle = position * base ** ((-2 * i) / rotaryDim);
          for (const [found, truth] of [
            [cos.data[j]!, Math.cos(angle)],
            [sin.data[j]!, Math.sin(angle)],
          ] as const) {
            if (Math.abs(found - truth) > ulp(truth) + angle * 2 ** -52)
              expect.fail(`position ${position}, pair ${i}: ${found}, expected ${truth}`);
          }
        }
      }
    },
  );

  test("the same bits in place and in another `out`", () => {
    for (const layout of LAYOUTS) {
      const x = normal([2, 3, 2, 10], 11);
      const expected = engine.rotary(x, { layout, rotaryDim: 6, offset: 3 });
      const result = { data: new Float32Array(120).fill(NaN), dims: x.dims };
      expect(engine.rotary(x, { layout, rotaryDim: 6, offset: 3, out: result })).toBe(result);
      expectSameBits(result.data, expected.data, "a place");
      const placed = engine.tensor(x.dims);
      placed.data.set(x.data);
      poison(engine);
      expect(engine.rotary(placed, { layout, rotaryDim: 6, offset: 3, out: placed })).toBe(placed);
      expectSameBits(placed.data, expected.data, "in place");
      placed.dispose();
    }
    expect(engine.info.memory.inUse).toBe(0);
  });

  test("NaN and ∞ stay in their pair", () => {
    const x = { data: Float32Array.of(NaN, 1, 1, Infinity, 1, 1, 1, 1), dims: [1, 8] };
    const found = engine.rotary(x, { offset: 1 }).data;
    expect([...found.keys()].filter((j) => !Number.isFinite(found[j]))).toEqual([0, 3, 4, 7]);
  });

  test("no rows give no rows", () => {
    for (const dims of [
      [0, 4],
      [2, 0, 3, 4],
      [0, 2, 3, 4],
    ]) {
      expect(engine.rotary({ data: new Float32Array(0), dims }).dims).toEqual(dims);
    }
    expect(engine.rotaryTables({ length: 0, rotaryDim: 4 }).cos.dims).toEqual([0, 2]);
  });
});

describe("mismatches are named", () => {
  const x = normal([2, 3, 1, 8], 1);
  const table = (rows: number, columns: number): TestTensor => normal([rows, columns], 1);
  test.each<[unknown, object, string]>([
    [3, {}, '"x" must be a tensor { data, dims } or { shape, dataSync() }, got 3'],
    [
      normal([2, 3, 8], 1),
      {},
      '"x" has dims [2, 3, 8], expected [batch, seq, heads, headDim] or [seq, headDim]; give "numHeads" for rows of numHeads · headDim',
    ],
    [normal([2, 7], 1), {}, '"rotaryDim" must be even, as channels rotate in pairs, got 7'],
    [normal([2, 1], 1), {}, '"rotaryDim" must be an integer from 2 to 1, got 1'],
    [x, { rotaryDim: 10 }, '"rotaryDim" must be an integer from 2 to 8, got 10'],
    [x, { rotaryStart: 3 }, '"rotaryDim" must be even, as channels rotate in pairs, got 5'],
    [x, { rotaryStart: 7 }, '"rotaryStart" must be an integer from 0 to 6, got 7'],
    [x, { rotaryStart: -1 }, '"rotaryStart" must be an integer from 0 to 6, got -1'],
    [x, { rotaryStart: "2" }, '"rotaryStart" must be an integer from 0 to 6, got "2"'],
    [x, { rotaryStart: 4, rotaryDim: 6 }, '"rotaryStart" 4 + rotaryDim 6 = 10, expected at most headDim 8'],
    [
      x,
      { rotaryStart: 2, tables: { cos: table(3, 4), sin: table(3, 4) } },
      '"rotaryStart" 2 + rotaryDim 8 = 10, expected at most headDim 8',
    ],
    [x, { rotaryDim: 3 }, '"rotaryDim" must be even, as channels rotate in pairs, got 3'],
    [x, { base: 0.5 }, '"base" must be a number from 1 to 1e+300, got 0.5'],
    [x, { base: "1e4" }, '"base" must be a number from 1 to 1e+300, got "1e4"'],
    [x, { interleaved: 1 }, '"interleaved" must be true or false, got 1'],
    [x, { inverse: 1 }, '"inverse" must be true or false, got 1'],
    [x, { offset: -1 }, '"offset" must be an integer from 0 to 536870909, got -1'],
    [x, { offset: [1] }, '"offset" holds 1 element, expected 2, one for each sequence'],
    [x, { offset: "1" }, '"offset" must be an array of 2 integers, got "1"'],
    [x, { positions: [1, 2] }, '"positions" has length 2, expected seqLen = 3 or batch × seqLen = 2 × 3 = 6'],
    [x, { positions: [1, 2, -3] }, '"positions[2]" must be an integer from 0 to 536870911, got -3'],
    [x, { positions: 7 }, '"positions" must be an array of integers, got 7'],
    [x, { positions: [0, 1, 2], offset: 3 }, '"offset" cannot be combined with "positions", which give every position'],
    [x, { tables: 1 }, '"tables" must be { cos, sin }, got 1'],
    [x, { tables: { cos: table(3, 4) } }, '"tables.sin" must be a tensor { data, dims } or { shape, dataSync() }, got undefined'],
    [x, { tables: { cos: table(3, 4), sin: table(3, 3) } }, '"tables.sin" has dims [3, 3], expected [3, 4] (as tables.cos)'],
    [x, { tables: { cos: normal([12], 1), sin: table(3, 4) } }, '"tables.cos" has dims [12], expected [positions, rotaryDim / 2]'],
    [x, { tables: { cos: table(3, 5), sin: table(3, 5) } }, '"rotaryDim" must be an integer from 2 to 8, got 10'],
    [
      x,
      { tables: { cos: table(3, 4), sin: table(3, 4) }, rotaryDim: 6 },
      '"tables.cos" has dims [3, 4], expected 3 columns (half of rotaryDim 6)',
    ],
    [
      x,
      { tables: { cos: table(3, 4), sin: table(3, 4) }, base: 10 },
      '"base" cannot be combined with "tables", which already hold the angles',
    ],
    [x, { tables: { cos: table(4, 4), sin: table(4, 4) }, offset: 2 }, '"offset" must be an integer from 0 to 1, got 2'],
    [x, { tables: { cos: table(2, 4), sin: table(2, 4) } }, '"tables" hold 2 positions, expected at least seqLen = 3'],
    [
      x,
      { tables: { cos: table(4, 4), sin: table(4, 4) }, positions: [0, 1, 4] },
      '"positions[2]" must be an integer from 0 to 3, got 4',
    ],
    [x, { out: normal([48], 1) }, '"out" has dims [48], expected [2, 3, 1, 8] (as x)'],
    [x, { theta: 1 }, 'unknown option "theta"; here it is "base"'],
  ])("%#", (input, options, message) => {
    using engine = openBuild("simd");
    expect(() => engine.rotary(input as TensorLike, options as RotaryOptions)).toThrow(`rotary: ${message}`);
    expect(engine.info.memory.inUse).toBe(0);
  });

  test.each<[unknown, string]>([
    [{}, '"length" is missing, expected an integer from 0 to 536870912'],
    [{ length: 3 }, '"rotaryDim" is missing, expected an integer from 2 to 1048576'],
    [{ length: 3, rotaryDim: 5 }, '"rotaryDim" must be even, as channels rotate in pairs, got 5'],
    [{ length: 3, rotaryDim: 4, base: 0 }, '"base" must be a number from 1 to 1e+300, got 0'],
    [{ length: 3, rotaryDim: 4, theta: 0 }, 'unknown option "theta"; here it is "base"'],
  ])("tables %#", (options, message) => {
    using engine = openBuild("simd");
    expect(() => engine.rotaryTables(options as RotaryTablesOptions)).toThrow(`rotaryTables: ${message}`);
  });

  test("a result that overlaps the tables", () => {
    using engine = openBuild("simd");
    const [cos, sin] = [engine.tensor([2, 4]), engine.tensor([2, 4])];
    const q = normal([2, 4], 1);
    expect(() => engine.rotary(q, { tables: { cos: cos.reshape([4, 2]), sin: sin.reshape([4, 2]) }, out: cos })).toThrow(
      'rotary: "out" overlaps "tables.cos" in the engine\'s memory; only the tensor "x" itself may be overwritten',
    );
  });
});
