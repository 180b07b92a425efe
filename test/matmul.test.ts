/** The matrix product: parity, every size from 0 up, and what does not change its bits. */
import { ACTIVATIONS } from "../src/runtime/abi.generated.js";
import { describe, expect, test } from "vitest";
import { createEngine, type Engine, type MatmulOptions } from "headwise";
import { matmul as reference, type ReferenceMatmulOptions } from "headwise/reference";
import { expectParity, expectSameBits, poison } from "./support/attention.js";
import { onEveryBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, type TestTensor } from "./support/random.js";

/** The same in float32, every operation rounded: the yardstick. */
function naive(a: TestTensor, b: TestTensor, options: ReferenceMatmulOptions): Float32Array {
  const { fround } = Math;
  const { transposeA = false, transposeB = false, bias, initial } = options;
  const terms = reference(a, b, { ...options, bias: undefined, initial: undefined });
  const [rows, columns] = terms.dims.slice(-2) as [number, number];
  const depth = transposeA ? a.dims.at(-2)! : a.dims.at(-1)!;
  expect(terms.data.length, "one entry").toBe(rows * columns);
  return Float32Array.from(terms.data, (_, index) => {
    const [i, j] = [Math.floor(index / columns), index % columns];
    let sum = initial ? initial.data[index]! : 0;
    for (let k = 0; k < depth; k++) {
      const left = a.data[transposeA ? k * rows + i : i * depth + k]!;
      const right = b.data[transposeB ? j * depth + k : k * columns + j]!;
      sum = fround(sum + fround(left * right));
    }
    return bias ? fround(sum + bias.data[j]!) : sum;
  });
}

const swapped = ({ data, dims: [rows, columns] }: TestTensor): TestTensor => ({
  data: Float32Array.from(data, (_, index) => data[(index % rows!) * columns! + Math.floor(index / rows!)]!),
  dims: [columns!, rows!],
});

/** Each size on either side of a tile, a panel, a chain, a block. */
const SIZES: [number, number, number][] = [
  ...([1, 2, 3, 4, 5, 6, 7, 9, 13] as const).map((rows): [number, number, number] => [rows, 5, 11]),
  ...([1, 2, 7, 8, 9, 16, 17, 31, 33, 40] as const).map((columns): [number, number, number] => [1, 9, columns]),
  ...[[4, 1, 8] as const, [6, 3, 24] as const, [8, 64, 65] as const, [13, 511, 3] as const, [7, 513, 9] as const].map(
    ([...sizes]): [number, number, number] => sizes,
  ),
  [2, 129, 10],
  [5, 1030, 17],
  [3, 20, 257],
  [100, 7, 530],
  [8, 70, 40],
  [3, 2050, 520],
  [600, 3, 5],
];

onEveryEngine((_, engine) => {
  describe.each(SIZES)("%i × %i × %i", (rows, depth, columns) => {
    const a = normal([rows, depth], 1);
    const b = normal([depth, columns], 2);
    const bias = normal([columns], 3);
    const initial = normal([rows, columns], 4);

    test("at most twice the error of naive float32; plain, transposed and packed have the same bits", () => {
      poison(engine);
      const out = engine.matmul(a, b);
      expect(out.dims).toEqual([rows, columns]);
      expectParity("product", out.data, reference(a, b).data, naive(a, b, {}));
      poison(engine);
      expectSameBits(engine.matmul(swapped(a), b, { transposeA: true }).data, out.data, "transposeA");
      expectSameBits(engine.matmul(a, swapped(b), { transposeB: true }).data, out.data, "transposeB");
      for (const layout of ["inOut", "outIn"] as const) {
        const packed = engine.packMatrix(layout === "inOut" ? b : swapped(b), layout);
        poison(engine);
        expectSameBits(engine.matmul(a, packed).data, out.data, layout);
        packed.dispose();
      }
    });

    test("with a bias, and added to the contents of out", () => {
      const out = { data: initial.data.slice(), dims: initial.dims };
      poison(engine);
      expect(engine.matmul(a, b, { bias, accumulate: true, out })).toBe(out);
      expectParity("sum", out.data, reference(a, b, { bias, initial }).data, naive(a, b, { bias, initial }));
      const resident = engine.tensor(initial.dims);
      resident.data.set(initial.data);
      expectSameBits(engine.matmul(a, b, { bias, accumulate: true, out: resident }).data, out.data, "in the engine's memory");
      resident.dispose();
    });

    test.each(ACTIVATIONS)("followed by %s, with the bits of activate", (activation) => {
      const out = engine.matmul(a, b, { bias });
      expectSameBits(engine.matmul(a, b, { bias, activation }).data, engine.activate(out, activation).data, activation);
    });

    test("a row has the same bits as alone", () => {
      const all = engine.matmul(a, b, { bias }).data;
      for (const row of [0, rows >> 1, rows - 1]) {
        const one = { data: a.data.subarray(row * depth, (row + 1) * depth), dims: [1, depth] };
        expectSameBits(engine.matmul(one, b, { bias }).data, all.subarray(row * columns, (row + 1) * columns), `row ${row}`);
      }
    });
  });

  test.each<[number[], number[], MatmulOptions]>([
    [[3, 5, 7], [7, 9], {}],
    [[2, 3, 5, 7], [7, 9], {}],
    [[5, 7], [3, 7, 9], {}],
    [[2, 1, 5, 7], [3, 7, 9], {}],
    [[2, 3, 5, 7], [2, 1, 7, 9], {}],
    [[4, 7, 5], [7, 9], { transposeA: true }],
    [[4, 5, 7], [4, 9, 7], { transposeB: true }],
    [[1, 1, 5, 7], [7, 9], {}],
    [[300, 1, 7], [300, 7, 3], {}],
  ])("leading axes broadcast: %j · %j %o", (aDims, bDims, options) => {
    const [a, b] = [normal(aDims, 5), normal(bDims, 6)];
    const truth = reference(a, b, options as ReferenceMatmulOptions);
    const out = engine.matmul(a, b, options);
    expect(out.dims).toEqual(truth.dims);
    expectParity("product", out.data, truth.data, Float32Array.from(truth.data));
    // and each entry has the bits of a separate product
    const entry = ({ data, dims }: TestTensor, index: number): TestTensor => {
      const size = dims.at(-1)! * dims.at(-2)!;
      return { data: data.subarray(index * size, (index + 1) * size), dims: dims.slice(-2) };
    };
    const last = engine.matmul(
      entry(a, a.data.length / (aDims.at(-1)! * aDims.at(-2)!) - 1),
      entry(b, b.data.length / (bDims.at(-1)! * bDims.at(-2)!) - 1),
      options,
    );
    expectSameBits(out.data.subarray(-last.data.length), last.data, "last entry");
  });

  test.each<[number[], number[], number[]]>([
    [[7], [7], []],
    [[7], [7, 9], [9]],
    [[5, 7], [7], [5]],
    [[7], [2, 3, 7, 9], [2, 3, 9]],
    [[2, 3, 5, 7], [7], [2, 3, 5]],
    [[600], [600, 530], [530]],
    [[530, 600], [600], [530]],
    [[0], [0], []],
    [[7], [7, 0], [0]],
    [[0, 7], [7], [0]],
  ])("vectors as in NumPy: %j · %j is %j, with the bits of a row or a column", (aDims, bDims, expected) => {
    const [a, b] = [normal(aDims, 7), normal(bDims, 8)];
    const asRow = { ...a, dims: aDims.length === 1 ? [1, ...aDims] : aDims };
    const asColumn = { ...b, dims: bDims.length === 1 ? [...bDims, 1] : bDims };
    const found = engine.matmul(a, b);
    expect(found.dims).toEqual(expected);
    const truth = reference(a, b);
    expect(truth.dims).toEqual(expected);
    const isOne = aDims.length < 3 && bDims.length < 3;
    expectParity("product", found.data, truth.data, isOne ? naive(asRow, asColumn, {}) : Float32Array.from(truth.data));
    expectSameBits(found.data, engine.matmul(asRow, asColumn).data, "as matrices");
    const bias = normal([bDims.length === 1 ? 1 : bDims.at(-1)!], 9);
    const out = { data: new Float32Array(found.data.length).fill(3), dims: expected };
    const options = { bias, activation: "relu", accumulate: true } as const;
    const matrix = { data: out.data.slice(), dims: engine.matmul(asRow, asColumn).dims };
    engine.matmul(asRow, asColumn, { ...options, out: matrix });
    expect(engine.matmul(a, b, { ...options, out })).toBe(out);
    expectSameBits(out.data, matrix.data, "with bias, activation and a place");
  });

  test("a vector times a packed matrix", () => {
    const [a, b] = [normal([40], 1), normal([40, 19], 2)];
    using packed = engine.packMatrix(b);
    const found = engine.matmul(a, packed);
    expect(found.dims).toEqual([19]);
    expectSameBits(found.data, engine.matmul(a, b).data, "packed");
  });

  test.each([
    [
      [0, 5],
      [5, 3],
      [0, 3],
    ],
    [
      [4, 5],
      [5, 0],
      [4, 0],
    ],
    [
      [0, 4, 5],
      [5, 3],
      [0, 4, 3],
    ],
  ])("nothing to compute: %j · %j", (aDims, bDims, expected) => {
    const out = engine.matmul(normal(aDims, 1), normal(bDims, 2));
    expect(out.dims).toEqual(expected);
    expect(out.data.length).toBe(0);
  });

  test("a depth of 0 gives the bias, or the contents of out", () => {
    const [a, b] = [normal([2, 0], 1), normal([0, 3], 2)];
    const bias = { data: Float32Array.of(1, 2, 3), dims: [3] };
    expect([...engine.matmul(a, b).data]).toEqual([0, 0, 0, 0, 0, 0]);
    expect([...engine.matmul(a, b, { bias }).data]).toEqual([1, 2, 3, 1, 2, 3]);
    const out = { data: Float32Array.of(1, 1, 1, 2, 2, 2), dims: [2, 3] };
    expect([...engine.matmul(a, b, { bias, accumulate: true, out }).data]).toEqual([2, 3, 4, 3, 4, 5]);
    const packed = engine.packMatrix(b);
    expect([...engine.matmul(a, packed, { bias }).data]).toEqual([1, 2, 3, 1, 2, 3]);
    packed.dispose();
  });

  test("NaN and infinity affect only their own rows and columns", () => {
    const a = { data: new Float32Array(9 * 10).fill(1), dims: [9, 10] };
    const b = { data: new Float32Array(10 * 11).fill(1), dims: [10, 11] };
    a.data[4 * 10 + 3] = NaN;
    b.data[5 * 11 + 10] = Infinity;
    const { data } = engine.matmul(a, b);
    for (let i = 0; i < 9; i++) {
      for (let j = 0; j < 11; j++) expect(data[i * 11 + j]).toBe(i === 4 ? NaN : j === 10 ? Infinity : 10);
    }
  });

  test("overflow, subnormal products and signed zeros behave as in float32", () => {
    const row = (...data: number[]) => ({ data: Float32Array.from(data), dims: [1, data.length] });
    const column = (...data: number[]) => ({ data: Float32Array.from(data), dims: [data.length, 1] });
    expect(engine.matmul(row(3e38, 3e38), column(1, 1)).data[0]).toBe(Infinity);
    expect(engine.matmul(row(Infinity, -Infinity), column(1, 1)).data[0]).toBe(NaN);
    expect(engine.matmul(row(2 ** -100), column(2 ** -45)).data[0]).toBe(2 ** -145);
  });
});

onEveryBuild((_, engine) => {
  const a = normal([3, 4], 1);
  const b = normal([4, 5], 2);
  const place = (dims: number[]) => ({ data: new Float32Array(dims.reduce((product, size) => product * size, 1)), dims });
  const packed = engine.packMatrix(b);

  test.each<[string, (target: Engine) => unknown, new (message: string) => Error, string]>([
    [
      "a scalar",
      (e) => e.matmul(1 as never, b),
      TypeError,
      'matmul: "a" must be a tensor { data, dims } or { shape, dataSync() }, got 1',
    ],
    [
      "a number as a tensor",
      (e) => e.matmul(normal([], 1), b),
      RangeError,
      'matmul: "a" has dims [], expected [depth] or [..., rows, depth]',
    ],
    [
      "a number as a tensor on the right",
      (e) => e.matmul(a, normal([], 1)),
      RangeError,
      'matmul: "b" has dims [], expected [depth] or [..., depth, columns]',
    ],
    [
      "a vector, transposed",
      (e) => e.matmul(normal([4], 1), b, { transposeA: true }),
      RangeError,
      'matmul: "transposeA" cannot be combined with a vector, but "a" has dims [4]',
    ],
    [
      "a vector on the right, transposed",
      (e) => e.matmul(a, normal([4], 1), { transposeB: true }),
      RangeError,
      'matmul: "transposeB" cannot be combined with a vector, but "b" has dims [4]',
    ],
    [
      "a vector of another depth",
      (e) => e.matmul(a, normal([3], 1)),
      RangeError,
      'matmul: "b" has depth 3, expected 4 (a has dims [3, 4])',
    ],
    [
      "an out with the axis that a vector lacks",
      (e) => e.matmul(normal([4], 1), b, { out: place([1, 5]) }),
      RangeError,
      'matmul: "out" has dims [1, 5], expected [5] (..., columns)',
    ],
    [
      "a bias of the rows",
      (e) => e.matmul(a, normal([4], 1), { bias: normal([3], 1) }),
      RangeError,
      'matmul: "bias" has dims [3], expected [1] (one for each column)',
    ],
    ["another depth", (e) => e.matmul(a, normal([3, 5], 1)), RangeError, 'matmul: "b" has depth 3, expected 4 (a has dims [3, 4])'],
    [
      "another depth, transposed",
      (e) => e.matmul(a, b, { transposeA: true }),
      RangeError,
      'matmul: "b" has depth 4, expected 3 (a has dims [3, 4], transposed)',
    ],
    [
      "leading axes that do not broadcast",
      (e) => e.matmul(normal([2, 3, 4], 1), normal([3, 4, 5], 2)),
      RangeError,
      'matmul: "a" and "b" have leading axes [2] and [3], expected equal sizes or 1',
    ],
    [
      "a short bias",
      (e) => e.matmul(a, b, { bias: normal([4], 1) }),
      RangeError,
      'matmul: "bias" has dims [4], expected [5] (one for each column)',
    ],
    [
      "another out",
      (e) => e.matmul(a, b, { out: place([3, 4]) }),
      RangeError,
      'matmul: "out" has dims [3, 4], expected [3, 5] (..., rows, columns)',
    ],
    [
      "accumulating into nothing",
      (e) => e.matmul(a, b, { accumulate: true }),
      TypeError,
      'matmul: "accumulate" needs "out", which it adds to',
    ],
    [
      "an activation",
      (e) => e.matmul(a, b, { activation: "swish" as never }),
      RangeError,
      'matmul: "activation" must be one of "gelu", "gelu-tanh", "silu", "relu", "tanh", "sigmoid", got "swish"',
    ],
    ["a flag", (e) => e.matmul(a, b, { transposeB: 1 as never }), TypeError, 'matmul: "transposeB" must be true or false, got 1'],
    [
      "an option",
      (e) => e.matmul(a, b, { transpose: true } as never),
      TypeError,
      'matmul: unknown option "transpose"; did you mean "transposeA"?',
    ],
    [
      "a packed matrix, transposed",
      (e) => e.matmul(a, packed, { transposeB: true }),
      RangeError,
      'matmul: "transposeB" cannot be combined with a packed matrix; packMatrix takes its layout',
    ],
    [
      "packing a vector",
      (e) => e.packMatrix(normal([4], 1), "outIn"),
      RangeError,
      'packMatrix: "b" has dims [4], expected [out, in]',
    ],
    ["a layout", (e) => e.packMatrix(b, "io" as never), RangeError, 'packMatrix: "layout" must be "inOut" or "outIn", got "io"'],
  ])("refuses %s", (_name, call, kind, message) => {
    const { inUse } = engine.info.memory;
    expect(() => call(engine)).toThrow(new kind(message));
    expect(engine.info.memory.inUse).toBe(inUse);
  });

  test("an out in the engine's memory must not overlap an operand", () => {
    const square = engine.tensor([4, 4]);
    for (const call of [
      () => engine.matmul(square, normal([4, 4], 1), { out: square }),
      () => engine.matmul(normal([4, 4], 1), square, { out: square }),
    ])
      expect(call).toThrow(/^matmul: "out" overlaps "[ab]" in the engine's memory$/);
    square.dispose();
  });

  test("a packed matrix keeps its memory until it is disposed of, and belongs to one engine", async () => {
    const { inUse } = engine.info.memory;
    const matrix = engine.packMatrix(b);
    expect([matrix.depth, matrix.columns]).toEqual([4, 5]);
    expect(() => Object.assign(matrix, { columns: 24 })).toThrow(TypeError); // the kernels would read beyond it
    expect(engine.info.memory.inUse).toBe(inUse + 4 * 8 * 4);
    const other = await createEngine();
    expect(() => other.matmul(a, matrix)).toThrow(new RangeError('matmul: "b" is a packed matrix of another engine'));
    other.dispose();
    matrix.dispose();
    matrix.dispose();
    expect(engine.info.memory.inUse).toBe(inUse);
    expect(() => engine.matmul(a, matrix)).toThrow(new Error('matmul: "b" has been disposed of'));
  });
});

test("if memory is short, a call fails and leaves nothing behind", async () => {
  const engine = await createEngine({ maximumMemory: 2 ** 21 });
  const { inUse } = engine.info.memory;
  expect(() => engine.matmul(normal([1, 800], 1), normal([800, 800], 1))).toThrow(RangeError);
  expect(() => engine.packMatrix(normal([600, 600], 1))).toThrow(RangeError); // fits once, not twice
  expect(engine.info.memory.inUse).toBe(inUse);
  engine.dispose();
  expect(() => engine.matmul(normal([1, 1], 1), normal([1, 1], 1))).toThrow(new Error("matmul: the engine has been disposed of"));
});

test("if there is no memory for a second workspace, one thread computes, with the same bits", async () => {
  const results = [];
  for (const maximumMemory of [1.75 * 2 ** 20, 2 ** 23]) {
    const engine = await createEngine({ threads: 2, maximumMemory });
    const [a, b, out] = [engine.tensor([128, 512]), engine.tensor([512, 256]), engine.tensor([128, 256])];
    a.data.set(normal(a.dims, 1).data);
    b.data.set(normal(b.dims, 2).data);
    results.push(engine.matmul(a, b, { out }).data.slice());
    engine.dispose();
  }
  expectSameBits(results[0]!, results[1]!, "product");
});
