/**
 * Scenarios that show that the methods and properties of engines do the same in a worker as here. An operation whose bits cases
 * call it with plain arrays needs none: those calls are made in a worker too.
 */
import type { EngineTensor, WorkerEngine, TensorLike, WorkerTensor } from "headwise";
import { normal } from "./random.js";

/** Elements of a tensor that lives in either engine. */
export const read = async (tensor: WorkerTensor): Promise<Float32Array | Uint8Array> =>
  "read" in tensor ? await tensor.read() : (tensor as unknown as EngineTensor).data.slice();

/** Replaces them. */
export async function write(tensor: WorkerTensor<"float32">, data: Float32Array): Promise<void> {
  if ("write" in tensor) await tensor.write(data);
  else (tensor as unknown as EngineTensor<"float32">).data.set(data);
}

const x = (dims: number[], seed: number): TensorLike => normal(dims, seed);
const rows = (count: number, seed: number): TensorLike => normal([1, count, 2, 8], seed);
const zeros = (...dims: number[]) => ({ data: new Float32Array(dims.reduce((a, b) => a * b, 1)), dims });

type Scenario = (engine: WorkerEngine) => Promise<unknown>;

const cacheOf = async (engine: WorkerEngine) => {
  const cache = await engine.createKVCache({ batchSize: 1, numKvHeads: 2, headDim: 8, capacity: 40 });
  await cache.append(rows(9, 1), rows(9, 2));
  return cache;
};
const stateOf = async (engine: WorkerEngine) => {
  const state = await engine.createLinearAttentionState({ numKvHeads: 2, headDim: 8 });
  await state.step(rows(9, 1), rows(9, 2), rows(9, 3));
  return state;
};
const layerOf = (engine: WorkerEngine) =>
  engine.createMultiHeadAttention(
    { embedDim: 8, numHeads: 2, rotary: {}, qkNorm: { eps: 1e-5 } },
    { q: x([8, 8], 1), k: x([8, 8], 2), v: x([8, 8], 3), out: x([8, 8], 4), outBias: x([8], 5) },
  );
const matrixOf = (engine: WorkerEngine) => engine.packMatrix(x([5, 7], 2), "inOut");
const tensorOf = async (engine: WorkerEngine) => {
  const tensor = await engine.tensor([3, 5]);
  await write(tensor, normal([3, 5], 1).data);
  return tensor;
};
const afterDispose = async (call: () => Promise<unknown>): Promise<unknown> => {
  try {
    return await call();
  } catch (error) {
    return String(error);
  }
};

/** The scenarios, by class and member. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "Engine.info": async (engine) => {
    const { memory, ...info } = await engine.info;
    return [info, memory.limit];
  },
  "Engine.tensor": async (engine) => [await read(await engine.tensor([3, 2])), await read(await engine.tensor([5], "uint8"))],
  "Engine.scaledDotProductAttention": async (engine) => {
    const places = { out: zeros(1, 5, 2, 8), logSumExp: zeros(1, 2, 5), weights: zeros(1, 2, 5, 7), scores: zeros(1, 2, 5, 7) };
    const options = { causal: true, window: [3, undefined], softcap: 20, keyLengths: Uint32Array.of(6), ...places } as const;
    const out = await engine.scaledDotProductAttention(rows(5, 1), rows(7, 2), rows(7, 3), options);
    return [out === places.out, places];
  },
  "Engine.topKAttention": async (engine) => engine.topKAttention(rows(2, 3), await cacheOf(engine), null, { count: 2 }),
  "Engine.hardAttention": async (engine) => {
    const [picks, logSumExp] = [zeros(1, 2, 5), zeros(1, 2, 5)];
    const parameters = { choose: "sample", seed: 9, picks } as const;
    return [await engine.hardAttention(rows(5, 1), rows(7, 2), rows(7, 3), parameters, { logSumExp }), picks, logSumExp];
  },
  "Engine.localAttention": (engine) =>
    engine.localAttention(rows(5, 1), rows(7, 2), rows(7, 3), {
      halfWidth: 2,
      predictor: { weight: x([3, 8], 4), score: x([3], 5) },
    }),
  "Engine.additiveAttention": async (engine) =>
    engine.additiveAttention(rows(3, 3), await cacheOf(engine), null, { query: x([8, 8], 4), score: x([8], 5) }),
  "Engine.bilinearAttention": async (engine) =>
    engine.bilinearAttention(rows(3, 3), await cacheOf(engine), null, { weight: x([8, 8], 4) }),
  "Engine.cosineAttention": async (engine) => {
    const scores = zeros(1, 2, 3, 9);
    return [await engine.cosineAttention(rows(3, 3), await cacheOf(engine), undefined, { scores, scoresStage: "scaled" }), scores];
  },
  "Engine.planAttention": (engine) => engine.planAttention(rows(5, 1), rows(7, 2), rows(7, 3)),
  "Engine.mergeAttention": async (engine) => {
    const parts = [1, 2].map((seed) => ({ out: x([4, 8], seed), logSumExp: x([4], seed + 2) }));
    return engine.mergeAttention(parts, { logSumExp: zeros(4) });
  },
  "Engine.createKVCache": async (engine) => {
    const cache = await engine.createKVCache({ numKvHeads: 2, headDim: 8, capacity: 9, dtype: "int8", window: 2 });
    await cache.append(rows(9, 1), rows(9, 2));
    return cache.attend(rows(3, 3));
  },
  "Engine.dispose": async (engine) => {
    await engine.dispose();
    return [
      await afterDispose(() => engine.planAttention(rows(1, 1), rows(1, 1), rows(1, 1))),
      (await engine.info).memory.reserved,
    ];
  },
  "Engine.restoreKVCache": async (engine) =>
    (await engine.restoreKVCache(await (await cacheOf(engine)).serialize())).attend(rows(2, 3)),
  "Engine.matmul": (engine) =>
    engine.matmul(x([2, 5, 3], 1), x([7, 3], 2), { transposeB: true, bias: x([7], 3), activation: "silu" }),
  "Engine.packMatrix": async (engine) => engine.matmul(x([3, 5], 1), await matrixOf(engine)),
  "Engine.createMultiHeadAttention": async (engine) => (await layerOf(engine)).forward(x([4, 8], 6)),
  "Engine.rotary": async (engine) =>
    engine.rotary(rows(5, 1), { tables: await engine.rotaryTables({ length: 9, rotaryDim: 8 }), positions: [1, 0, 3, 8, 2] }),
  "Engine.rotaryTables": (engine) => engine.rotaryTables({ length: 9, rotaryDim: 8, base: 500 }),
  "Engine.sinusoidalPositions": (engine) => engine.sinusoidalPositions({ length: 9, dim: 8 }),
  "Engine.linearAttention": (engine) => engine.linearAttention(rows(3, 4), rows(3, 5), rows(3, 6), { causal: true }),
  "Engine.createLinearAttentionState": async (engine) => (await stateOf(engine)).lengths,
  "Engine.restoreLinearAttentionState": async (engine) =>
    (await engine.restoreLinearAttentionState(await (await stateOf(engine)).serialize())).sums(),

  "EngineTensor.type": async (engine) => (await engine.tensor([3], "uint8")).type,
  "EngineTensor.dims": async (engine) => (await tensorOf(engine)).dims,
  "EngineTensor.read": async (engine) => read(await tensorOf(engine)),
  "EngineTensor.write": async (engine) => {
    const tensor = await tensorOf(engine);
    await write(tensor, normal([15], 9).data);
    return read(await engine.rmsNorm(tensor, { out: await engine.tensor([3, 5]) }));
  },
  "EngineTensor.reshape": async (engine) => {
    const tensor = await tensorOf(engine);
    const flat = await tensor.reshape([15]);
    await write(tensor, normal([15], 9).data);
    return [flat.dims, await read(flat)];
  },
  "EngineTensor.dispose": async (engine) => {
    const tensor = await tensorOf(engine);
    await tensor.dispose();
    await tensor.dispose();
    return [await afterDispose(() => engine.rmsNorm(tensor)), await afterDispose(() => tensor.reshape([15]))];
  },

  "KVCache.length": async (engine) => (await cacheOf(engine)).length,
  "KVCache.lengths": async (engine) => (await cacheOf(engine)).lengths,
  "KVCache.append": async (engine) => {
    const cache = await cacheOf(engine);
    await cache.append(x([1, 2, 3, 8], 3), x([1, 2, 3, 8], 4), { layout: "bhsd" });
    return cache.attend(rows(2, 3));
  },
  "KVCache.attend": async (engine) => (await cacheOf(engine)).attend(rows(9, 3), { window: 4, logSumExp: zeros(1, 2, 9) }),
  "KVCache.remove": async (engine) => {
    const cache = await cacheOf(engine);
    await cache.remove([2], 5);
    return [await cache.lengths, await cache.attend(rows(2, 3), { queryOffset: 1 })];
  },
  "KVCache.read": async (engine) => (await cacheOf(engine)).read(2, 5n, { layout: "bhsd" }),
  "KVCache.truncate": async (engine) => {
    const cache = await cacheOf(engine);
    await cache.truncate(5);
    return [await cache.length, await cache.attend(rows(2, 3))];
  },
  "KVCache.fork": async (engine) => {
    const cache = await cacheOf(engine);
    const twin = await cache.fork();
    await twin.append(rows(1, 7), rows(1, 8));
    return [await cache.length, await twin.attend(rows(1, 3))];
  },
  "KVCache.reorder": async (engine) => {
    const cache = await cacheOf(engine);
    await cache.reorder(Int32Array.of(0));
    return cache.attend(rows(1, 3));
  },
  "KVCache.serialize": async (engine) => (await cacheOf(engine)).serialize(),
  "KVCache.dispose": async (engine) => {
    const cache = await cacheOf(engine);
    await cache.dispose();
    return afterDispose(() => cache.attend(rows(1, 3)));
  },

  "PackedMatrix.depth": async (engine) => (await matrixOf(engine)).depth,
  "PackedMatrix.columns": async (engine) => (await matrixOf(engine)).columns,
  "PackedMatrix.dispose": async (engine) => {
    const packed = await matrixOf(engine);
    await packed.dispose();
    return afterDispose(() => engine.matmul(x([3, 5], 1), packed));
  },

  "MultiHeadAttention.config": async (engine) => (await layerOf(engine)).config,
  "MultiHeadAttention.forward": async (engine) => {
    const layer = await layerOf(engine);
    const cache = await layer.createCache({ capacity: 20 });
    const out = { ...normal([3, 8], 7) };
    await layer.forward(x([4, 8], 6), { cache });
    const last = await layer.forward(x([3, 8], 8), {
      cache,
      out,
      accumulate: true,
      averageWeights: zeros(3, 7),
      weights: zeros(2, 3, 7),
    });
    return [last === out, out, await cache.length];
  },
  "MultiHeadAttention.projectKeys": async (engine) => {
    const layer = await layerOf(engine);
    const memory = await layer.projectKeys(x([4, 8], 6), { value: x([4, 8], 7) });
    return layer.forward(x([2, 8], 8), { memory });
  },
  "MultiHeadAttention.createCache": async (engine) => (await (await layerOf(engine)).createCache({ capacity: 20 })).length,
  "MultiHeadAttention.pruneHeads": async (engine) => {
    const smaller = await (await layerOf(engine)).pruneHeads([0]);
    return [smaller.config.numHeads, await smaller.forward(x([4, 8], 6))];
  },
  "MultiHeadAttention.circuits": async (engine) => {
    const parameters = { q: x([8, 8], 1), k: x([8, 8], 2), v: x([8, 8], 3), out: x([8, 8], 4) };
    return (await engine.createMultiHeadAttention({ embedDim: 8, numHeads: 2 }, parameters)).circuits(1);
  },
  "MultiHeadAttention.headImportance": async (engine) => (await layerOf(engine)).headImportance(x([4, 8], 6), { causal: true }),
  "MultiHeadAttention.dispose": async (engine) => {
    const layer = await layerOf(engine);
    await layer.dispose();
    return afterDispose(() => layer.forward(x([4, 8], 6)));
  },

  "LinearAttentionState.length": async (engine) => (await stateOf(engine)).length,
  "LinearAttentionState.lengths": async (engine) => (await stateOf(engine)).lengths,
  "LinearAttentionState.step": async (engine) =>
    (await stateOf(engine)).step(rows(1, 4), rows(1, 5), rows(1, 6), { out: zeros(1, 1, 2, 8) }),
  "LinearAttentionState.sums": async (engine) => (await stateOf(engine)).sums(),
  "LinearAttentionState.fork": async (engine) => {
    const state = await stateOf(engine);
    await (await state.fork()).step(rows(1, 4), rows(1, 5), rows(1, 6));
    return state.length;
  },
  "LinearAttentionState.serialize": async (engine) => (await stateOf(engine)).serialize(),
  "LinearAttentionState.dispose": async (engine) => {
    const state = await stateOf(engine);
    await state.dispose();
    return afterDispose(() => state.sums());
  },
};
