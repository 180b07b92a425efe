/** The operations by their definitions, in float64: the kernels are tested against them. */
export { matmul, type ReferenceMatmulOptions } from "./matmul.js";
export { activate } from "./activate.js";
export { add } from "./add.js";
export { additiveAttention, type ReferenceAdditiveParameters } from "./additiveAttention.js";
export type { ReferenceOptions } from "./attentionOptions.js";
export { bilinearAttention, type ReferenceBilinearParameters } from "./bilinearAttention.js";
export { cosineAttention } from "./cosineAttention.js";
export { hardAttention, type ReferenceHardParameters } from "./hardAttention.js";
export { linearAttention, type ReferenceLinearOptions } from "./linearAttention.js";
export { localAttention, type ReferenceLocalParameters } from "./localAttention.js";
export { mergeAttention, type ReferencePart } from "./mergeAttention.js";
export { multiHeadAttention, type ReferenceMultiHeadOptions, type ReferenceParameters } from "./multiHeadAttention.js";
export { layerNorm, type ReferenceNormOptions, rmsNorm } from "./normalize.js";
export { type ReferenceRotaryOptions, rotary } from "./rotary.js";
export { scaledDotProductAttention } from "./scaledDotProductAttention.js";
export { type ReferenceSoftmaxOptions, softmax } from "./softmax.js";
export type { ReferenceResult, ReferenceTensor } from "./tensor.js";
export { type ReferenceTopKParameters, topKAttention } from "./topKAttention.js";
