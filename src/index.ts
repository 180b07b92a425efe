/// <reference lib="esnext.disposable" preserve="true" />
/** Fast attention for JavaScript without a GPU. */
export type { Layout } from "./call/layout.js";
export type { AttentionOptions, ScoresStage } from "./attention/options.js";
export type { MultiHeadForwardOptions } from "./multiHead/forwardOptions.js";
export { type Activation, ACTIVATIONS } from "./rows/activations.js";
export { createEngine } from "./engine/createEngine.js";
export { createWorkerEngine } from "./workerEngine/createWorkerEngine.js";
export type { Engine, EngineInfo } from "./engine/engine.js";
export type * from "./engine/fullEngine.js";
export type { EngineOptions, PackagedBuild, SyncBuild, SyncEngineOptions } from "./engine/openEngine.js";
export type { KVCacheOptions } from "./cache/cacheConfig.js";
export type { LinearAttentionState } from "./linear/linearAttentionState.js";
export type { LinearInputs } from "./linear/linearCall.js";
export type { FeatureMap, LinearKind, LinearRule } from "./linear/linearConfig.js";
export { type AppendOptions, type CachedAttentionOptions, KVCache } from "./cache/kvCache.js";
export type { LayerCacheOptions, MultiHeadAttention, ProjectKeysOptions } from "./multiHead/multiHeadAttention.js";
export type { LayerConfig, MultiHeadAttentionConfig } from "./multiHead/config.js";
export type { MultiHeadAttentionParameters } from "./multiHead/parameters.js";
export type { FromTorchOptions, TorchStateDict } from "./multiHead/torchStateDict.js";
export type { PackedMatrix } from "./product/packedMatrix.js";
export {
  and,
  applyMask,
  causalMask,
  documentMask,
  type Mask,
  type MaskOptions,
  not,
  or,
  paddingMask,
  prefixMask,
  windowMask,
  type WindowMaskOptions,
} from "./attention/masks.js";
export type { AttentionPlan } from "./attention/attentionCall.js";
export type { AttentionPart, MergeOptions } from "./attention/mergeAttention.js";
export type { RotaryConfig, RotaryPositions, RotaryTables } from "./rows/rotaryCall.js";
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
  PlaceTensor,
  ResultTensor,
  RuntimeTensor,
  SyncTensor,
  TensorLike,
  TypedTensor,
} from "./call/tensor.js";
export type { Integers } from "./check.js";
export type { AbortSignalLike, Asynchronous, CallOptions, Place, WorkerTensor } from "./workerEngine/asynchronous.js";
export type { WorkerEngineOptions } from "./workerEngine/openWorkerEngine.js";
export type { FullWorkerEngine, WorkerEngine } from "./workerEngine/workerEngine.js";
