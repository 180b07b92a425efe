/** maskStart, keyMask, shortMask, and a scale for each head: each equals another way of saying the same, to the bit. */
import type { Given } from "../src/call/readOptions.js";
import { describe, expect, test } from "vitest";
import { andMasks, type AttentionOptions, type CachedAttentionOptions, type KVCache } from "headwise";
import { scaledDotProductAttention as baseline } from "headwise/baseline";
import { scaledDotProductAttention as reference } from "headwise/reference";
import {
  checkAgainstReference,
  cutRows,
  expectSameBits,
  largestError,
  parseShape,
  places,
  randomInputs,
  type Shape,
} from "./support/attention.js";
import { checkLayer, cut, randomParameters } from "./support/layers.js";
import { onEveryEngine } from "./support/engines.js";
import { normal, randomMask } from "./support/random.js";

type Bytes = ReturnType<typeof randomMask>;

type AttentionCall = (options: CachedAttentionOptions) => { readonly data: Float32Array };

/** Two descriptions of one call give the same bits in every result. */
function expectSameCall(call: AttentionCall, shape: Shape, options: AttentionOptions, same: AttentionOptions): void {
  const [found, expected] = [places(shape), places(shape)];
  const out = call({ ...(options as CachedAttentionOptions), ...found }).data;
  expectSameBits(out, call({ ...(same as CachedAttentionOptions), ...expected }).data, "out");
  for (const name of ["logSumExp", "weights", "scores"] as const) expectSameBits(found[name].data, expected[name].data, name);
  expect(out.some((value) => value !== 0)).toBe(true);
}

/** The mask over all keys, [batch, heads, seqLen, kvLen], that shows the keys before `starts` and is `mask` from there on. */
function fullMask({ data, dims }: Bytes, starts: readonly number[], { batchSize, numHeads, seqLen, kvLen }: Shape): Bytes {
  const full = new Uint8Array(batchSize * numHeads * seqLen * kvLen);
  for (let at = 0; at < full.length; at++) {
    const b = Math.floor(at / (kvLen * seqLen * numHeads));
    const column = (at % kvLen) - starts[b]!;
    const index = [b, Math.floor(at / (kvLen * seqLen)) % numHeads, Math.floor(at / kvLen) % seqLen, column];
    let offset = 0;
    for (const [axis, size] of dims.entries()) offset = offset * size + (size === 1 ? 0 : index[4 - dims.length + axis]!);
    full[at] = column < 0 ? 1 : data[offset]!;
  }
  return { data: full, dims: [batchSize, numHeads, seqLen, kvLen] };
}

/** A padding mask as a mask of attention. */
const asMask = ({ data, dims: [batch, kvLen] }: Bytes): Bytes => ({ data, dims: [batch!, 1, 1, kvLen!] });

/** Shapes with the first key that the mask covers, the mask's leading axes, and other options. */
const STARTS: [name: string, maskStart: number, leading: number[], options: Given<AttentionOptions>][] = [
  ["B1-S6-KV606-H2/2-D8", 600, [6], {}],
  ["B1-S6-KV606-H2/2-D8", 509, [6], { causal: true }],
  ["B2-S5-KV1030-H4/2-D8", 513, [2, 4, 5], { softcap: 3 }],
  ["B2-S5-KV75-H4/2-D8", 70, [4, 5], { bias: normal([5, 75], 7), window: [30, 3] }],
  ["B2-S5-KV75-H2/2-D8", 11, [2, 1, 1], { keyLengths: [75, 40], causal: true, sinkTokens: 2, window: 20 }],
  ["B2-S5-KV75-H2/2-D8", 30, [5], { keyStarts: [0, 40], sinks: normal([2], 8) }],
  ["B1-S9-KV40-H2/2-D8", 17, [9], { cuSeqlensQ: [0, 3, 9], cuSeqlensK: [0, 25, 40] }],
  ["B2-S5-KV75-H2/2-D8", 0, [5], {}],
  ["B2-S5-KV75-H2/2-D8", 75, [5], {}],
  ["B1-S5-KV75-H2/2-D8", 74, [], { layout: "bhsd" }],
  ["B2-S5-KV75-H2/2-D8", 8, [5], { scoresStage: "capped" }],
];

onEveryEngine((build, engine) => {
  const attentionOn =
    ({ q, k, v }: ReturnType<typeof randomInputs>): AttentionCall =>
    (options) =>
      engine.scaledDotProductAttention(q, k, v, options);

  describe("maskStart", () => {
    test.each(STARTS)("%s from key %i on, mask of %j, %j", (name, maskStart, leading, options) => {
      const shape = parseShape(name);
      const inputs = randomInputs(shape, 3, options.layout);
      for (const columns of [shape.kvLen - maskStart, 1]) {
        const mask = randomMask([...leading, columns], 4, 0.5);
        const full = fullMask(mask, new Array<number>(shape.batchSize).fill(maskStart), shape);
        expectSameCall(attentionOn(inputs), shape, { ...options, mask, maskStart }, { ...options, mask: full });
        checkAgainstReference(engine, shape, inputs, { ...options, mask, maskStart });
      }
    });

    test("one for each sequence: the mask has the columns of the longest rest", () => {
      const shape = parseShape("B3-S5-KV75-H2/2-D8");
      const [inputs, starts, mask] = [randomInputs(shape, 3), [70, 61, 75], randomMask([3, 1, 5, 14], 4, 0.5)];
      const options = { mask, maskStart: Int32Array.from(starts) };
      expectSameCall(attentionOn(inputs), shape, options, { mask: fullMask(mask, starts, shape) });
      checkAgainstReference(engine, shape, inputs, options);
    });

    test.each(["float32", "int8"] as const)("on a cache of %s with sequences of different lengths", (dtype) => {
      const shape = parseShape("B2-S4-KV1100-H4/2-D8");
      const { q, k, v } = randomInputs(shape, 5);
      using cache: KVCache = engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim: 8, capacity: 1100, dtype });
      cache.append(k, v, { keyLengths: [1100, 520] });
      const mask = randomMask([2, 1, 4, 6], 6, 0.6);
      const full = fullMask({ ...mask, dims: [2, 1, 4, 6] }, [1094, 514], shape);
      const attend: AttentionCall = (options) => cache.attend(q, options);
      expectSameCall(attend, shape, { mask, maskStart: [1094, 514], causal: false }, { mask: full, causal: false });
      expectSameCall(attend, shape, { mask, maskStart: [1094, 514] }, { mask: full });
      const wide = randomMask([4, 590], 7, 0.6);
      expectSameCall(attend, shape, { mask: wide, maskStart: 510 }, { mask: fullMask(wide, [510, 510], shape) });
    });

    test("one row of a cache, whose keys threads share", () => {
      const shape = parseShape("B1-S1-KV1300-H1/1-D72");
      const { q, k, v } = randomInputs(shape, 5);
      using cache = engine.createKVCache({ numKvHeads: 1, headDim: 72, capacity: 1300 });
      cache.append(k, v);
      const mask = randomMask([700], 6, 0.5);
      const keyMask = randomMask([1, 1300], 7, 0.5);
      const same = andMasks(fullMask(mask, [600], shape), asMask(keyMask));
      const expected = cache.attend(q, { mask: same }).data;
      expectSameBits(cache.attend(q, { mask, maskStart: 600, keyMask }).data, expected, build);
    });
  });

  describe("keyMask", () => {
    test.each<[string, Given<AttentionOptions>]>([
      ["B3-S5-KV75-H2/2-D8", {}],
      ["B3-S5-KV75-H4/2-D8", { causal: true, bias: normal([4, 5, 75], 7) }],
      ["B2-S7-KV1100-H2/1-D8", { softcap: 4, window: [600, 3] }],
      ["B2-S5-KV75-H2/2-D8", { keyLengths: [70, 31], keyStarts: [0, 9], layout: "bhsd" }],
      ["B1-S9-KV40-H2/2-D8", { cuSeqlensQ: [0, 3, 9], cuSeqlensK: [0, 25, 40], scoresStage: "scaled" }],
    ])("%s %j: the bits of the same mask as mask [batch, 1, 1, kvLen]", (name, options) => {
      const shape = parseShape(name);
      const inputs = randomInputs(shape, 3, options.layout);
      const keyMask = randomMask([shape.batchSize, shape.kvLen], 4, 0.6);
      const mask = randomMask([shape.numHeads, shape.seqLen, shape.kvLen], 5, 0.6);
      const call = attentionOn(inputs);
      expectSameCall(call, shape, { ...options, keyMask }, { ...options, mask: asMask(keyMask) });
      expectSameCall(call, shape, { ...options, keyMask, mask }, { ...options, mask: andMasks(asMask(keyMask), mask) });
      checkAgainstReference(engine, shape, inputs, { ...options, keyMask, mask });
      const bytes = { data: keyMask.data.map((byte) => 200 * byte), dims: keyMask.dims };
      expectSameCall(call, shape, { ...options, keyMask: bytes }, { ...options, keyMask });
    });

    test("with maskStart, and for one sequence as [kvLen]", () => {
      const shape = parseShape("B1-S5-KV75-H2/2-D8");
      const [mask, keyMask] = [randomMask([5, 6], 4, 0.5), randomMask([1, 75], 5, 0.5)];
      const same = andMasks(fullMask(mask, [69], shape), asMask(keyMask));
      const flat = { data: keyMask.data, dims: [75] };
      expectSameCall(attentionOn(randomInputs(shape, 3)), shape, { mask, maskStart: 69, keyMask: flat }, { mask: same });
    });

    test("as a tensor of the engine, of two dims where batch and seqLen are equal, which as mask would be [seqLen, kvLen]", () => {
      const shape = parseShape("B3-S3-KV9-H2/2-D8");
      const keyMask = randomMask([3, 9], 5, 0.5);
      using tensor = engine.tensor([3, 9], "uint8");
      tensor.data.set(keyMask.data);
      const call = attentionOn(randomInputs(shape, 3));
      expectSameCall(call, shape, { keyMask: tensor }, { mask: asMask(keyMask) });
      expectSameCall(call, shape, { mask: tensor }, { mask: { data: keyMask.data, dims: [1, 1, 3, 9] } });
    });

    test.each(["float32", "int8"] as const)("on a cache of %s", (dtype) => {
      const shape = parseShape("B2-S4-KV600-H4/2-D8");
      const { q, k, v } = randomInputs(shape, 5);
      using cache = engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim: 8, capacity: 600, dtype });
      cache.append(k, v, { keyLengths: [600, 520] });
      const keyMask = randomMask([2, 600], 6, 0.6);
      const attend: AttentionCall = (options) => cache.attend(q, options);
      expectSameCall(attend, shape, { keyMask }, { mask: asMask(keyMask) });
    });
  });

  test("a short mask hides the keys beyond it, if asked to, also after maskStart", () => {
    const shape = parseShape("B2-S5-KV75-H2/2-D8");
    const call = attentionOn(randomInputs(shape, 3));
    const mask = randomMask([5, 20], 4, 0.7);
    const padded = (start: number): Bytes => {
      const columns = new Uint8Array(5 * (75 - start));
      for (let row = 0; row < 5; row++) columns.set(mask.data.subarray(20 * row, 20 * row + 20), row * (75 - start));
      return fullMask({ data: columns, dims: [5, 75 - start] }, [start, start], shape);
    };
    const late = { keyStarts: [3, 9], keyLengths: [30, 75], causal: true };
    expectSameCall(call, shape, { mask, shortMask: "hide" }, { mask: padded(0) });
    expectSameCall(call, shape, { mask, shortMask: "hide", maskStart: 9 }, { mask: padded(9) });
    expectSameCall(call, shape, { ...late, mask, shortMask: "hide" }, { ...late, mask: padded(0) });
    const bias = normal([20], 5);
    const full = { data: new Float32Array(75).fill(-Infinity), dims: [75] };
    full.data.set(bias.data);
    expectSameCall(call, shape, { bias, shortMask: "hide" }, { bias: full });
  });

  describe("a scale for each head", () => {
    const shape = parseShape("B2-S13-KV530-H6/2-D12:7");
    const scales = [0.1, 0.4, 1, -0.3, 0, 2];
    /** Head h of [batch, rows, heads, channels]. */
    const headOf = ({ data, dims }: { readonly data: Float32Array; readonly dims: readonly number[] }, h: number) => {
      const [batch, rows, heads, channels] = dims as [number, number, number, number];
      const parts = Array.from({ length: batch * rows }, (_, row) => [
        ...data.subarray((row * heads + h) * channels, (row * heads + h + 1) * channels),
      ]);
      return { data: Float32Array.from(parts.flat()), dims: [batch, rows, 1, channels] };
    };

    test("each head has the bits of a call with its scale", () => {
      const { q, k, v } = randomInputs(shape, 3);
      const found = engine.scaledDotProductAttention(q, k, v, { scale: scales, softcap: 3 });
      for (const [h, scale] of scales.entries()) {
        const [one, keys, values] = [headOf(q, h), headOf(k, Math.floor(h / 3)), headOf(v, Math.floor(h / 3))];
        const expected = engine.scaledDotProductAttention(one, keys, values, { scale, softcap: 3 });
        expectSameBits(headOf({ data: found.data, dims: found.dims }, h).data, expected.data, `head ${h}`);
      }
    });

    test.each(["scaled", "capped", "biased"] as const)(
      "agrees with the reference, scores %s; equal scales are one scale",
      (stage) => {
        const inputs = randomInputs(shape, 3);
        const scale = Float32Array.from(scales);
        checkAgainstReference(engine, shape, inputs, { scale, softcap: 2, causal: true, scoresStage: stage });
        const options = { bias: normal([6, 1, 1], 4), scoresStage: stage };
        expectSameCall(
          attentionOn(inputs),
          shape,
          { ...options, scale: new Array<number>(6).fill(0.3) },
          { ...options, scale: 0.3 },
        );
      },
    );

    test.each(["float32", "int8"] as const)("on a cache of %s, one row and several", (dtype) => {
      const { q, k, v } = randomInputs(shape, 3);
      using cache = engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim: 12, valueDim: 7, capacity: 530, dtype });
      cache.append(k, v);
      for (const rows of [1, 13]) {
        const some = cutRows(q, 13 - rows, 13);
        const found = cache.attend(some, { scale: scales });
        for (const [h, scale] of scales.entries()) {
          const expected = headOf(cache.attend(some, { scale }), h);
          expectSameBits(headOf(found, h).data, expected.data, `head ${h} of ${rows} rows`);
        }
      }
    });

    test("the reference and the baseline have it too", () => {
      const { q, k, v } = randomInputs(shape, 3);
      const truth = engine.scaledDotProductAttention(q, k, v, { scale: scales }).data;
      for (const other of [reference, baseline]) {
        expect(largestError(other(q, k, v, { scale: scales }).data, truth)).toBeLessThan(1e-5);
      }
    });
  });

  test("each getter is read once", () => {
    const { q, k, v } = randomInputs(parseShape("B2-S5-KV75-H2/2-D8"), 3);
    const values = {
      mask: randomMask([5, 5], 4, 0.5),
      maskStart: 70,
      bias: normal([75], 5),
      keyMask: randomMask([2, 75], 6, 0.5),
      shortMask: "hide",
      scale: [1, 2],
    };
    const reads: string[] = [];
    const options = {};
    for (const [name, value] of Object.entries(values)) {
      Object.defineProperty(options, name, { enumerable: true, get: () => (reads.push(name), value) });
    }
    engine.scaledDotProductAttention(q, k, v, options);
    expect(reads.sort()).toEqual(Object.keys(values).sort());
  });

  test("a getter that detaches a mask read before it is noticed", () => {
    const { q, k, v } = randomInputs(parseShape("B1-S5-KV75-H2/2-D8"), 3);
    const keyMask = randomMask([1, 75], 6, 0.5);
    const scale = {
      length: 2,
      get 0() {
        structuredClone(keyMask.data, { transfer: [keyMask.data.buffer] });
        return 1;
      },
      1: 1,
    };
    expect(() => engine.scaledDotProductAttention(q, k, v, { keyMask, scale })).toThrow(
      '"keyMask" holds 0 elements after the arguments were read, expected 75',
    );
  });

  test("a plan counts their memory, and refuses what the call refuses", () => {
    const { q, k, v } = randomInputs(parseShape("B2-S5-KV75-H2/2-D8"), 3);
    const options = { mask: randomMask([5, 5], 4, 0.5), maskStart: 70, keyMask: randomMask([2, 75], 6, 0.5), scale: [1, 2] };
    const { scratchBytes } = engine.planAttention(q, k, v, options);
    expect(scratchBytes - engine.planAttention(q, k, v).scratchBytes).toBe(64 + 192 + 64); // whole cache lines
    expect(() => engine.planAttention(q, k, v, { ...options, maskStart: 69 })).toThrow("kvLen − maskStart = 75 − 69 instead of 5");
  });

  test("errors on a cache name the sizes", () => {
    using cache = engine.createKVCache({ batchSize: 2, numKvHeads: 1, headDim: 4, capacity: 20 });
    cache.append(normal([2, 12, 1, 4], 1), normal([2, 12, 1, 4], 2), { keyLengths: [12, 9] });
    const attend = (options: CachedAttentionOptions) => () => cache.attend(normal([2, 1, 1, 4], 3), options);
    const axes = "(it must broadcast to [batch, numHeads, seqLen, kvLen] = [2, 1, 1, 12])";
    expect(attend({ mask: randomMask([2, 1, 1, 11], 4, 1) })).toThrow(
      new RangeError(
        `KVCache.attend: "mask" has dims [2, 1, 1, 11], expected 1 or 12 for kvLen instead of 11 ${axes}; ` +
          'shortMask: "hide" would hide the keys beyond it',
      ),
    );
    expect(attend({ mask: randomMask([2, 12], 4, 1) })).toThrow(
      `"mask" has dims [2, 12], expected 1 for seqLen instead of 2 ${axes}; a tokenizer's mask [batch, kvLen] goes into "keyMask"`,
    );
    expect(attend({ keyMask: randomMask([2, 11], 4, 1) })).toThrow('"keyMask" has dims [2, 11], expected [2, 12] (batch, kvLen)');
    expect(attend({ mask: randomMask([4], 4, 1), maskStart: [9, 6] })).toThrow(
      "expected 1 or 3 for the most keys from maskStart on",
    );
    expect(attend({ mask: randomMask([1], 4, 1), maskStart: 13 })).toThrow('"maskStart" must be an integer from 0 to 12, got 13');
    expect(attend({ scale: [1, 2] })).toThrow('"scale" holds 2 elements, expected 1, one for each query head');
  });

  describe("in a layer", () => {
    test("mask and keyMask have no columns for extra keys", () => {
      const config = { embedDim: 12, numHeads: 4 };
      using layer = engine.createMultiHeadAttention(config, randomParameters(config, 3, { biasKv: true }));
      const forward = (options: object) => () => layer.forward(normal([2, 9, 12], 4), options);
      expect(forward({ mask: randomMask([9, 10], 5, 1) })).toThrow("expected 1 or 9 for kvLen instead of 10");
      expect(forward({ keyMask: randomMask([2, 10], 5, 1) })).toThrow("expected [2, 9] (batch, kvLen)");
      expect(forward({ mask: randomMask([9, 8], 5, 1), maskStart: 2 })).toThrow("kvLen − maskStart = 9 − 2 instead of 8");
      expect(forward({ scale: [1, 1] })).toThrow(
        'MultiHeadAttention.forward: "scale" holds 2 elements, expected 4, one for each query head',
      );
    });

    const config = { embedDim: 12, numHeads: 4, numKvHeads: 2, headDim: 5 };
    test.each<[string, object, AttentionOptions]>([
      ["keys made of x", {}, { mask: randomMask([9, 3], 4, 0.6), maskStart: 6, keyMask: randomMask([2, 9], 5, 0.7) }],
      ["a scale for each head", {}, { scale: [0.1, 1, 0.5, 2], causal: true }],
      [
        "extra keys, which no mask hides",
        { biasKv: true },
        { mask: randomMask([9, 2], 4, 0.6), maskStart: 7, keyMask: randomMask([2, 9], 5, 0.3), scale: [0.1, 1, 0.5, 2] },
      ],
    ])("%s", (_, extras, options) => {
      const parameters = randomParameters(config, 3, extras);
      checkLayer(engine, config, parameters, normal([2, 9, 12], 4), options as never);
    });

    test("with a cache and with memory: masks count all keys", () => {
      const parameters = randomParameters(config, 3);
      using layer = engine.createMultiHeadAttention(config, parameters);
      const x = normal([2, 9, 12], 4);
      const [mask, keyMask] = [randomMask([3, 3], 5, 0.6), randomMask([2, 9], 6, 0.7)];
      const shape = { batchSize: 2, numHeads: 4, seqLen: 3, kvLen: 9, numKvHeads: 2, headDim: 5, valueDim: 5 };
      const full = andMasks(fullMask(mask, [6, 6], shape), asMask(keyMask));
      const run = (options: AttentionOptions): Float32Array => {
        using cache = layer.createCache({ batchSize: 2, capacity: 9 });
        layer.forward(cut(x, 0, 6), { cache });
        return layer.forward(cut(x, 6, 9), { ...(options as object), cache, causal: false }).data;
      };
      const expected = run({ mask: full });
      expectSameBits(run({ mask, maskStart: 6, keyMask }), expected, "cache");
      using memory = layer.projectKeys(x);
      expectSameBits(layer.forward(cut(x, 6, 9), { memory, mask, maskStart: 6, keyMask }).data, expected, "memory");
    });
  });
});
