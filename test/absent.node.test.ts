/** `null` counts as absent, as `undefined` does: for every option of every operation, and in a worker. */
import { describe, expect, test } from "vitest";
import { causalMask, createEngine, createWorkerEngine, prefixMask, windowMask, type WorkerEngine } from "headwise";
import { createEngineSync } from "headwise/sync";
import { descriptors } from "./support/descriptors.js";
import { normal } from "./support/random.js";
import { bitsIn } from "./support/workerEngines.js";

const x = normal([2, 3, 2, 4], 1);
const rows = normal([2, 3, 8], 2);
const w = normal([8, 8], 3);
const [row, column] = [normal([2, 3], 4), normal([3, 4], 5)];
const STATE = { numKvHeads: 2, headDim: 4, batchSize: 2 };
const CACHE = { numKvHeads: 2, headDim: 4, batchSize: 2, capacity: 8 };
const LAYER = { embedDim: 8, numHeads: 2 };
const PARAMETERS = { q: w, k: w, v: w, out: w };

type Options = Record<string, unknown>;
/** One in a worker, or one here: awaiting works on both. */
type AnyEngine = WorkerEngine;

/** A call of each operation, with what it requires; the options are added to that. */
const CALLS: Readonly<Record<string, (engine: AnyEngine, options: Options) => unknown>> = {
  scaledDotProductAttention: (engine, options) => engine.scaledDotProductAttention(x, x, x, options),
  planAttention: (engine, options) => engine.planAttention(x, x, x, options),
  additiveAttention: (engine, options) =>
    engine.additiveAttention(x, x, x, { query: normal([3, 4], 7), key: normal([3, 4], 8), score: normal([3], 9) }, options),
  bilinearAttention: (engine, options) => engine.bilinearAttention(x, x, x, { weight: normal([4, 4], 7) }, options),
  cosineAttention: (engine, options) => engine.cosineAttention(x, x, x, options),
  topKAttention: (engine, options) => engine.topKAttention(x, x, x, { count: 2 }, options),
  hardAttention: (engine, options) => engine.hardAttention(x, x, x, null, options),
  localAttention: (engine, options) => engine.localAttention(x, x, x, { halfWidth: 1 }, options),
  mergeAttention: (engine, options) => {
    const part = { out: x, logSumExp: normal([2, 2, 3], 6) };
    return engine.mergeAttention([part, part], options);
  },
  createKVCache: async (engine, options) => (await engine.createKVCache({ ...options, ...CACHE })).lengths,
  "KVCache.append": async (engine, options) => {
    const cache = await engine.createKVCache(CACHE);
    await cache.append(x, x, options);
    return cache.lengths;
  },
  "KVCache.attend": async (engine, options) => {
    const cache = await engine.createKVCache(CACHE);
    await cache.append(x, x);
    return cache.attend(x, options);
  },
  "KVCache.read": async (engine, options) => {
    const cache = await engine.createKVCache(CACHE);
    await cache.append(x, x);
    return (await cache.read(0, null, options)).k;
  },
  "KVCache.remove": async (engine, options) => {
    const cache = await engine.createKVCache(CACHE);
    await cache.append(x, x);
    await cache.remove(0, null, options);
    return cache.lengths;
  },
  softmax: (engine, options) => engine.softmax(x, options),
  layerNorm: (engine, options) => engine.layerNorm(x, options),
  rmsNorm: (engine, options) => engine.rmsNorm(x, options),
  activate: (engine, options) => engine.activate(x, "gelu", options),
  add: (engine, options) => engine.add(x, x, options),
  rotary: (engine, options) => engine.rotary(x, options),
  rotaryTables: (engine, options) => engine.rotaryTables({ ...options, length: 3, rotaryDim: 4 }),
  sinusoidalPositions: (engine, options) => engine.sinusoidalPositions({ ...options, length: 3, dim: 4 }),
  matmul: (engine, options) => engine.matmul(row, column, options),
  packMatrix: async (engine) => (await engine.packMatrix(column, null)).columns,
  linearAttention: (engine, options) => engine.linearAttention(x, x, x, options),
  createLinearAttentionState: async (engine, options) =>
    (await engine.createLinearAttentionState({ ...options, ...STATE })).lengths,
  "LinearAttentionState.step": async (engine, options) => (await engine.createLinearAttentionState(STATE)).step(x, x, x, options),
  createMultiHeadAttention: async (engine, options) =>
    (await engine.createMultiHeadAttention({ ...options, ...LAYER }, PARAMETERS)).config,
  "MultiHeadAttention.forward": async (engine, options) =>
    (await engine.createMultiHeadAttention(LAYER, PARAMETERS)).forward(rows, options),
  "MultiHeadAttention.headImportance": async (engine, options) => {
    const layer = await engine.createMultiHeadAttention(LAYER, PARAMETERS);
    return (await layer.headImportance(rows, options)).leaveOneOut;
  },
  "MultiHeadAttention.projectKeys": async (engine, options) =>
    (await (await engine.createMultiHeadAttention(LAYER, PARAMETERS)).projectKeys(rows, options)).lengths,
  "MultiHeadAttention.createCache": async (engine, options) =>
    (await (await engine.createMultiHeadAttention(LAYER, PARAMETERS)).createCache({ ...options, capacity: 8 })).lengths,
};

const known = (await descriptors()).filter(({ name }) => Object.hasOwn(CALLS, name));
const here = await createEngine({ build: "simd" });
const anyHere = here as unknown as AnyEngine;
const there = await createWorkerEngine({ build: "simd" });

test("there is a call of every operation", async () => {
  const names = (await descriptors()).map(({ name }) => name).filter((name) => !/^multiHeadFrom/.test(name));
  expect(names.filter((name) => !Object.hasOwn(CALLS, name))).toEqual([]);
});

describe.each(known)("$name", ({ name, options }) => {
  const call = CALLS[name]!;
  const all = Object.fromEntries(options.map((option) => [option, null]));

  test.each(options)("%s", async (option) => {
    expect(bitsIn(await call(anyHere, { [option]: null }))).toEqual(bitsIn(await call(anyHere, {})));
  });

  test("all options, in a worker too, and no options", async () => {
    const expected = bitsIn(await call(anyHere, {}));
    expect(bitsIn(await call(anyHere, null as never))).toEqual(expected);
    expect(bitsIn(await call(anyHere, all))).toEqual(expected);
    expect(bitsIn(await call(there, { ...all, signal: null, transfer: null }))).toEqual(expected);
  });
});

test("options themselves, and what they contain", () => {
  expect(bitsIn(here.softmax(x, null as never))).toEqual(bitsIn(here.softmax(x)));
  expect(bitsIn(here.scaledDotProductAttention(x, x, x, { window: [null, 0] }))).toEqual(
    bitsIn(here.scaledDotProductAttention(x, x, x, { window: [-1, 0] })),
  );
  const layer = (config: object) => here.createMultiHeadAttention({ ...LAYER, ...config }, PARAMETERS).forward(rows);
  expect(bitsIn(layer({ rotary: { base: null, rotaryDim: null }, qkNorm: { eps: null } }))).toEqual(
    bitsIn(layer({ rotary: {}, qkNorm: true })),
  );
  expect(bitsIn(here.softmax({ ...x, type: null, location: null } as never))).toEqual(bitsIn(here.softmax(x)));
  expect(here.tensor([1], null).type).toBe("float32");
});

test("parameters of attention to some keys", () => {
  const argmax = { choose: null, seed: null, picks: null };
  expect(bitsIn(here.hardAttention(x, x, x, argmax))).toEqual(bitsIn(here.hardAttention(x, x, x)));
  const plain = { halfWidth: 1, centers: null, predictor: null, renormalize: null };
  expect(bitsIn(here.localAttention(x, x, x, plain))).toEqual(bitsIn(here.localAttention(x, x, x, { halfWidth: 1 })));
});

test("parameters of a layer", () => {
  const names = ["qkv", "qBias", "kBias", "vBias", "qkvBias", "outBias", "biasK", "biasV", "qNorm", "kNorm"];
  const absent = Object.fromEntries(names.map((name) => [name, null]));
  const layer = here.createMultiHeadAttention(LAYER, { ...absent, ...PARAMETERS });
  expect(bitsIn(layer.forward(rows))).toEqual(bitsIn(here.createMultiHeadAttention(LAYER, PARAMETERS).forward(rows)));
});

test("options of creation", async () => {
  const sync = { build: null, wasm: null, initialMemory: null, maximumMemory: null };
  const options = { ...sync, threads: null, createWorker: null, stallTimeout: null };
  const { info } = await createEngine();
  expect((await createEngine(options as never)).info).toEqual(info);
  expect((await createEngine(null as never)).info).toEqual(info);
  expect(createEngineSync(sync as never).info).toEqual(info);
  const worker = await createWorkerEngine(options);
  expect(await worker.info).toEqual(info);
  await worker.dispose();
});

test("arguments and options of masks", () => {
  expect(causalMask(3, null, { queryOffset: null as never })).toEqual(causalMask(3));
  expect(prefixMask(1, 3, null, null as never)).toEqual(prefixMask(1, 3));
  expect(windowMask(3, 3, 1, { sinkTokens: null as never })).toEqual(windowMask(3, 3, 1));
  expect(windowMask(3, 3, [null, 0])).toEqual(windowMask(3, 3, [-1, 0]));
});
