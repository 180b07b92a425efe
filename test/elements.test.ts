/** The types of elements that tensors, masks, lists and places may have, for every operation. */
import { describe, expect, test } from "vitest";
import {
  andMasks,
  applyMask,
  causalMask,
  documentMask,
  type WorkerEngine,
  type MaskLike,
  notMask,
  orMasks,
  paddingMask,
  type PlaceTensor,
  prefixMask,
  type TensorLike,
  windowMask,
} from "headwise";
import { host } from "#host";
import { expectSameBits } from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import {
  asIs,
  float32Place,
  type Form,
  k,
  mask,
  matrix,
  nowhere,
  OPERATIONS,
  places,
  q,
  row,
  v,
  x,
} from "./support/everyOperation.js";
import { float16Of } from "./support/halves.js";
import { eighths } from "./support/random.js";
import { here, shared } from "./support/workerEngines.js";

/** bfloat16 is the upper half of float32. */
const upperHalves = (data: Float32Array): Uint16Array =>
  Uint16Array.from(new Uint32Array(Float32Array.from(data).buffer), (bits) => bits >>> 16);
const FORMS: Record<string, Form> = {
  "an array of numbers": ({ data, dims }) => ({ data: [...data], dims }),
  "a Float64Array": ({ data, dims }) => ({ data: Float64Array.from(data), dims }),
  bfloat16: ({ data, dims }) => ({ data: upperHalves(data), dims, type: "bfloat16" }),
  float16: ({ data, dims }) => ({ data: Uint16Array.from(data, float16Of), dims, type: "float16" }),
  "dataSync(), a Float64Array": ({ data, dims }) => ({ shape: dims, dataSync: () => Float64Array.from(data) }),
  "sizes as int64": ({ data, dims }) => ({ data, dims: BigInt64Array.from(dims, BigInt) }),
  "sizes as an Int32Array": ({ data, dims }) => ({ data, dims: Int32Array.from(dims) }),
  "shape as bigints": ({ data, dims }) => ({ shape: dims.map(BigInt), dataSync: () => data }),
};

const float16Place = (data: Float32Array, dims: readonly number[]): PlaceTensor => ({
  data: Uint16Array.from(data, float16Of),
  dims: BigInt64Array.from(dims, BigInt),
  type: "float16",
});

/** The same for an engine on this thread, whose results `await` leaves as they are, and for one in a worker. */
function suite(engine: WorkerEngine): void {
  describe.each(Object.entries(OPERATIONS))("%s", (_, operation) => {
    test.each(Object.entries(FORMS))("takes %s", async (name, form) => {
      const expected = (await operation(engine, asIs, nowhere)).data as Float32Array;
      expectSameBits((await operation(engine, form, nowhere)).data as Float32Array, expected, name);
    });

    test("rounds its results to float16 places, and returns the place", async () => {
      const [whole, half] = [places(float32Place), places(float16Place)];
      await operation(engine, asIs, whole.place);
      expect(await operation(engine, asIs, half.place)).toBe(half.found["out"]);
      expect(Object.keys(half.found)).toEqual(Object.keys(whole.found));
      for (const [name, { data }] of Object.entries(whole.found))
        expect([...(half.found[name]!.data as Uint16Array)], name).toEqual([...Uint16Array.from(data as Float32Array, float16Of)]);
    });
  });

  describe("masks", () => {
    const [bytes, bools] = [mask.data, Array.from(mask.data, Boolean)];
    const MASKS: Record<string, MaskLike> = {
      "an array of booleans": { data: bools, dims: mask.dims },
      "an array of integers": { data: Array.from(bytes, (byte) => -3 * byte), dims: mask.dims },
      "an array of bigints": { data: Array.from(bytes, (byte) => BigInt(byte) << 64n), dims: mask.dims },
      "a Uint8ClampedArray": { data: Uint8ClampedArray.from(bytes, (byte) => byte * 255), dims: mask.dims },
      "an Int8Array": { data: Int8Array.from(bytes, (byte) => -byte), dims: mask.dims },
      "a Uint16Array": { data: Uint16Array.from(bytes, (byte) => byte * 256), dims: mask.dims },
      "an Int16Array": { data: Int16Array.from(bytes, (byte) => byte * 256), dims: mask.dims },
      "a Uint32Array": { data: Uint32Array.from(bytes, (byte) => byte * 256), dims: mask.dims },
      "an Int32Array": { data: Int32Array.from(bytes, (byte) => byte * -256), dims: mask.dims },
      "a BigUint64Array": { data: BigUint64Array.from(bytes, (byte) => BigInt(byte) << 32n), dims: mask.dims },
      "a BigInt64Array of type int64": { data: BigInt64Array.from(bytes, (byte) => BigInt(-byte)), dims: mask.dims, type: "int64" },
      "dataSync(), an Int32Array": { shape: mask.dims, dataSync: () => Int32Array.from(bytes) },
    };
    const keys = { data: bytes.subarray(0, 7), dims: [7] };
    const keysAs = (given: MaskLike): MaskLike =>
      "dataSync" in given
        ? { shape: [7], dataSync: () => (given.dataSync() as Int32Array).subarray(0, 7) }
        : { ...given, data: (given.data as Uint8Array).slice(0, 7), dims: [7] };

    test.each(Object.entries(MASKS))("%s", async (name, given) => {
      const attend = async (mask: MaskLike) => (await engine.scaledDotProductAttention(q, k, v, { mask })).data;
      expectSameBits(await attend(given), await attend(mask), name);
      const soften = async (mask: MaskLike) => (await engine.softmax(eighths([5, 7], 1), { mask })).data;
      expectSameBits(await soften(given), await soften(mask), name);
      const linear = async (mask: MaskLike) => (await engine.linearAttention(k, k, v, { keyMask: mask })).data;
      expectSameBits(await linear(keysAs(given)), await linear(keys), name);
      expect([andMasks(given).data, orMasks(given).data, notMask(given).data]).toEqual([
        andMasks(mask).data,
        orMasks(mask).data,
        notMask(mask).data,
      ]);
      expect(applyMask(eighths([5, 7], 1), given).data).toEqual(applyMask(eighths([5, 7], 1), mask).data);
    });
  });

  describe("refused, and the error names the part that is wrong", () => {
    const numbers =
      'must be a Float32Array, Float64Array, Float16Array or array of numbers, or a Uint16Array with type "float16" or "bfloat16", got';
    const flags = "must be an array of integers or booleans, 0 where an element is left out, got";
    const { data, dims } = row;
    const three = { data: Float32Array.of(1, 2, 3), dims: [3] };

    test.each<[x: object, problem: string]>([
      [
        { data, shape: dims },
        '"x.dims" is missing, expected an array of sizes beside "data"; "shape" is read only beside dataSync()',
      ],
      [
        { data: data.buffer, dims },
        `"x.data" ${numbers} an object of kind ArrayBuffer; make an array on it, such as new Float32Array(buffer)`,
      ],
      [{ data: {}, dims }, `"x.data" ${numbers} an object`],
      [{ data: "12345678", dims }, `"x.data" ${numbers} "12345678"`],
      [{ dims }, `"x.data" ${numbers} undefined`],
      [{ shape: dims, dataSync: () => true }, `"x.dataSync()" ${numbers} true`],
      [{ data: new Uint16Array(8), dims }, `"x.data" ${numbers} Uint16Array(8)`],
      [{ data: [1, "2"], dims: [2] }, '"x.data[1]" must be a number, got "2"'],
      [{ data: [1, 2n], dims: [2] }, '"x.data[1]" must be a number, got 2n'],
      [{ data: [[1, 2]], dims: [1] }, '"x.data[0]" must be a number, got an array of 2; flatten nested arrays with flat(Infinity)'],
    ])("%o", async (x, problem) => {
      const call = async () => await engine.softmax(x as TensorLike);
      await expect(call()).rejects.toEqual(new TypeError(`softmax: ${problem}`));
    });

    test.each<[x: object]>([
      [{ data: [1, 2], dims: [3] }],
      [{ data: new Float64Array(2), dims: [3] }],
      [{ data: new Uint16Array(2), dims: [3], type: "bfloat16" }],
    ])("%o: another number of elements", async (x) => {
      const call = async () => await engine.softmax(x as TensorLike);
      await expect(call()).rejects.toEqual(new RangeError('softmax: "x" holds 2 elements, expected 3'));
    });

    test.each<[mask: object, error: Error]>([
      [
        { data: new Uint16Array(3), dims: [3], type: "float16" },
        new TypeError(`softmax: "mask.data" ${flags} Uint16Array(3) of type "float16"`),
      ],
      [{ data: new Float64Array(3), dims: [3] }, new TypeError(`softmax: "mask.data" ${flags} Float64Array(3)`)],
      [
        { data: [0, 0, -Infinity], dims: [3] },
        new RangeError('softmax: "mask.data[2]" must be an integer or a boolean, got -Infinity'),
      ],
      [{ data: [true, null, true], dims: [3] }, new TypeError('softmax: "mask.data[1]" must be an integer or a boolean, got null')],
      [{ data: new Int32Array(2), dims: [3] }, new RangeError('softmax: "mask" holds 2 elements, expected 3')],
    ])("a mask %o", async (mask, error) => {
      const call = async () => await engine.softmax(three, { mask: mask as MaskLike });
      await expect(call()).rejects.toEqual(error);
    });
  });

  describe("lists of integers, and offsets", () => {
    const LISTS: Record<string, (...numbers: number[]) => ArrayLike<number | bigint>> = {
      "an array of bigints": (...numbers) => numbers.map(BigInt),
      "a BigInt64Array": (...numbers) => BigInt64Array.from(numbers, BigInt),
      "a Uint8Array": (...numbers) => Uint8Array.from(numbers),
      "a Float64Array": (...numbers) => Float64Array.from(numbers),
      "a list of both": (...numbers) => numbers.map((each, index) => (index % 2 ? BigInt(each) : each)),
    };
    const asNumbers = (...numbers: number[]): readonly number[] => numbers;

    test.each(Object.entries(LISTS))("%s", async (name, list) => {
      const same = async (call: (list: (...numbers: number[]) => ArrayLike<number | bigint>) => unknown): Promise<void> => {
        const [found, expected] = [await call(list), await call(asNumbers)] as [unknown, unknown];
        expect(found, name).toEqual(expected);
      };
      await same((of) =>
        engine.scaledDotProductAttention(q, k, v, {
          queryLengths: of(5, 3),
          keyLengths: of(7, 6),
          keyStarts: of(0, 2),
          queryOffset: of(4, 1),
          causal: true,
        }),
      );
      const one = { q: { data: q.data, dims: [1, 10, 4, 8] }, k: { data: k.data, dims: [1, 14, 2, 8] } };
      await same((of) =>
        engine.scaledDotProductAttention(one.q, one.k, one.k, { cuSeqlensQ: of(0, 4, 10), cuSeqlensK: of(0, 9, 14) }),
      );
      await same((of) => engine.linearAttention(k, k, v, { keyLengths: of(7, 3) }));
      await same((of) => engine.rotary(q, { positions: of(3, 1, 4, 1, 5) }));
      await same((of) => engine.rotary(q, { offset: of(3, 1) }));
      await same(async (of) => {
        const cache = await engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim: 8, capacity: 9 });
        await cache.append(k, v, { keyLengths: of(7, 6) });
        await cache.reorder(of(1, 0));
        await cache.truncate(of(5, 4));
        const lengths = await cache.lengths;
        await cache.dispose();
        return lengths;
      });
      await same(async (of) => {
        const layer = await engine.createMultiHeadAttention(
          { embedDim: 8, numHeads: 2 },
          { qkv: eighths([24, 8], 1), out: matrix },
        );
        const pruned = await layer.pruneHeads(of(1));
        const memory = await pruned.projectKeys(x, { keyLengths: of(5, 2) });
        const result = await pruned.forward(x, { memory });
        for (const each of [memory, pruned, layer]) await each.dispose();
        return result;
      });
      await same(async (of) => {
        const tensor = await engine.tensor(of(2, 3));
        const reshaped = await tensor.reshape(of(3, 2));
        const dims = [tensor.dims, reshaped.dims];
        for (const each of [tensor, reshaped]) await each.dispose();
        return dims;
      });
      await same((of) => [paddingMask(of(3, 1), 4), prefixMask(of(2, 1), 3), documentMask(of(7, 7, 8)), documentMask([of(1, 2)])]);
    });

    test("one bigint for all sequences", async () => {
      const attend = async (queryOffset: number | bigint) =>
        (await engine.scaledDotProductAttention(q, k, v, { queryOffset, causal: true })).data;
      expectSameBits(await attend(3n), await attend(3), "queryOffset");
      const turn = async (offset: number | bigint) => (await engine.rotary(q, { offset })).data;
      expectSameBits(await turn(3n), await turn(3), "offset");
      expect((await engine.rotary(q, { offset: 0n, positions: [0, 1, 2, 3, 4] })).data).toEqual(await turn(0));
      const cache = await engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim: 8, capacity: 9 });
      await cache.append(k, v);
      await cache.truncate(5n);
      expect(await cache.lengths).toEqual([5, 5]);
      await cache.dispose();
      expect(prefixMask(2n, 3)).toEqual(prefixMask(2, 3));
      expect(causalMask(2, 3, { queryOffset: 1n })).toEqual(causalMask(2, 3, { queryOffset: 1 }));
      expect(windowMask(2n as never, 3n as never, 1, { sinkTokens: 1n as never })).toEqual(windowMask(2, 3, 1, { sinkTokens: 1 }));
    });

    test("bigints beyond the safe integers are RangeErrors that name the element", async () => {
      const huge = 2n ** 64n;
      const refused: [call: () => unknown, message: string][] = [
        [
          () => engine.scaledDotProductAttention(q, k, v, { keyLengths: [7n, huge] }),
          `scaledDotProductAttention: "keyLengths[1]" must be an integer from 0 to 7, got ${huge}n`,
        ],
        [() => engine.rotary(q, { offset: -huge }), `rotary: "offset" must be an integer from 0 to 536870907, got ${-huge}n`],
        [() => engine.tensor([2, huge]), `tensor: "dims[1]" must be an integer from 0 to 1073741824, got ${huge}n`],
        [
          () => engine.add({ data: x.data, dims: [2, 2n ** 53n + 1n] }, x),
          'add: "a.dims[1]" must be an integer from 0 to 1073741824, got 9007199254740993n',
        ],
      ];
      for (const [call, message] of refused) await expect((async () => await call())()).rejects.toEqual(new RangeError(message));
    });
  });
}

onEveryEngine((_, engine) => suite(engine as unknown as WorkerEngine));
describe("in a worker", () => {
  suite(shared);

  test("lists with an iterator of their own are read by index", async () => {
    const keyLengths = Object.assign([7, 6], {
      *[Symbol.iterator]() {
        yield 1;
      },
    });
    const found = await shared.scaledDotProductAttention(q, k, v, { keyLengths });
    expectSameBits(found.data, here.scaledDotProductAttention(q, k, v, { keyLengths: [7, 6] }).data, "keyLengths");
  });

  test("places of both types that lie side by side, or overlap", async () => {
    const buffer = new ArrayBuffer(3 * 80 + 2 + 4 * 80);
    const dims = [1, 5, 2, 8];
    const t = eighths(dims, 1);
    const [logSumExp, out] = [
      { data: new Uint16Array(buffer, 2, 10), dims: [1, 2, 5], type: "float16" },
      { data: new Float32Array(buffer, 24, 80), dims },
    ];
    const expected = here.scaledDotProductAttention(t, t, t);
    await shared.scaledDotProductAttention(t, t, t, { out, logSumExp });
    expectSameBits(out.data, expected.data, "out");
    expect(logSumExp.data.every((bits) => bits !== 0)).toBe(true);
    expect(new Uint8Array(buffer, 0, 2)).toEqual(new Uint8Array(2));
    const over = { data: new Float32Array(buffer, 4, 80), dims };
    await expect(shared.scaledDotProductAttention(t, t, t, { out: over, logSumExp })).rejects.toEqual(
      new RangeError('scaledDotProductAttention: "out" and "logSumExp" overlap, expected separate places'),
    );
  });

  test.runIf(typeof SharedArrayBuffer === "function" && host.threads > 1)("a float16 place in shared memory", async () => {
    const t = eighths([1, 5, 2, 8], 1);
    const out = { data: new Uint16Array(new SharedArrayBuffer(160)), dims: t.dims, type: "float16" };
    await shared.scaledDotProductAttention(t, t, t, { out });
    const expected = here.scaledDotProductAttention(t, t, t).data;
    expect([...out.data]).toEqual([...Uint16Array.from(expected, float16Of)]);
  });
});
