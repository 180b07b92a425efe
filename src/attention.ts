/// <reference lib="esnext.disposable" preserve="true" />
/** Fast attention for JavaScript without a GPU: attention with its caches, and nothing else, so that a page downloads less. */
export { createEngine } from "./engine/createAttentionEngine.js";
export { createWorkerEngine } from "./workerEngine/createAttentionWorkerEngine.js";
export type { AttentionEngine as Engine, EngineInfo } from "./engine/attentionEngine.js";
export type { EngineOptions, PackagedBuild } from "./engine/openEngine.js";
export type { Layout } from "./call/layout.js";
export type { AttentionOptions, ScoresStage, ShortMask, TopKeys, WeightsRange } from "./attention/options.js";
export type { AttentionPlan } from "./attention/attentionCall.js";
export { alibiSlopes } from "./attention/alibiSlopes.js";
export type { AttentionPart, MergeOptions } from "./attention/mergeAttention.js";
export type { KVCacheOptions } from "./cache/cacheConfig.js";
export type { AppendOptions, CachedAttentionOptions, ReadOptions, RemoveOptions } from "./cache/cacheOptions.js";
export type { KVCache } from "./cache/kvCache.js";
export type { RotaryConfig, RotaryTables } from "./rows/rotaryConfig.js";
export type { RopeScaling, RotaryScaling, ScalingType } from "./rows/rotaryScaling.js";
export {
  andMasks,
  applyMask,
  causalMask,
  documentMask,
  type Mask,
  type MaskOptions,
  notMask,
  orMasks,
  paddingMask,
  prefixMask,
  windowMask,
  type WindowMaskOptions,
} from "./attention/masks.js";
export type { Build } from "./runtime/builds.js";
export type { WorkerLike } from "./runtime/workerLike.js";
export type {
  DataTensor,
  ElementType,
  EngineTensor,
  Float32Tensor,
  MaskLike,
  MaskTensor,
  OwnFloat32Array,
  OwnUint8Array,
  Placement,
  PlaceTensor,
  ResultTensor,
  RuntimeTensor,
  SyncTensor,
  TensorLike,
  TypedTensor,
} from "./call/tensor.js";
export type { Integers } from "./check.js";
export type { AbortSignalLike, Asynchronous, CallOptions, Place, WorkerTensor, WorkerView } from "./workerEngine/asynchronous.js";
export type { WorkerEngineOptions } from "./workerEngine/openWorkerEngine.js";
export type { AttentionWorkerEngine as WorkerEngine } from "./workerEngine/workerEngine.js";
