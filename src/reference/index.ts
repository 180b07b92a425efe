/** The operations by their definitions, in float64: the kernels are tested against them. */
export { matmul, type ReferenceMatmulOptions } from "./matmul.js";
export { activate } from "./activate.js";
export { add } from "./add.js";
export { linearAttention, type ReferenceLinearOptions } from "./linearAttention.js";
export { mergeAttention, type ReferencePart } from "./mergeAttention.js";
export { multiHeadAttention, type ReferenceMultiHeadOptions, type ReferenceParameters } from "./multiHeadAttention.js";
export { layerNorm, type ReferenceNormOptions, rmsNorm } from "./normalize.js";
export { type ReferenceRotaryOptions, rotary } from "./rotary.js";
export { type ReferenceScaling, rotaryFrequencies } from "./rotaryScaling.js";
export { type ReferenceSoftmaxOptions, softmax } from "./softmax.js";
export {
  type ReferenceOptions,
  type ReferenceResult,
  type ReferenceTensor,
  scaledDotProductAttention,
} from "./scaledDotProductAttention.js";
