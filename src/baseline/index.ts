/** Careful plain JavaScript without WebAssembly, to compare with. */
export { type BaselineOptions, type BaselineTensor, scaledDotProductAttention } from "./scaledDotProductAttention.js";
