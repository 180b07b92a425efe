/** Inputs, results, and tensors in the engine's memory. */
import { afterEach, describe, expect, test } from "vitest";
import type { Engine, EngineTensor } from "headwise";
import { scaledDotProductAttention as reference } from "headwise/reference";
import { expectSameBits, parseShape, poison, randomInputs } from "./support/attention.js";
import { openBuild } from "./support/builds.js";
import { onEveryEngine } from "./support/engines.js";
import { float16ArrayOf, hasFloat16Array, valueOfFloat16 } from "./support/halves.js";
import { normal, randomMask } from "./support/random.js";

const shape = parseShape("B1-S9-KV14-H2/1-D6");
const inputs = randomInputs(shape, 31);
const { q, k, v } = inputs;

const place = (engine: Engine, { data, dims }: { data: Float32Array; dims: readonly number[] }): EngineTensor<"float32"> => {
  const tensor = engine.tensor(dims);
  tensor.data.set(data);
  return tensor;
};

onEveryEngine((build, engine) => {
  afterEach(() => {
    expect(engine.info.memory.inUse, "every test gives back what it took").toBe(0);
  });

  const expected = engine.scaledDotProductAttention(q, k, v);

  describe("inputs", () => {
    test("are never written, and results do not share memory with the engine", () => {
      const copies = [q, k, v].map(({ data }) => data.slice());
      const out = engine.scaledDotProductAttention(q, k, v);
      for (const [index, tensor] of [q, k, v].entries()) expect(tensor.data).toEqual(copies[index]);
      const data = out.data.slice();
      poison(engine);
      expect(out.data).toEqual(data);
      expect(out.type).toBe("float32");
    });

    test("become results that own their whole buffer, which is not shared, also where nothing is computed", () => {
      const none = { data: new Float32Array(0), dims: [0, 4] };
      const unseen = { data: new Float32Array(8), dims: [2, 4] };
      const results = [
        engine.scaledDotProductAttention(q, k, v),
        engine.scaledDotProductAttention(unseen, none, none),
        engine.scaledDotProductAttention(none, unseen, unseen),
        engine.softmax(q),
        ...Object.values(engine.rotaryTables({ length: 3, rotaryDim: 4 })),
        engine.sinusoidalPositions({ length: 3, dim: 4 }),
      ];
      for (const { data, dims } of results) {
        expect(data.buffer).toBeInstanceOf(ArrayBuffer);
        expect(data.buffer.byteLength).toBe(4 * dims.reduce((product, size) => product * size, 1));
        expect(data.length).toBe(data.buffer.byteLength / 4);
      }
    });

    test("have sizes that results do not share: the caller may change them", () => {
      const x = engine.tensor([2, 3]);
      const { dims } = engine.activate(x, "relu");
      dims.push(1);
      expect([dims, x.dims]).toEqual([
        [2, 3, 1],
        [2, 3],
      ]);
      x.dispose();
    });

    test("of tfjs and jax-js: shape and dataSync()", () => {
      const wrap = ({ data, dims }: typeof q) => ({ shape: dims, data: () => Promise.resolve(data), dataSync: () => data });
      expectSameBits(engine.scaledDotProductAttention(wrap(q), wrap(k), wrap(v)).data, expected.data, "dataSync");
    });

    test("of onnxruntime: getters, location, dims", () => {
      class OrtTensor {
        readonly type = "float32";
        readonly location = "cpu";
        constructor(readonly tensor: typeof q) {}
        get data() {
          return this.tensor.data;
        }
        get dims() {
          return this.tensor.dims;
        }
      }
      expectSameBits(
        engine.scaledDotProductAttention(new OrtTensor(q), new OrtTensor(k), new OrtTensor(v)).data,
        expected.data,
        "ort",
      );
    });

    test("each getter is read once", () => {
      const reads: Record<string, number> = {};
      const counting = <T extends object>(target: T): T =>
        new Proxy(target, {
          get(object, name, receiver) {
            if (typeof name === "string") reads[name] = (reads[name] ?? 0) + 1;
            return Reflect.get(object, name, receiver) as unknown;
          },
        });
      engine.scaledDotProductAttention(counting(q), k, v, counting({ scale: 2, window: 3, causal: true, layout: "bshd" } as const));
      expect(Object.entries(reads).filter(([, count]) => count !== 1)).toEqual([]);
      expect(reads).toMatchObject({ data: 1, dims: 1, scale: 1, window: 1 });
    });

    test("may be one array", () => {
      const all = engine.scaledDotProductAttention(q, q, q);
      const apart = engine.scaledDotProductAttention(q, { ...q, data: q.data.slice() }, { ...q, data: q.data.slice() });
      expectSameBits(all.data, apart.data, "q = k = v");
    });

    test("may be views at odd offsets of larger buffers", () => {
      const buffer = new Float32Array(q.data.length + 3);
      buffer.set(q.data, 3);
      const view = { data: buffer.subarray(3), dims: q.dims };
      expectSameBits(engine.scaledDotProductAttention(view, k, v).data, expected.data, "view");
    });

    test("may be raw views of the engine's memory, even if the call grows it", () => {
      const fresh = openBuild(build);
      const tensors = [q, k, v].map((tensor) => place(fresh, tensor));
      const [a, b, c] = tensors.map((tensor) => ({ data: tensor.data, dims: tensor.dims })) as [typeof q, typeof k, typeof v];
      const reserved = fresh.info.memory.reserved;
      expectSameBits(fresh.scaledDotProductAttention(a, b, c).data, expected.data, "views");
      expect(fresh.info.memory.reserved).toBe(reserved);
      const filler = normal([300, 2000], 2);
      const growing = fresh.scaledDotProductAttention(
        { data: a.data, dims: [9 * 2, 6] },
        { data: filler.data.subarray(0, 6 * 1000), dims: [1000, 6] },
        { data: filler.data.subarray(0, 600 * 1000), dims: [1000, 600] },
      );
      expect(fresh.info.memory.reserved).toBeGreaterThan(reserved);
      const same = fresh.scaledDotProductAttention(
        { data: q.data, dims: [9 * 2, 6] },
        { data: filler.data.subarray(0, 6 * 1000), dims: [1000, 6] },
        { data: filler.data.subarray(0, 600 * 1000), dims: [1000, 600] },
      );
      expectSameBits(growing.data, same.data, "a view that growth detached");
    });
  });

  describe("float16", () => {
    test("all 65536 numbers are widened exactly", () => {
      const bits = Uint16Array.from({ length: 65536 }, (_, index) => index);
      const bias = { data: bits, dims: [1, 65536], type: "float16" };
      const scores = { data: new Float32Array(65536), dims: [1, 65536] };
      const zero = { data: new Float32Array(1), dims: [1, 1] };
      const keys = { data: new Float32Array(65536), dims: [65536, 1] };
      engine.scaledDotProductAttention(zero, keys, keys, { bias, scores });
      for (const [half, found] of scores.data.entries()) {
        const value = valueOfFloat16(half);
        if (!(found === value || (Number.isNaN(found) && Number.isNaN(value))))
          expect.fail(`0x${half.toString(16)} became ${found}`);
      }
    });

    test.each([1, 2, 3, 4, 5, 7, 9])("%i numbers, with every kind of tail", (count) => {
      const halves = { data: Uint16Array.from({ length: count }, (_, index) => 0x3c00 + index), dims: [count, 1], type: "float16" };
      const wide = { data: Float32Array.from({ length: count }, (_, index) => 1 + index / 1024), dims: [count, 1] };
      expectSameBits(
        engine.scaledDotProductAttention(halves, halves, halves).data,
        engine.scaledDotProductAttention(wide, wide, wide).data,
        "float16",
      );
    });

    test.runIf(hasFloat16Array)("in a Float16Array, with or without the type", () => {
      const halves = { data: float16ArrayOf([1, 0.5, -2]), dims: [3, 1] };
      const wide = { data: Float32Array.of(1, 0.5, -2), dims: [3, 1] };
      expectSameBits(
        engine.scaledDotProductAttention(halves, halves, halves).data,
        engine.scaledDotProductAttention(wide, wide, wide).data,
        "float16",
      );
    });
  });

  describe("tensors in the engine's memory", () => {
    test("are read and written without a copy, and the result is the tensor itself", () => {
      const [a, b, c] = [place(engine, q), place(engine, k), place(engine, v)];
      const out = engine.tensor(q.dims);
      expect(engine.scaledDotProductAttention(a, b, c, { out })).toBe(out);
      expectSameBits(out.data, expected.data, "out");
      for (const tensor of [a, b, c, out]) tensor.dispose();
    });

    test("mix with arrays", () => {
      const b = place(engine, k);
      const mask = engine.tensor([9, 14], "uint8");
      const bits = randomMask([9, 14], 3, 0.5);
      mask.data.set(bits.data);
      const masked = engine.scaledDotProductAttention(q, b, v, { mask });
      expectSameBits(masked.data, engine.scaledDotProductAttention(q, k, v, { mask: bits }).data, "mask");
      mask.dispose();
      b.dispose();
    });

    test("out may be the tensor q itself", () => {
      const a = place(engine, q);
      expect(engine.scaledDotProductAttention(a, k, v, { out: a })).toBe(a);
      expectSameBits(a.data, expected.data, "in place");
      a.data.set(q.data);
      const { numHeads, seqLen, kvLen } = { numHeads: q.dims[2]!, seqLen: q.dims[1]!, kvLen: k.dims[1]! };
      const place4 = () => ({
        data: new Float32Array(q.dims[0]! * numHeads * seqLen * kvLen),
        dims: [q.dims[0]!, numHeads, seqLen, kvLen],
      });
      const [scores, inPlace, weights, inPlaceWeights] = [place4(), place4(), place4(), place4()];
      engine.scaledDotProductAttention(q, k, v, { scores });
      engine.scaledDotProductAttention(q, k, v, { weights });
      engine.scaledDotProductAttention(a, k, v, { out: a, scores: inPlace, weights: inPlaceWeights });
      expectSameBits(inPlace.data, scores.data, "scores in place");
      expectSameBits(inPlaceWeights.data, weights.data, "weights in place");
      a.dispose();
    });

    test("begin as zeros on 64-byte lines, keep their data when the memory grows, and share it when reshaped", () => {
      const fresh = openBuild(build);
      poison(fresh, 2 ** 16);
      const x = fresh.tensor([3, 5]);
      expect([...x.data]).toEqual(new Array(15).fill(0));
      expect(x.data.byteOffset % 64).toBe(0);
      x.data[7] = 42;
      const old = x.data;
      const reserved = fresh.info.memory.reserved;
      const large = fresh.tensor([2 ** 20]);
      expect(fresh.info.memory.reserved).toBeGreaterThan(reserved);
      expect(x.data[7]).toBe(42);
      expect(x.data === old).toBe(false);
      const flat = x.reshape([15]);
      flat.data[0] = 7;
      expect(x.data[0]).toBe(7);
      expect([flat.dims, x.dims, flat.type]).toEqual([[15], [3, 5], "float32"]);
      large.dispose();
      x.dispose();
      expect(fresh.info.memory.inUse, "the memory lives until both are disposed of").toBe(64);
      expect(flat.data[7], "the memory lives until both are disposed of").toBe(42);
      flat.dispose();
      expect(fresh.info.memory.inUse).toBe(0);
    });

    test("free their memory, and gaps are reused", () => {
      const tensors = Array.from({ length: 4 }, () => engine.tensor([100]));
      const offsets = tensors.map(({ data }) => data.byteOffset);
      tensors[1]!.dispose();
      tensors[2]!.dispose();
      const again = engine.tensor([220]);
      expect(again.data.byteOffset).toBe(offsets[1]);
      for (const tensor of [...tensors, again]) tensor.dispose();
      tensors[0]!.dispose(); // twice is harmless
    });

    test("have sizes and a type that cannot be changed", () => {
      const x = engine.tensor([2, 2]) as { dims: readonly number[]; type: string; dispose(): void };
      expect(() => (x.dims = [64, 64])).toThrow(TypeError);
      expect(() => ((x.dims as number[])[0] = 64)).toThrow(TypeError);
      expect(() => (x.type = "uint8")).toThrow(TypeError);
      x.dispose();
    });

    test("are disposed of by `using`", () => {
      const x = engine.tensor([4]);
      x[Symbol.dispose]();
      expect(() => x.data).toThrow("tensor.data: this tensor has been disposed of");
    });

    test("of another engine count as arrays", () => {
      const other = openBuild("simd");
      const foreign = place(other, q);
      expectSameBits(engine.scaledDotProductAttention(foreign, k, v).data, expected.data, "foreign");
    });
  });

  describe("out", () => {
    test("receives the result and is returned", () => {
      const out = { data: new Float32Array(q.data.length), dims: q.dims, mine: true };
      expect(engine.scaledDotProductAttention(q, k, v, { out })).toBe(out);
      expectSameBits(out.data, expected.data, "out");
    });

    test("may overlap inputs in JavaScript memory: they are copied in first", () => {
      const shared = q.data.slice();
      engine.scaledDotProductAttention({ data: shared, dims: q.dims }, k, v, { out: { data: shared, dims: q.dims } });
      expectSameBits(shared, expected.data, "out over q");
    });
  });

  test("rank 2 is one head: [seq, headDim]", () => {
    const [a, b, c] = [normal([5, 4], 1), normal([7, 4], 2), normal([7, 3], 3)];
    const logSumExp = { data: new Float32Array(5), dims: [5] };
    const weights = { data: new Float32Array(35), dims: [5, 7] };
    const out = engine.scaledDotProductAttention(a, b, c, { causal: true, logSumExp, weights });
    expect(out.dims).toEqual([5, 3]);
    const four = ({ data, dims: [rows, channels] }: typeof a) => ({ data, dims: [1, 1, rows!, channels!] });
    const whole = engine.scaledDotProductAttention(four(a), four(b), four(c), { causal: true, layout: "bhsd" });
    expectSameBits(out.data, whole.data, "rank 4");
    expect(reference(a, b, c, { causal: true }).dims).toEqual([5, 3]);
  });
});
