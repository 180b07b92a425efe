/** What a good programmer writes without WebAssembly: the plain JavaScript to compare with. */
export { type BaselineOptions, type BaselineTensor, scaledDotProductAttention } from "./scaledDotProductAttention.js";
