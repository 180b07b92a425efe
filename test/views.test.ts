/** Views by strides and offset, for every operation's tensors and places; sequence first; rows that hold their heads side by side. */
import { describe, expect, test } from "vitest";
import type { DataTensor, Layout, MaskLike, Placement, PlaceTensor, TensorLike, WorkerEngine } from "headwise";
import { andMasks, applyMask, notMask } from "headwise";
import { scaledDotProductAttention as baseline } from "headwise/baseline";
import { linearAttention as linearReference, scaledDotProductAttention as reference } from "headwise/reference";
import { dimsOf, expectSameBits } from "./support/attention.js";
import { openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { asIs, type Form, k, mask, nowhere, OPERATIONS, places, q, v, x } from "./support/everyOperation.js";
import { float16Of } from "./support/halves.js";
import { countOf, eighths, normal, type TestTensor } from "./support/random.js";
import { here, shared } from "./support/workerEngines.js";

/** The indices of the elements of a view, in order, by its definition. */
function indicesOf(dims: readonly number[], strides: readonly number[], offset: number): number[] {
  return Array.from({ length: countOf(dims) }, (_, element) => {
    let [index, rest] = [offset, element];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index += (rest % dims[axis]!) * strides[axis]!;
      rest = Math.floor(rest / dims[axis]!);
    }
    return index;
  });
}

interface Placed extends Placement {
  readonly strides: number[];
  readonly offset: number;
}
/** Where elements of these sizes lie, with gaps between them. */
type Where = (dims: readonly number[]) => Placed;
/** Strides of axes from the innermost on, in an order, `gap` times further apart than needed. */
function stridesIn(order: readonly number[], dims: readonly number[], gap: number): number[] {
  const strides = dims.map(() => 0);
  let stride = gap;
  for (const axis of order) {
    strides[axis] = stride;
    stride = stride * dims[axis]! + (gap - 1);
  }
  return strides;
}
const axes = (dims: readonly number[]): number[] => [...dims.keys()];
const WHERES: Record<string, Where> = {
  "rows apart": (dims) => {
    const inner = stridesIn(axes(dims).slice(0, -1).reverse(), dims, dims.at(-1)! + 3);
    return { strides: [...inner.slice(0, -1), 1], offset: 5 };
  },
  "elements apart": (dims) => ({ strides: stridesIn(axes(dims).reverse(), dims, 2), offset: 1 }),
  "axes reversed": (dims) => ({ strides: stridesIn(axes(dims), dims, 1), offset: 0 }),
  "one after the other from an offset on": (dims) => ({ strides: stridesIn(axes(dims).reverse(), dims, 1), offset: 7 }),
};

/** Data of a view, NaN between its elements. */
function spread({ data, dims }: { readonly data: Float32Array; readonly dims: readonly number[] }, where: Placed): Float32Array {
  const indices = indicesOf(dims, where.strides, where.offset);
  const whole = new Float32Array(Math.max(0, ...indices) + 4).fill(NaN);
  for (const [element, index] of indices.entries()) whole[index] = data[element]!;
  return whole;
}
const collect = (whole: ArrayLike<number>, dims: readonly number[], { strides, offset }: Placed): number[] =>
  indicesOf(dims, strides, offset).map((index) => whole[index]!);

/** Types of data; NaN stays what the type can hold. */
const TYPES: Record<string, (data: Float32Array) => Pick<DataTensor, "data"> & { type?: string }> = {
  float32: (data) => ({ data }),
  float16: (data) => ({ data: Uint16Array.from(data, float16Of) as never, type: "float16" }),
  bfloat16: (data) => ({
    data: Uint16Array.from(new Uint32Array(data.slice().buffer), (bits) => bits >>> 16) as never,
    type: "bfloat16",
  }),
  "a Float64Array": (data) => ({ data: Float64Array.from(data) }),
  "an array of numbers": (data) => ({ data: [...data] }),
};

function suite(engine: WorkerEngine): void {
  describe.each(Object.entries(OPERATIONS))("%s", (_, operation) => {
    const forms = Object.entries(WHERES).flatMap(([place, where]) =>
      Object.entries(TYPES).map(([type, of]): [string, Form] => [
        `${type}, ${place}`,
        (tensor) => ({ ...of(spread(tensor, where(tensor.dims))), dims: tensor.dims, ...where(tensor.dims) }),
      ]),
    );
    test.each(forms)("takes a view of %s", async (name, form) => {
      const expected = (await operation(engine, asIs, nowhere)).data as Float32Array;
      expectSameBits((await operation(engine, form, nowhere)).data as Float32Array, expected, name);
    });

    test.each(Object.entries(WHERES))("writes its results to a view: %s, and nothing between", async (_, where) => {
      const whole = places((data, dims) => ({ data, dims }));
      await operation(engine, asIs, whole.place);
      for (const isHalf of [false, true]) {
        const views = places((data, dims) => {
          const there = where(dims);
          const all = spread({ data, dims }, there);
          return isHalf
            ? { data: Uint16Array.from(all, float16Of), dims, ...there, type: "float16" }
            : { data: all, dims, strides: BigInt64Array.from(there.strides, BigInt), offset: BigInt(there.offset) };
        });
        expect(await operation(engine, asIs, views.place)).toBe(views.found["out"]);
        for (const [name, { data, dims }] of Object.entries(whole.found)) {
          const sizes = dims as number[];
          const found = views.found[name]!.data as Float32Array;
          const expected = isHalf ? Uint16Array.from(data as Float32Array, float16Of) : (data as Float32Array);
          expect(collect(found, sizes, where(sizes)), name).toEqual([...expected]);
          const elements = new Set(indicesOf(sizes, where(sizes).strides, where(sizes).offset));
          const between = [...found.keys()].filter((index) => !elements.has(index)).map((index) => found[index]!);
          expect(
            between.every((value) => (isHalf ? value === float16Of(NaN) : Number.isNaN(value))),
            name,
          ).toBe(true);
        }
      }
    });
  });

  test("masks", async () => {
    const { data, dims } = mask;
    const where = { strides: [1, 11], offset: 2 };
    const whole = new Uint8Array(100);
    for (const [element, index] of indicesOf(dims, where.strides, where.offset).entries()) whole[index] = data[element]!;
    const forms: MaskLike[] = [
      { data: whole, dims, ...where },
      { data: Array.from(whole, Boolean), dims, ...where },
    ];
    for (const view of forms) {
      const attend = async (given: MaskLike) => (await engine.scaledDotProductAttention(q, k, v, { mask: given })).data;
      expectSameBits(await attend(view), await attend(mask), "mask");
      expect(andMasks(view)).toEqual(andMasks(mask));
      expect(applyMask(eighths([5, 7], 1), view)).toEqual(applyMask(eighths([5, 7], 1), mask));
    }
    const scores = eighths([5, 7], 1);
    const apart = WHERES["elements apart"]!([5, 7]);
    expect(applyMask({ data: spread(scores, apart), dims: [5, 7], ...apart }, mask)).toEqual(applyMask(scores, mask));
  });

  test("a stride of 0 repeats elements, and one of an axis of size 1 has no effect", async () => {
    const one = eighths([8], 3);
    const repeated = { data: one.data, dims: [1, 6, 1, 8], strides: [99, 0, 2 ** 40, 1] };
    const expected = { data: Float32Array.from({ length: 48 }, (_, index) => one.data[index % 8]!), dims: [1, 6, 1, 8] };
    const own = eighths([1, 6, 1, 8], 4);
    const [found, wanted] = [repeated, expected].map((key) => engine.scaledDotProductAttention(own, key, key, { causal: true }));
    expectSameBits((await found!).data, (await wanted!).data, "repeated");
  });

  test("null is absent, and views without elements read nothing", async () => {
    const absent = { ...x, strides: null, offset: undefined } as unknown as TensorLike;
    expectSameBits((await engine.softmax(absent)).data, (await engine.softmax(x)).data, "absent");
    const none = { data: new Float32Array(0), dims: [3, 0], strides: [1000, 1], offset: 10 ** 9 };
    expect((await engine.softmax(none, { out: { ...none, data: new Float32Array(0) } })).data.length).toBe(0);
  });

  describe("layouts", () => {
    test.each<Layout>(["bshd", "bhsd", "sbhd"])("%s: attention, caches, rotary, linear attention", async (layout) => {
      const turn = ({ data, dims }: TestTensor): TestTensor => {
        const [b, s, h, d] = dims as [number, number, number, number];
        const turned = dimsOf(layout, b, s, h, d);
        const of = { b: s * h * d, s: h * d, h: d };
        const strides = [...Array.from(layout.slice(0, 3), (axis) => of[axis as "b"]), 1];
        return { data: Float32Array.from(collect(data, turned, { strides, offset: 0 })), dims: turned };
      };
      const same = async (call: (turned: (tensor: TestTensor) => TestTensor, layout: Layout) => unknown) => {
        const [found, expected] = [await call(turn, layout), await call((tensor) => tensor, "bshd")] as TestTensor[];
        const whole = turn({ data: expected!.data, dims: [...expected!.dims] });
        expect(found!.dims).toEqual(whole.dims);
        expectSameBits(found!.data, whole.data, layout);
      };
      await same((of, order) => engine.scaledDotProductAttention(of(q), of(k), of(v), { layout: order, causal: true }));
      await same((of, order) => engine.rotary(of(q), { layout: order, offset: [3, 1], rotaryStart: 2 }));
      const decay = { data: eighths([2, 7, 2, 8], 14).data.map((each) => -Math.abs(each)), dims: [2, 7, 2, 8] };
      await same((of, order) => engine.linearAttention(of(k), of(k), of(v), { layout: order, rule: "gated", decay: of(decay) }));
      await same(async (of, order) => {
        const cache = await engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim: 8, capacity: 9 });
        await cache.append(of(k), of(v), { layout: order });
        const out = await cache.attend(of(q), { layout: order });
        const read = (await cache.read(1, 6, { layout: order })).k;
        await cache.dispose();
        expect(read.dims).toEqual(dimsOf(order, 2, 5, 2, 8));
        const rows = k.data.filter((_, index) => Math.floor(index / 16) % 7 > 0 && Math.floor(index / 16) % 7 < 6);
        expectSameBits(read.data, of({ data: rows, dims: [2, 5, 2, 8] }).data, "read");
        return out;
      });

      const [one, both] = [eighths([1, 7, 2, 8], 3), { data: decay.data.slice(0, 56), dims: [1, 7, 1, 8] }];
      const packed = { rule: "gated", cuSeqlens: [0, 3, 7] } as const;
      await same((of, order) => engine.linearAttention(of(one), of(one), of(one), { ...packed, layout: order, decay: of(both) }));
      const apart = linearReference(turn(one), turn(one), turn(one), { ...packed, layout, decay: turn(both) });
      const together = await engine.linearAttention(turn(one), turn(one), turn(one), { ...packed, layout, decay: turn(both) });
      expect(together.dims).toEqual(apart.dims);
      for (const [index, value] of apart.data.entries()) expect(Math.abs(together.data[index]! - value)).toBeLessThan(2e-6);
      const found = await engine.scaledDotProductAttention(turn(q), turn(k), turn(v), { layout });
      const truth = reference(turn(q), turn(k), turn(v), { layout });
      expect(found.dims).toEqual(truth.dims);
      const plain = baseline(turn(q), turn(k), turn(v), { layout });
      expect(plain.dims).toEqual(truth.dims);
      for (const [index, value] of truth.data.entries()) {
        expect(Math.abs(found.data[index]! - value)).toBeLessThan(2e-6);
        expect(Math.abs(plain.data[index]! - value)).toBeLessThan(2e-6);
      }
    });
  });

  describe("rank 3: rows that hold their heads side by side", () => {
    const flat = ({ data, dims: [b, s, h, d] }: TestTensor): TestTensor => ({ data, dims: [b!, s!, h! * d!] });
    const heads = { numHeads: 4, numKvHeads: 2 };

    test("attention and its reference, caches, merging, rotary, linear attention", async () => {
      const expected = await engine.scaledDotProductAttention(q, k, v);
      const found = await engine.scaledDotProductAttention(flat(q), flat(k), flat(v), heads);
      expect(found.dims).toEqual([2, 5, 32]);
      expectSameBits(found.data, expected.data, "attention");
      const truth = reference(flat(q), flat(k), flat(v), heads);
      expect(truth).toEqual({ ...reference(q, k, v), dims: [2, 5, 32] });

      const cache = await engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim: 8, capacity: 9 });
      await cache.append(flat(k), flat(v));
      const attended = await cache.attend(flat(q), { numHeads: 4, causal: false });
      expect(attended.dims).toEqual([2, 5, 32]);
      expectSameBits(attended.data, expected.data, "cache");
      await cache.dispose();

      const logSumExp = eighths([2, 4, 5], 9);
      const merged = await engine.mergeAttention([{ out: flat(q), logSumExp }], { numHeads: 4 });
      expect(merged.dims).toEqual([2, 5, 32]);
      expectSameBits(merged.data, (await engine.mergeAttention([{ out: q, logSumExp }])).data, "merged");
      expectSameBits((await engine.rotary(flat(q), { numHeads: 4 })).data, (await engine.rotary(q)).data, "rotary");
      const [wide, narrow] = [eighths([2, 7, 4, 8], 5), eighths([2, 7, 1, 8], 6)];
      const linear = await engine.linearAttention(flat(wide), flat(narrow), flat(v), { ...heads, numKeyHeads: 1 });
      expect(linear.dims).toEqual([2, 7, 32]);
      expectSameBits(linear.data, (await engine.linearAttention(wide, narrow, v)).data, "linear");
    });

    test("sequence first, and as a view of one packed tensor", async () => {
      const packed = eighths([7, 2, 3, 4, 8], 8); // [seq, batch, q k v, heads, headDim]
      const part = (index: number, dims: number[]) => ({
        data: packed.data,
        dims,
        strides: dims.length === 3 ? [192, 96, 1] : [192, 96, 8, 1],
        offset: 32 * index,
      });
      const [rank3, rank4] = [
        [7, 2, 32],
        [7, 2, 4, 8],
      ].map((dims) => [0, 1, 2].map((index) => part(index, dims)));
      const options = { layout: "sbhd" as const, causal: true };
      const found = await engine.scaledDotProductAttention(rank3![0]!, rank3![1]!, rank3![2]!, { ...options, numHeads: 4 });
      const expected = await engine.scaledDotProductAttention(rank4![0]!, rank4![1]!, rank4![2]!, options);
      expect([found.dims, expected.dims]).toEqual([
        [7, 2, 32],
        [7, 2, 4, 8],
      ]);
      expectSameBits(found.data, expected.data, "packed");
    });
  });
}
describe("on this thread", () => suite(here as unknown as WorkerEngine));
describe("in a worker", () => {
  suite(shared);

  test("a place that is a view keeps what is written between its elements meanwhile", async () => {
    const data = new Float32Array(160);
    const [even, odd] = [0, 1].map((offset) => ({ data, dims: [1, 5, 2, 8], strides: [160, 32, 16, 2], offset }));
    const own = normal([1, 5, 2, 8], 1);
    const calls = [shared.scaledDotProductAttention(own, own, own, { out: even! }), shared.rotary(own, { out: odd! })];
    data[159] = 7; // an element of the second
    await calls[0];
    expect(data[159]).toBe(7);
    await calls[1];
    const expected = [here.scaledDotProductAttention(own, own, own), here.rotary(own)];
    for (const [index, { dims, strides, offset }] of [even!, odd!].entries())
      expect(collect(data, dims, { strides, offset })).toEqual([...expected[index]!.data]);
  });

  test("views of a tensor there", async () => {
    const tensor = await shared.tensor([1, 5, 2, 3, 8]);
    const packed = normal([1, 5, 2, 3, 8], 2);
    await tensor.write(packed.data);
    const part = (index: number) => ({ dims: [1, 5, 2, 8], strides: [240, 48, 24, 1], offset: 8 * index });
    const [a, b, c] = [0, 1, 2].map((index) => ({ data: packed.data, ...part(index) }));
    const there = [0, 1, 2].map((index) => ({ data: tensor, ...part(index) }));
    const found = await shared.scaledDotProductAttention(there[0]!, there[1]!, there[2]!);
    expectSameBits(found.data, here.scaledDotProductAttention(a!, b!, c!).data, "there");
    const out = await shared.tensor([240]);
    expect(await shared.rotary(there[0]!, { out: { data: out, ...part(1) } })).toEqual({ data: out, ...part(1) });
    expect(collect(await out.read(), [1, 5, 2, 8], part(1))).toEqual([...here.rotary(a!).data]);
    await Promise.all([out.dispose(), tensor.dispose()]);
  });
});

onEveryEngine((build, engine) => {
  test("attention, rotary and linear attention read and write views of the engine's tensors in place", () => {
    const packed = normal([2, 9, 3, 4, 8], 3);
    using tensor = engine.tensor([2, 9, 3, 4, 8]);
    tensor.data.set(packed.data);
    const part = (index: number) => ({ dims: [2, 9, 4, 8], strides: [864, 96, 8, 1], offset: 32 * index });
    const views = (data: typeof tensor | Float32Array) => [0, 1, 2].map((index) => ({ data, ...part(index) }));
    const [inPlace, copied] = [views(tensor), views(packed.data)];
    const bias = { data: engine.tensor([9, 20]), dims: [9, 9], strides: [20, 1], offset: 3 };
    bias.data.data.set(normal([9, 20], 4).data);
    const flat = { ...bias, data: bias.data.data.slice() };
    const [a, b, c] = inPlace;
    const plan = engine.planAttention(a!, b!, c!, { bias });
    expect(engine.planAttention(copied[0]!, copied[1]!, copied[2]!, { bias: flat }).scratchBytes - plan.scratchBytes).toBe(
      3 * 4 * 2 * 9 * 4 * 8 + 384, // 9 · 9 float32 in whole lines
    );
    const attend = ([q, k, v]: readonly object[], bias: object) =>
      engine.scaledDotProductAttention(q as TensorLike, k as TensorLike, v as TensorLike, {
        causal: true,
        bias: bias as TensorLike,
      });
    expectSameBits(attend(inPlace, bias).data, attend(copied, flat).data, build);
    const broadcast = { ...bias, dims: [1, 1, 9, 9], strides: [7, 5, 20, 1] };
    expectSameBits(attend(inPlace, broadcast).data, attend(copied, flat).data, "strides of axes of size 1 have no effect");
    const linear = ([q, k, v]: readonly object[]) =>
      engine.linearAttention(q as TensorLike, k as TensorLike, v as TensorLike, { rule: "linear" }).data;
    expectSameBits(linear(inPlace), linear(copied), build);
    const expected = engine.rotary(copied[0]!);
    engine.rotary(a!, { out: a! });
    expect(collect(tensor.data, part(0).dims, part(0))).toEqual([...expected.data]);
    const others = [1, 2].map((index) => collect(tensor.data, part(index).dims, part(index)));
    expect(others).toEqual([1, 2].map((index) => collect(packed.data, part(index).dims, part(index))));
    // read in place, written to a view from scratch: elements of a row lie apart
    const turned = { data: engine.tensor([4, 8, 18]), dims: [2, 9, 4, 8], strides: [9, 1, 144, 18] };
    engine.rotary(a!, { out: turned });
    expect(collect(turned.data.data, turned.dims, { strides: turned.strides, offset: 0 })).toEqual([...engine.rotary(a!).data]);
    for (const each of [bias.data, turned.data]) each.dispose();
  });

  test("a layer that takes the sequence first has the bits of one that takes the batch first", () => {
    const parameters = Object.fromEntries(["q", "k", "v", "out"].map((name, seed) => [name, normal([12, 12], seed)])) as never;
    const config = { embedDim: 12, numHeads: 3, rotary: {} };
    using batchFirst = engine.createMultiHeadAttention(config, parameters);
    using sequenceFirst = engine.createMultiHeadAttention({ ...config, layout: "sequenceFirst" }, parameters);
    const [rows, keys] = [normal([2, 5, 12], 5), normal([2, 7, 12], 6)];
    const turn = ({ data, dims: [b, s, c] }: { data: Float32Array; dims: readonly number[] }) => {
      const dims = [s!, b!, c!];
      return { data: Float32Array.from(collect(data, dims, { strides: [c!, s! * c!, 1], offset: 0 })), dims };
    };
    const options = { queryLengths: [5, 3], keyLengths: [7, 4] };
    const expected = batchFirst.forward(rows, { ...options, key: keys });
    const found = sequenceFirst.forward(turn(rows), { ...options, key: turn(keys) });
    expect(found.dims).toEqual([5, 2, 12]);
    expectSameBits(found.data, turn(expected).data, build);

    using inEngine = engine.tensor([5, 2, 12]);
    inEngine.data.set(turn(rows).data);
    const summed = batchFirst.forward(rows, { out: { ...rows, data: rows.data.slice() }, accumulate: true });
    expect(sequenceFirst.forward(inEngine, { out: inEngine, accumulate: true })).toBe(inEngine);
    expectSameBits(inEngine.data, turn(summed).data, `${build}, accumulating`);
    using memory = sequenceFirst.projectKeys(turn(keys));
    using itsMemory = batchFirst.projectKeys(keys);
    const [remembered, wanted] = [sequenceFirst.forward(turn(rows), { memory }), batchFirst.forward(rows, { memory: itsMemory })];
    expectSameBits(remembered.data, turn(wanted).data, `${build}, memory`);
    using cache = sequenceFirst.createCache({ batchSize: 2, capacity: 9 });
    using itsCache = batchFirst.createCache({ batchSize: 2, capacity: 9 });
    for (const count of [1, 4]) {
      const piece = normal([2, count, 12], count);
      const [one, other] = [sequenceFirst.forward(turn(piece), { cache }), batchFirst.forward(piece, { cache: itsCache })];
      expectSameBits(one.data, turn(other).data, `${build}, cache`);
    }
    const alone = normal([5, 12], 7);
    expectSameBits(sequenceFirst.forward(alone).data, batchFirst.forward(alone).data, `${build}, one sequence`);
  });

  describe.each(["outIn", "inOut"] as const)("a fused qkv, %s", (weightLayout) => {
    test.each([
      ["qkv", 4, 2],
      ["heads", 4, 4],
      ["groups", 4, 2],
      ["groups", 6, 1],
    ] as const)("order %s, %i heads on %i", (order, numHeads, numKvHeads) => {
      const [embedDim, headDim, valueDim] = [10, 3, 2];
      const config = { embedDim, numHeads, numKvHeads, headDim, valueDim, weightLayout };
      const size = numHeads / numKvHeads;
      const sizes = { q: numHeads * headDim, k: numKvHeads * headDim, v: numKvHeads * valueDim };
      const parts = Object.entries(sizes).map(([name, columns], seed) => ({
        name: name as "q" | "k" | "v",
        matrix: normal([columns, embedDim], seed), // [out, in]
        bias: normal([columns], 10 + seed),
      }));
      // The columns of the fused matrix, by the definition of each order.
      const columns: ["q" | "k" | "v", number][] = [];
      const push = (name: "q" | "k" | "v", first: number, count: number): void => {
        for (let i = 0; i < count; i++) columns.push([name, first + i]);
      };
      if (order === "qkv") for (const { name } of parts) push(name, 0, sizes[name]);
      else {
        for (let group = 0; group < numKvHeads; group++) {
          for (let head = 0; head < size; head++) push("q", (group * size + head) * headDim, headDim);
          push("k", group * headDim, headDim);
          push("v", group * valueDim, valueDim);
        }
      }
      const of = (name: "q" | "k" | "v") => parts.find((part) => part.name === name)!;
      const rowsOf = (rows: Float32Array[]): TestTensor => {
        const outIn = { data: Float32Array.from(rows.flatMap((row) => [...row])), dims: [rows.length, embedDim] };
        if (weightLayout === "outIn") return outIn;
        const dims = [embedDim, rows.length];
        return { data: Float32Array.from(collect(outIn.data, dims, { strides: [1, embedDim], offset: 0 })), dims };
      };
      const row = ({ data }: TestTensor, index: number) => data.subarray(index * embedDim, (index + 1) * embedDim);
      const out = normal(weightLayout === "outIn" ? [embedDim, numHeads * valueDim] : [numHeads * valueDim, embedDim], 20);
      const apart = Object.fromEntries(
        parts.flatMap(({ name, matrix, bias }) => [
          [name, rowsOf(Array.from({ length: sizes[name] }, (_, index) => row(matrix, index)))],
          [`${name}Bias`, bias],
        ]),
      );
      const fused = {
        qkv: rowsOf(columns.map(([name, index]) => row(of(name).matrix, index))),
        qkvBias: { data: Float32Array.from(columns, ([name, index]) => of(name).bias.data[index]!), dims: [columns.length] },
      };
      using expected = engine.createMultiHeadAttention(config, { ...apart, out });
      using found = engine.createMultiHeadAttention({ ...config, order }, { ...fused, out });
      const rows = normal([2, 5, embedDim], 30);
      expectSameBits(found.forward(rows).data, expected.forward(rows).data, build);
    });
  });
});

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
