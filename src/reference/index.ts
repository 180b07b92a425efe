/** The operations as they are defined, in float64: the truth that the kernels are held against. */
export { linearAttention, type ReferenceLinearOptions } from "./linearAttention.js";
export { mergeAttention, type ReferencePart } from "./mergeAttention.js";
export { type ReferenceOptions, type ReferenceTensor, scaledDotProductAttention } from "./scaledDotProductAttention.js";
