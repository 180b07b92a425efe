/** Engines in a worker. */
import {
  type AbortSignalLike,
  type Asynchronous,
  type CallOptions,
  createWorkerEngine,
  type KVCache,
  type MultiHeadAttention,
  multiHeadFromTorch,
  type Place,
  type ResultTensor,
  type WorkerEngine,
  type WorkerEngineOptions,
  type WorkerLike,
  type WorkerTensor,
} from "headwise";
import type {} from "headwise/engine-worker";

const worker: WorkerLike = { postMessage: (message: unknown) => void message, terminate: () => Promise.resolve(0) };
const options: WorkerEngineOptions = { threads: 2, createWorker: () => worker, build: undefined };
const engine: WorkerEngine = await createWorkerEngine(options);
const signal: AbortSignalLike = { aborted: false, addEventListener: () => undefined, removeEventListener: () => undefined };
const call: CallOptions = { signal, transfer: true };

const x: WorkerTensor<"float32"> = await engine.tensor([4, 8], "float32", call);
const mask: WorkerTensor<"uint8"> = await engine.tensor([4, 4], "uint8");
await x.write(new Float32Array(32), call);
const same: WorkerTensor<"float32"> = await engine.scaledDotProductAttention(x, x, x, { causal: true, mask, out: x });
const place: Place = { data: new Float32Array(32), dims: [4, 8] };
const half: Place = { data: new Uint16Array(32), dims: BigInt64Array.of(4n, 8n), type: "float16" };
const bits: Uint16Array = (
  await engine.scaledDotProductAttention(x, { data: [1], dims: [1, 1] }, x, {
    out: { data: new Uint16Array(32), dims: [4, 8], type: "float16" },
    mask: { data: [true], dims: [1n] },
    weights: half,
  })
).data;
const copy: ArrayBuffer = (await x.read()).buffer;
const own = { data: new Float32Array(32), dims: [4, 8], name: "mine" };
const name: string = (await engine.scaledDotProductAttention(x, x, x, { out: own, logSumExp: place, signal })).name;
const result: ResultTensor = await engine.mergeAttention([{ out: x, logSumExp: await engine.tensor([4]) }], call);
const cache: Asynchronous<KVCache> = await engine.createKVCache({ numKvHeads: 1, headDim: 8, capacity: 9, signal });
await cache.append(x, x, { keyLengths: [4] });
const lengths: [number, readonly number[]] = [await cache.length, await cache.lengths];
const bytes: Uint8Array = await (await cache.fork()).serialize(call);
await (await engine.restoreKVCache(bytes, { transfer: true })).dispose();

const full: WorkerEngine = engine;
const product: ResultTensor = await full.matmul(result, await full.packMatrix(result, "outIn"), {
  activation: "silu",
  transfer: true,
});
const parameters = { qkv: product, out: product };
const layer: Asynchronous<MultiHeadAttention> = await full.createMultiHeadAttention({ embedDim: 8, numHeads: 2 }, parameters);
const heads: number = layer.config.numHeads;
const cached = await layer.createCache({ capacity: 100 });
const rows: WorkerTensor<"float32"> = await layer.forward(product, { cache: cached, out: x });
const { config: read, parameters: stored } = multiHeadFromTorch({ "out_proj.weight": product }, { numHeads: 2 });
await full.createMultiHeadAttention(read, stored);
// @ts-expect-error functions cannot be sent to a worker
await full.linearAttention(x, x, x, { featureMap: (each: unknown) => each });
// @ts-expect-error a misspelt option
await full.softmax(x, { axs: 1 });
// @ts-expect-error a cache is not a packed matrix
await full.matmul(x, cache);
await engine.dispose();
export const all = [bits, copy, same, name, lengths, heads, rows, place];
