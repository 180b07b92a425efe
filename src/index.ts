/// <reference lib="esnext.disposable" preserve="true" />
/** Fast attention for JavaScript without a GPU, and the operations that models need around it. */
export * from "./attention.js"; // the names below take the place of those there
export { t5RelativeBias, type T5RelativeBiasOptions } from "./attention/t5RelativeBias.js";
export { createEngine } from "./engine/createEngine.js";
export { createWorkerEngine } from "./workerEngine/createWorkerEngine.js";
export type { Engine } from "./engine/engine.js";
export type * from "./engine/engine.js";
export type { SyncBuild, SyncEngineOptions } from "./engine/openEngine.js";
export type { LinearAttentionState } from "./linear/linearAttentionState.js";
export type { LinearInputs } from "./linear/linearCall.js";
export type { FeatureMap, LinearKind, LinearRule } from "./linear/linearConfig.js";
export type { LayerCacheOptions, MultiHeadAttention, ProjectKeysOptions } from "./multiHead/multiHeadAttention.js";
export type { Circuits } from "./multiHead/circuits.js";
export type { HeadImportance, HeadImportanceOptions } from "./multiHead/headImportance.js";
export type { MultiHeadForwardOptions } from "./multiHead/forwardOptions.js";
export type { FusedOrder, LayerConfig, MultiHeadAttentionConfig, RowOrder } from "./multiHead/config.js";
export type { MultiHeadAttentionParameters } from "./multiHead/parameters.js";
export { type FromHuggingFaceOptions, multiHeadFromHuggingFace } from "./multiHead/checkpoints/huggingFace.js";
export { type FromKerasOptions, multiHeadFromKeras } from "./multiHead/checkpoints/keras.js";
export type { MultiHeadDefinition, NestedNumbers, StateDict, StoredTensor } from "./multiHead/checkpoints/storedTensors.js";
export { type FromTorchOptions, multiHeadFromTorch } from "./multiHead/checkpoints/torch.js";
export type { PackedMatrix } from "./product/packedMatrix.js";
export { type Activation, ACTIVATIONS } from "./rows/activations.js";
export type { RotaryPositions } from "./rows/rotaryCall.js";
export type { WorkerEngine } from "./workerEngine/workerEngine.js";
