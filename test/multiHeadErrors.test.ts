/** Wrong arguments of a multi-head layer are named before anything is computed, and leave memory and caches unchanged. */
import { describe, expect, test } from "vitest";
import { createEngine, type Engine, type KVCacheOptions, type MultiHeadAttention, type MultiHeadAttentionConfig } from "headwise";
import { expectSameBits } from "./support/attention.js";
import { openBuild } from "./support/builds.js";
import { randomParameters, type LayerConfig } from "./support/layers.js";
import { normal } from "./support/random.js";

const CONFIG = { embedDim: 12, numHeads: 3 };
const PARAMETERS = randomParameters(CONFIG, 1);
const { q, k, v, out } = PARAMETERS;

describe("configs", () => {
  test.each<[unknown, string]>([
    [5, '"config" must be an object, got 5'],
    [{ ...CONFIG, heads: 2 }, 'unknown option "heads"; here it is "numHeads"'],
    [{ numHeads: 3 }, '"embedDim" is missing, expected an integer from 1 to 1048576'],
    [{ ...CONFIG, numHeads: 0 }, '"numHeads" must be an integer from 1 to 1048576, got 0'],
    [{ ...CONFIG, numKvHeads: 2 }, '"numHeads" is 3, expected a multiple of numKvHeads 2'],
    [{ ...CONFIG, numHeads: 5 }, '"headDim" is missing: embedDim 12 is not a multiple of numHeads 5'],
    [{ ...CONFIG, valueDim: 1.5 }, '"valueDim" must be an integer from 1 to 1048576, got 1.5'],
    [{ ...CONFIG, weightLayout: "io" }, '"weightLayout" must be "inOut" or "outIn", got "io"'],
    [{ ...CONFIG, headGates: 1 }, '"headGates" must be an array of 3 numbers, got 1'],
    [{ ...CONFIG, headGates: [1, 2] }, '"headGates" holds 2 elements, expected 3, one for each head'],
    [{ ...CONFIG, headGates: [1, 2, NaN] }, '"headGates[2]" must be a number within the range of float32, got NaN'],
    [{ ...CONFIG, qkNorm: 1 }, '"qkNorm" must be true, false or { eps }, got 1'],
    [{ ...CONFIG, qkNorm: { epsilon: 1 } }, 'unknown option "qkNorm.epsilon"; here it is "eps"'],
    [{ ...CONFIG, qkNorm: { eps: -1 } }, '"qkNorm.eps" must be a number ≥ 0 within the range of float32, got -1'],
    [{ ...CONFIG, rotary: true }, '"rotary" must be an object, got true'],
    [{ ...CONFIG, rotary: { rotaryDim: 6 } }, '"rotaryDim" must be an integer from 2 to 4, got 6'],
    [
      { ...CONFIG, rotary: { offset: 6 } },
      'unknown option "rotary.offset"; the options are base, scaling, rotaryStart, rotaryDim, interleaved, tables',
    ],
    [{ ...CONFIG, addZeroAttention: 1 }, '"addZeroAttention" must be true or false, got 1'],
  ])("%#", (config, message) => {
    using engine = openBuild("simd");
    expect(() => engine.createMultiHeadAttention(config as MultiHeadAttentionConfig, PARAMETERS)).toThrow(
      `createMultiHeadAttention: ${message}`,
    );
    expect(engine.info.memory.inUse).toBe(0);
  });
});

describe("parameters", () => {
  const qkv = normal([36, 12], 1);
  test.each<[LayerConfig, unknown, string]>([
    [CONFIG, 5, '"parameters" must be an object, got 5'],
    [CONFIG, { ...PARAMETERS, w: q }, 'unknown parameter "parameters.w"; the parameters are q, k, v, qkv, out, qBias,'],
    [CONFIG, { q, k, v }, '"parameters.out" is missing, the matrix of the output projection'],
    [
      CONFIG,
      { q, v, out },
      '"parameters.k" is missing; give "parameters.q", "parameters.k" and "parameters.v", or "parameters.qkv"',
    ],
    [CONFIG, { qkv, v, out }, '"parameters.qkv" cannot be combined with "parameters.v", which it contains'],
    [
      CONFIG,
      { qkv, out, qkvBias: normal([36], 1), kBias: normal([12], 1) },
      '"parameters.qkvBias" cannot be combined with "parameters.kBias", which it contains',
    ],
    [
      { ...CONFIG, kDim: 7 },
      { qkv, out },
      '"parameters.qkv" needs kDim 7 and vDim 12 to equal embedDim 12; give q, k and v separately',
    ],
    [
      CONFIG,
      { ...PARAMETERS, q: normal([12, 11], 1) },
      '"parameters.q" has dims [12, 11], expected [12, 12] (numHeads · headDim, embedDim)',
    ],
    [
      { ...CONFIG, weightLayout: "inOut", numKvHeads: 1 },
      PARAMETERS,
      '"parameters.k" has dims [12, 12], expected [12, 4] or [12, 1, 4] (kDim, numKvHeads · headDim)',
    ],
    [
      { ...CONFIG, weightLayout: "inOut", outDim: 5 },
      PARAMETERS,
      '"parameters.out" has dims [12, 12], expected [12, 5] or [3, 4, 5] (numHeads · valueDim, outDim)',
    ],
    [
      CONFIG,
      { ...PARAMETERS, vBias: normal([11], 1) },
      '"parameters.vBias" has dims [11], expected [12] or [3, 4] (numKvHeads · valueDim)',
    ],
    [CONFIG, { ...PARAMETERS, biasV: normal([12], 1) }, '"parameters.biasK" is missing; "parameters.biasV" needs it'],
    [CONFIG, { ...PARAMETERS, kNorm: normal([4], 1) }, '"parameters.kNorm" needs "qkNorm" in the config'],
    [
      { ...CONFIG, qkNorm: true },
      { ...PARAMETERS, kNorm: normal([3, 4], 1) },
      '"parameters.kNorm" has dims [3, 4], expected [4] (headDim)',
    ],
    [CONFIG, { ...PARAMETERS, v: { data: "1", dims: [12, 12] } }, '"parameters.v.data" must be a Float32Array'],
  ])("%#", (config, parameters, message) => {
    using engine = openBuild("simd");
    expect(() => engine.createMultiHeadAttention(config, parameters as typeof PARAMETERS)).toThrow(
      `createMultiHeadAttention: ${message}`,
    );
    expect(engine.info.memory.inUse).toBe(0);
  });

  test("if there is no memory for all of them, none is kept", async () => {
    using engine = await createEngine({ build: "simd", maximumMemory: 2 ** 21 });
    const config = { embedDim: 336, numHeads: 3 };
    expect(() => engine.createMultiHeadAttention(config, randomParameters(config, 1))).toThrow(/needs \d+ bytes of memory/);
    expect(engine.info.memory.inUse).toBe(0);
  });
});

/** A layer with its engine, and caches for it. */
function open(config: LayerConfig = CONFIG, extras = {}) {
  const engine = openBuild("simd");
  const layer = engine.createMultiHeadAttention(config, randomParameters(config, 1, extras));
  const caches = (options: Partial<KVCacheOptions>) => layer.createCache({ capacity: 10, ...options });
  return { engine, layer, caches };
}
type Opened = ReturnType<typeof open>;

const expectUnchanged = (
  { engine, layer }: Opened,
  call: (layer: MultiHeadAttention, engine: Engine) => unknown,
  message: string,
) => {
  const before = engine.info.memory.inUse;
  expect(() => call(layer, engine)).toThrow(message);
  expect(engine.info.memory.inUse).toBe(before);
};

describe("forward", () => {
  const x = normal([2, 5, 12], 3);
  const options = (make: (opened: Opened) => object): ((opened: Opened) => object) => make;
  test.each<[string, (opened: Opened) => object]>([
    ['unknown option "layout"; the layer\'s config has it', options(() => ({ layout: "bshd" }))],
    [
      '"value" has dims [2, 4, 12], expected [2, 5, 12] (same batch and rows as "key")',
      options(() => ({ key: x, value: normal([2, 4, 12], 1) })),
    ],
    ['"key" is missing; "value" needs it', options(() => ({ value: x }))],
    ['"key" has dims [5, 12], expected the rank and batch of x [2, 5, 12]', options(() => ({ key: normal([5, 12], 1) }))],
    [
      '"key" has dims [2, 5, 11], expected [batch, seq, 12] or [seq, 12] (kDim is 12)',
      options(() => ({ key: normal([2, 5, 11], 1) })),
    ],
    [
      '"memory" cannot be combined with "key": keys come from one of them',
      options(({ caches }) => ({ key: x, memory: caches({}) })),
    ],
    [
      '"memory" cannot be combined with "cache": keys come from one of them',
      options(({ caches }) => ({ memory: caches({}), cache: caches({}) })),
    ],
    ['"cache" must be a KVCache, got an object', options(() => ({ cache: {} }))],
    ['"cache" has batchSize 1, expected 2, the batch of x', options(({ caches }) => ({ cache: caches({}) }))],
    [
      '"cache" has headDim 5, expected 4, as in the layer',
      options(({ engine }) => ({ cache: engine.createKVCache({ batchSize: 2, numKvHeads: 3, headDim: 5, capacity: 5 }) })),
    ],
    ['"cache" is a cache of another engine', options(() => ({ cache: open().caches({ batchSize: 2 }) }))],
    [
      '"keyLengths" cannot be combined with "cache", which knows the positions of its keys',
      options(({ caches }) => ({ cache: caches({ batchSize: 2 }), keyLengths: [1, 1] })),
    ],
    [
      '"cuSeqlensQ" cannot be combined with "memory", which knows the positions of its keys',
      options(({ layer }) => ({ memory: layer.projectKeys(x), cuSeqlensQ: [0, 5] })),
    ],
    [
      '"window" cannot be combined with a cache of policy "rolling", which has its own',
      options(({ caches }) => ({ cache: caches({ batchSize: 2, policy: "rolling", window: 3 }), window: 2 })),
    ],
    [
      '"memory" has policy "rolling", expected "append", which keeps all keys',
      options(({ caches }) => ({ memory: caches({ batchSize: 2, policy: "rolling", window: 3 }) })),
    ],
    [
      '"causal" must be one of true, false, "lower-right", got "upper-left"',
      options(({ caches }) => ({ cache: caches({ batchSize: 2 }), causal: "upper-left" })),
    ],
    [
      "sequence 0 would have 0 + 5 = 5 keys in all, but capacity is 4",
      options(({ caches }) => ({ cache: caches({ batchSize: 2, capacity: 4 }) })),
    ],
    [
      '"queryLengths[1]" must be an integer from 0 to 5, got 6',
      options(({ caches }) => ({ cache: caches({ batchSize: 2 }), queryLengths: [5, 6] })),
    ],
    ['"accumulate" needs "out", which it adds to', options(() => ({ accumulate: true }))],
    ['"headGates" holds 1 element, expected 3, one for each head', options(() => ({ headGates: [1] }))],
    [
      '"mask" has dims [4, 5], expected 1 or 5 for seqLen instead of 4 (it must broadcast to [batch, numHeads, seqLen, kvLen] = [2, 3, 5, 5])',
      options(() => ({ mask: { data: new Uint8Array(20), dims: [4, 5] } })),
    ],
    ['"out" has dims [2, 5, 11], expected [2, 5, 12] (rows of x, outDim)', options(() => ({ out: normal([2, 5, 11], 1) }))],
    [
      '"weights" has dims [2, 5, 5], expected [2, 3, 5, 5] (batch, numHeads, seqLen, kvLen)',
      options(() => ({ weights: normal([2, 5, 5], 1) })),
    ],
    [
      '"averageWeights" has dims [2, 3, 5, 5], expected [2, 5, 5] (batch, seqLen, kvLen)',
      options(() => ({ averageWeights: normal([2, 3, 5, 5], 1) })),
    ],
    [
      '"out" and "averageWeights" overlap, expected separate places',
      options(() => {
        const data = new Float32Array(120);
        return { out: { data, dims: [2, 5, 12] }, averageWeights: { data: data.subarray(70), dims: [2, 5, 5] } };
      }),
    ],
  ])("%s", (message, make) => {
    const opened = open();
    expectUnchanged(
      opened,
      (
        (given) => (layer: MultiHeadAttention) =>
          layer.forward(x, given)
      )(make(opened)),
      `MultiHeadAttention.forward: ${message}`,
    );
  });

  test.each<[number[], string]>([
    [[2, 5, 3, 4], '"x" has dims [2, 5, 3, 4], expected [batch, seq, embedDim]: the layer splits rows into heads itself'],
    [[2, 5, 11], '"x" has dims [2, 5, 11], expected [batch, seq, 12] or [seq, 12] (embedDim is 12)'],
    [[12], '"x" has dims [12], expected [batch, seq, 12] or [seq, 12] (embedDim is 12)'],
  ])("x of dims %j", (dims, message) => {
    expectUnchanged(open(), (layer) => layer.forward(normal(dims, 1)), message);
  });

  test("a layer for cross-attention needs keys", () => {
    const opened = open({ ...CONFIG, kDim: 7, vDim: 9 });
    const message = '"key" is missing: this layer projects keys from kDim 7 and values from vDim 9 numbers, but x has 12';
    expectUnchanged(opened, (layer) => layer.forward(x), message);
    expectUnchanged(
      opened,
      (layer) => layer.forward(x, { key: normal([2, 5, 7], 1) }),
      '"value" is missing: values are projected from vDim 9 numbers, but "key" has kDim 7',
    );
  });

  test("a layer with extra keys refuses a cache, and memory without them", () => {
    const opened = open({ ...CONFIG, addZeroAttention: true });
    const cache = opened.caches({ batchSize: 2 });
    const message = '"cache" needs a layer without biasK and addZeroAttention, whose keys come after all others';
    expectUnchanged(opened, (layer) => layer.forward(x, { cache }), message);
    expectUnchanged(
      opened,
      (layer) => layer.forward(x, { memory: cache }),
      '"memory" was not made by projectKeys of a layer with 1 extra key (biasK and addZeroAttention), or has changed since',
    );
    const memory = opened.layer.projectKeys(x);
    memory.truncate(memory.length - 1);
    expectUnchanged(
      opened,
      (layer) => layer.forward(x, { memory }),
      '"memory" was not made by projectKeys of a layer with 1 extra key (biasK and addZeroAttention), or has changed since',
    );
    memory.dispose();
    expectUnchanged(
      opened,
      (layer) => layer.projectKeys(x, { keyLengths: [1, 2] }),
      '"keyLengths" cannot be combined with biasK or addZeroAttention, whose keys come last; hide keys with "keyMask"',
    );
  });

  test("rows must have positions for which rotary has angles", () => {
    const tables = { cos: normal([6, 2], 1), sin: normal([6, 2], 2) };
    const opened = open({ ...CONFIG, rotary: { tables } });
    const cache = opened.caches({ batchSize: 2 });
    opened.layer.forward(normal([2, 4, 12], 1), { cache });
    const beyond = "a row would be at position 6, but the tables of rotary end at 5";
    expectUnchanged(opened, (layer) => layer.forward(normal([2, 3, 12], 1), { cache }), beyond);
    expectUnchanged(opened, (layer) => layer.projectKeys(normal([7, 12], 1)), beyond);
    opened.layer.projectKeys(normal([2, 8, 12], 1), { keyLengths: [6, 2] }).dispose(); // rows beyond have no position
    const extra = open({ ...CONFIG, rotary: { tables }, addZeroAttention: true }).layer;
    const six = normal([6, 12], 1);
    using memory = extra.projectKeys(six); // nor do extra keys
    expectSameBits(extra.forward(six, { memory }).data, extra.forward(six).data, "memory");
    expect(cache.length).toBe(4);
    const before = 'a row would be at position -2, before the first key, where rotary has no angle; give "queryOffset"';
    expectUnchanged(opened, (layer) => layer.forward(x, { key: normal([2, 3, 12], 1) }), before);
  });

  test("out in the engine's memory may be x, but no other operand", () => {
    const opened = open();
    const [input, key] = [opened.engine.tensor([2, 5, 12]), opened.engine.tensor([2, 5, 12])];
    expectUnchanged(opened, (layer) => layer.forward(input, { key, out: key }), '"out" overlaps "key" in the engine\'s memory');
  });

  test("a failure leaves a cache unchanged", () => {
    const { engine, layer, caches } = open();
    const cache = caches({ batchSize: 2, dtype: "int8" });
    layer.forward(x, { cache });
    const before = cache.serialize();
    const wrong = normal([2, 3, 12], 4);
    wrong.data[70] = NaN; // its projections cannot be stored in int8
    const { inUse } = engine.info.memory;
    expect(() => layer.forward(wrong, { cache })).toThrow('"k" holds NaN or infinity, which a cache of dtype "int8" cannot store');
    expect(() => layer.forward(x, { cache, mask: { data: new Uint8Array(10), dims: [10] }, weights: normal([1], 1) })).toThrow(
      "weights",
    );
    expect(cache.serialize()).toEqual(before);
    expect(engine.info.memory.inUse).toBe(inUse);
    layer.forward(normal([2, 3, 12], 4), { cache });
    expect(cache.length).toBe(8);
  });

  test("a call without memory leaves a cache unchanged", async () => {
    using engine = await createEngine({ build: "simd", maximumMemory: 2 ** 21 });
    const layer = engine.createMultiHeadAttention(CONFIG, PARAMETERS);
    const cache = layer.createCache({ capacity: 2 ** 16 });
    layer.forward(normal([3, 12], 1), { cache });
    const before = cache.serialize();
    const { inUse } = engine.info.memory;
    for (const rows of [7500, 9000, 11000, 50000]) {
      expect(() => layer.forward(normal([rows, 12], 1), { cache }), `${rows} rows`).toThrow(/needs \d+ bytes of memory/);
      expect(cache.serialize()).toEqual(before);
      expect(engine.info.memory.inUse).toBe(inUse);
    }
    layer.forward(normal([1, 12], 1), { cache });
    expect(cache.length).toBe(4);
  });

  test("a cache that a getter changes during the call is refused", () => {
    const { layer, caches } = open();
    const cache = caches({ batchSize: 2 });
    const mask = {
      dims: [5],
      get data() {
        cache.truncate(0);
        return new Uint8Array(5).fill(1);
      },
    };
    expect(() => layer.forward(x, { cache, mask })).toThrow('"cache" was changed while the arguments were read');
    expect(cache.length).toBe(0);
  });

  test("a layer that a getter disposes of is not used", () => {
    const { engine, layer } = open();
    const shifty = {
      dims: [2, 5, 12],
      get data() {
        layer.dispose();
        return x.data;
      },
    };
    expect(() => layer.forward(shifty)).toThrow("MultiHeadAttention.forward: this layer has been disposed of");
    expect(engine.info.memory.inUse).toBe(0);
  });
});

describe("the rest of a layer", () => {
  test.each<[string, (layer: MultiHeadAttention) => unknown]>([
    ['MultiHeadAttention.pruneHeads: "heads" must be an array of integers, got 1', (layer) => layer.pruneHeads(1 as never)],
    ['MultiHeadAttention.pruneHeads: "heads[1]" must be an integer from 0 to 2, got 3', (layer) => layer.pruneHeads([0, 3])],
    [
      'MultiHeadAttention.pruneHeads: "heads" holds all 3 heads, expected at least one to remain',
      (layer) => layer.pruneHeads([2, 1, 0]),
    ],
    [
      'MultiHeadAttention.createCache: unknown option "headDim"',
      (layer) => layer.createCache({ capacity: 1, headDim: 4 } as never),
    ],
    ['MultiHeadAttention.createCache: "capacity" is missing', (layer) => layer.createCache({} as never)],
    [
      'MultiHeadAttention.projectKeys: "key" has dims [12], expected [batch, seq, 12] or [seq, 12]',
      (layer) => layer.projectKeys(normal([12], 1)),
    ],
    ['MultiHeadAttention.projectKeys: "key" has batch 0, expected at least 1', (layer) => layer.projectKeys(normal([0, 1, 12], 1))],
    [
      'MultiHeadAttention.projectKeys: "keyLengths" holds 1 element, expected 2, one for each sequence',
      (layer) => layer.projectKeys(normal([2, 1, 12], 1), { keyLengths: [1] }),
    ],
    [
      'MultiHeadAttention.projectKeys: "dtype" must be',
      (layer) => layer.projectKeys(normal([2, 1, 12], 1), { dtype: "int4" as never }),
    ],
    [
      'MultiHeadAttention.projectKeys: "k" holds NaN or infinity',
      (layer) => layer.projectKeys({ data: new Float32Array(12).fill(NaN), dims: [1, 12] }, { dtype: "int8" }),
    ],
  ])("%s", (message, call) => {
    expectUnchanged(open(), call, message);
  });

  test("after dispose every call reports it, and the memory is free", () => {
    const { engine, layer } = open();
    expect(engine.info.memory.inUse).toBeGreaterThan(0);
    layer.dispose();
    layer.dispose();
    expect(engine.info.memory.inUse).toBe(0);
    const x = normal([2, 12], 1);
    for (const [name, call] of Object.entries({
      forward: () => layer.forward(x),
      projectKeys: () => layer.projectKeys(x),
      createCache: () => layer.createCache({ capacity: 1 }),
      pruneHeads: () => layer.pruneHeads([]),
      circuits: () => layer.circuits(0),
      headImportance: () => layer.headImportance(x),
    })) {
      expect(call).toThrow(`MultiHeadAttention.${name}: this layer has been disposed of`);
    }
    engine.dispose();
    expect(() => layer.forward(x)).toThrow("MultiHeadAttention.forward: the engine has been disposed of");
    expect(() => engine.createMultiHeadAttention(CONFIG, PARAMETERS)).toThrow(
      "createMultiHeadAttention: the engine has been disposed of",
    );
  });

  test("caches and memory outlive the layer, and a pruned layer outlives its original", () => {
    const { engine, layer } = open();
    const x = normal([2, 12], 1);
    const memory = layer.projectKeys(x);
    const twin = layer.pruneHeads([]);
    const expected = layer.forward(x, { memory });
    layer.dispose();
    expectSameBits(twin.forward(x, { memory }).data, expected.data, "out");
    twin.dispose();
    memory.dispose();
    expect(engine.info.memory.inUse).toBe(0);
  });
});
