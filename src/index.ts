/// <reference lib="esnext.disposable" preserve="true" />
/** Fast attention for JavaScript without a GPU. */
export { type Activation, ACTIVATIONS } from "./activations.js";
export { createEngine } from "./createEngine.js";
export { createWorkerEngine } from "./createWorkerEngine.js";
export type { Engine, EngineInfo } from "./engine.js";
export type { FullEngine } from "./fullEngine.js";
export type { EngineOptions, PackagedBuild, SyncBuild, SyncEngineOptions } from "./openEngine.js";
export type { KVCacheOptions } from "./layers/cacheConfig.js";
export type { LinearAttentionState } from "./layers/linearAttentionState.js";
export type { LinearAttentionStateOptions } from "./layers/linearStateConfig.js";
export type { LinearInputs, LinearOptions } from "./ops/linearCall.js";
export type { FeatureFunction, FeatureMap, LinearKind, LinearRule } from "./ops/linearConfig.js";
export { type AppendOptions, type CachedAttentionOptions, KVCache } from "./layers/kvCache.js";
export type { CreateMultiHeadAttention } from "./layers/createMultiHeadAttention.js";
export type { LayerCacheOptions, MultiHeadAttention, ProjectKeysOptions } from "./layers/multiHeadAttention.js";
export type { MultiHeadForwardOptions } from "./layers/multiHeadCall.js";
export type { LayerConfig, MultiHeadAttentionConfig } from "./layers/multiHeadConfig.js";
export type { MultiHeadAttentionParameters } from "./layers/multiHeadParameters.js";
export type { FromTorchOptions, TorchStateDict } from "./layers/torchStateDict.js";
export type { PackedMatrix, WeightLayout } from "./layers/packedMatrix.js";
export type { MatmulOptions } from "./ops/matmul.js";
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
} from "./masks.js";
export type { ActivateOptions } from "./ops/activate.js";
export type { AttentionOptions, AttentionPlan } from "./ops/attentionCall.js";
export type { AttentionPart, MergeOptions } from "./ops/mergeAttention.js";
export type { LayerNormOptions, RmsNormOptions } from "./ops/normalize.js";
export type { RotaryOptions, RotaryTablesOptions } from "./ops/rotary.js";
export type { RotaryConfig, RotaryPositions, RotaryTables } from "./ops/rotaryCall.js";
export type { SoftmaxOptions } from "./ops/softmax.js";
export type { Build } from "./runtime/builds.js";
export type { ScoresStage } from "./runtime/params.js";
export type { WorkerLike } from "./runtime/workerLike.js";
export type { Layout } from "./shape.js";
export type { DataTensor, ElementType, EngineTensor, Float32Tensor, ResultTensor, SyncTensor, TensorLike } from "./tensor.js";
export type { AbortSignalLike, Asynchronous, CallOptions, Place, WorkerTensor } from "./workerEngine/asynchronous.js";
export type { WorkerEngineOptions } from "./workerEngine/openWorkerEngine.js";
export type { FullWorkerEngine, WorkerEngine } from "./workerEngine/workerEngine.js";
