/** Engines, tensors, attention and caches. */
import {
  alibiSlopes,
  andMasks,
  applyMask,
  type AppendOptions,
  type AttentionOptions,
  type AttentionPart,
  type AttentionPlan,
  type Build,
  type CachedAttentionOptions,
  causalMask,
  createEngine,
  type DataTensor,
  documentMask,
  type ElementType,
  type Engine,
  type EngineInfo,
  type EngineOptions,
  type EngineTensor,
  type Float32Tensor,
  type Integers,
  type KVCache,
  type KVCacheOptions,
  type Layout,
  type Mask,
  type MaskLike,
  type MaskOptions,
  type MaskTensor,
  type MergeOptions,
  notMask,
  orMasks,
  type OwnFloat32Array,
  type OwnUint8Array,
  type PackagedBuild,
  paddingMask,
  type PlaceTensor,
  prefixMask,
  type ResultTensor,
  type RuntimeTensor,
  type ScoresStage,
  type SyncBuild,
  type SyncEngineOptions,
  type SyncTensor,
  type TensorLike,
  type TypedTensor,
  windowMask,
  type WindowMaskOptions,
  type WorkerLike,
} from "headwise";
import { createEngine as createAttentionEngine, type Engine as AttentionEngine } from "headwise/attention";
import { createEngineSync } from "headwise/sync";

const worker: WorkerLike = { postMessage: (message: unknown) => void message, terminate: () => Promise.resolve(0) };
const build: PackagedBuild = "simd";
const engineOptions: EngineOptions = {
  build,
  wasm: new Uint8Array(8),
  threads: "auto",
  createWorker: () => worker,
  stallTimeout: 1000,
  initialMemory: 65536,
  maximumMemory: undefined,
};
const engine: Engine = await createEngine(engineOptions);
const syncBuild: SyncBuild = "relaxed";
const syncOptions: SyncEngineOptions = { build: syncBuild };
const other: Engine = createEngineSync(syncOptions);

const info: EngineInfo = engine.info;
export const facts: [Build, number, string | undefined, number] = [info.build, info.threads, info.threadsReason, info.memory.limit];

// Tensors: plain objects, the engine's own, those of onnxruntime and tfjs.
const plain: DataTensor = { data: new Float32Array(32), dims: [4, 8] };
const half: TypedTensor = { data: new Uint16Array(32), dims: [4, 8], type: "float16" };
const sizes: Integers = BigInt64Array.of(4n, 8n);
export const accepted: TensorLike[] = [
  { data: [1, 2, 3], dims: [3] },
  { data: new Float64Array(32), dims: sizes },
  { data: new Uint16Array(32), dims: [4n, 8n], type: "bfloat16" },
  { shape: new Int32Array(2), dataSync: () => [1] },
];
export const acceptedMasks: MaskLike[] = [
  { data: [true, false], dims: [2] },
  { data: BigInt64Array.of(1n), dims: [1], type: "int64" },
  { data: [0n, 1, true], dims: [3] },
];
const integers: MaskTensor = { data: new Int8Array(16), dims: [4, 4] };
// @ts-expect-error an ArrayBuffer has no elements
export const noElements: TensorLike = { data: new ArrayBuffer(8), dims: [2] };
// @ts-expect-error dims are missing
export const noDims: TensorLike = { data: new Float32Array(2), shape: [2] };
// @ts-expect-error an object is no array
export const noArray: TensorLike = { data: {}, dims: [2] };
// @ts-expect-error the type says what 16 bits mean
export const noType: TensorLike = { data: new Uint16Array(2), dims: [2] };
// @ts-expect-error integers are no numbers of a model
export const noFloats: TensorLike = { data: new Int32Array(2), dims: [2] };
// @ts-expect-error float32 is no mask, but a bias
export const noMask: MaskLike = { data: new Float32Array(2), dims: [2] };
// @ts-expect-error nor is bytes a tensor of numbers
export const noNumbers: TensorLike = engine.tensor([2], "uint8");
const kind: ElementType = "float32";
const x: EngineTensor<"float32"> = engine.tensor([4, 8], kind);
const hidden: EngineTensor<"uint8"> = engine.tensor([4, 4], "uint8");
const numbers: Float32Array = x.data;
const bytes: Uint8Array = hidden.data;
const same: EngineTensor = x.reshape([8, 4]);

/** As onnxruntime-common declares its tensors, abridged. */
interface OrtTensor {
  readonly dims: readonly number[];
  readonly type: "float32" | "float16";
  readonly data: Float32Array | Uint16Array | string[];
  readonly location: "none" | "cpu" | "cpu-pinned" | "gpu-buffer";
  getData(releaseData?: boolean): Promise<Float32Array | Uint16Array | string[]>;
  dispose(): void;
}
declare const ort: OrtTensor;
export const runtimeTensor: RuntimeTensor = ort;
/** As tfjs declares its. */
interface TfTensor {
  readonly shape: number[];
  readonly dtype: string;
  data(): Promise<Float32Array | Int32Array | Uint8Array>;
  dataSync(): Float32Array | Int32Array | Uint8Array;
}
declare const tf: TfTensor;
const sync: SyncTensor = tf;

const layout: Layout = "bshd";
const scoresStage: ScoresStage = "biased";
const options: AttentionOptions<ResultTensor> = {
  layout,
  scale: 0.5,
  causal: "upper-left",
  window: [3, undefined],
  sinkTokens: 1,
  keyLengths: new BigInt64Array([4n]),
  queryOffset: 1n,
  bias: plain,
  mask: integers,
  scores: { data: new Float32Array(16), dims: [1, 1, 4, 4] },
  scoresStage,
};
const result: ResultTensor = engine.scaledDotProductAttention(plain, ort, sync, options);
export const handedOn: { type: "float32"; data: Float32Array; dims: readonly number[] } = result;
const placed: EngineTensor<"float32"> = engine.scaledDotProductAttention(x, half, tf, { out: x, mask: hidden });
const place = { data: new Float32Array(32), dims: [4, 8], mine: true };
const rounded: PlaceTensor = { data: new Uint16Array(32), dims: sizes, type: "float16" };
export const halfPlace: Uint16Array = engine.scaledDotProductAttention(x, x, x, {
  out: { data: new Uint16Array(32), dims: [4, 8], type: "float16" },
  weights: rounded,
}).data;
// @ts-expect-error results are not bfloat16 without a type, nor integers
engine.scaledDotProductAttention(x, x, x, { out: { data: new Int32Array(32), dims: [4, 8] } });
export const mine: boolean = engine.scaledDotProductAttention(x, x, x, { out: place }).mine;
const plan: AttentionPlan = engine.planAttention(x, x, x, { causal: true });
export const planned: number = plan.scratchBytes + plan.threads;
// @ts-expect-error a misspelt option
engine.scaledDotProductAttention(x, x, x, { casual: true });
const small: AttentionEngine = await createAttentionEngine();
// @ts-expect-error not among the operations of this entry
small.matmul(x, x);
// @ts-expect-error an array is not a tensor
engine.scaledDotProductAttention(new Float32Array(8), x, x);

const part: AttentionPart = { out: result, logSumExp: engine.tensor([4]) };
const mergeOptions: MergeOptions<Float32Tensor> = { layout: "bhsd", out: plain as Float32Tensor };
export const merged: Float32Tensor = engine.mergeAttention([part, part], mergeOptions);

const cacheOptions: KVCacheOptions = { numKvHeads: 2, headDim: 8, capacity: 64, policy: "rolling", window: 31, dtype: "int8" };
const cache: KVCache = engine.createKVCache(cacheOptions);
const appendOptions: AppendOptions = { keyLengths: [1], layout: null };
cache.append(plain, plain, appendOptions);
const cachedOptions: CachedAttentionOptions = { causal: true, mask: null, window: null };
export const attended: ResultTensor = cache.attend(plain);
cache.remove(1, 2n, { rotary: null });
export const kept: { k: ResultTensor; v: ResultTensor } = cache.read(Int32Array.of(1), null, { layout: "bhsd" });
export const attendedInto: Float32Tensor = cache.attend(plain, cachedOptions);
const image: OwnUint8Array = cache.serialize();
export const sent: ArrayBuffer[] = [attended.data.buffer, image.buffer, causalMask(2).data.buffer];
export const own: OwnFloat32Array = attended.data;
cache.reorder(BigInt64Array.of(0n));
cache.truncate(3n);
const restored: KVCache = engine.restoreKVCache(image);
export const lengths: number[] = restored.lengths;

const maskOptions: MaskOptions = { queryOffset: 1 };
const windowOptions: WindowMaskOptions = { ...maskOptions, sinkTokens: 1 };
const masks: Mask[] = [
  causalMask(2, 3, maskOptions),
  windowMask(2, 3, [1, 0], windowOptions),
  paddingMask(Int32Array.of(1, 2), 3),
  prefixMask(1n, 3),
  documentMask([[1, 1, 2n]]),
];
export const masked: ResultTensor = applyMask(result, andMasks(orMasks(...masks), notMask(masks[0]!)));
export const mask: MaskLike = masks[0]!;
export const slopes: ResultTensor = alibiSlopes(8);

// What keeps state has dispose(), for languages without `using`; as a Disposable it works with helpers that take one.
for (const disposable of [engine, other, x, same, placed, cache, restored]) disposable.dispose();
const dispose = (disposable: { [Symbol.dispose](): void }): void => disposable[Symbol.dispose]();
dispose(engine);
dispose(cache);
dispose(x);
export const all = [numbers, bytes];

// @ts-expect-error there is no DOM library here
export type Page = Document;
// @ts-expect-error nor are there @types/node
export type Bytes = Buffer;
