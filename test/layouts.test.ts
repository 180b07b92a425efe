/** Layout "sbhd", sequence first, and rows that hold their heads side by side. */
import { describe, expect, test } from "vitest";
import type { Layout, WorkerEngine } from "headwise";
import { scaledDotProductAttention as baseline } from "headwise/baseline";
import { linearAttention as linearReference, scaledDotProductAttention as reference } from "headwise/reference";
import { dimsOf, expectSameBits } from "./support/attention.js";
import { k, q, v } from "./support/everyOperation.js";
import { eighths, type TestTensor } from "./support/random.js";
import { collect } from "./support/views.js";
import { here, shared } from "./support/workerEngines.js";

function suite(engine: WorkerEngine): void {
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
describe("in a worker", () => suite(shared));
