/** Views by strides and offset, for every operation's tensors and places. */
import { describe, expect, test } from "vitest";
import type { DataTensor, MaskLike, TensorLike, WorkerEngine } from "headwise";
import { andMasks, applyMask } from "headwise";
import { expectSameBits } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { asIs, type Form, k, mask, nowhere, OPERATIONS, places, q, v, x } from "./support/everyOperation.js";
import { float16Of } from "./support/halves.js";
import { eighths, normal } from "./support/random.js";
import { collect, indicesOf, spread, WHERES } from "./support/views.js";
import { here, shared } from "./support/workerEngines.js";

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
});
