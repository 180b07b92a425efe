/**
 * The ABI: what TypeScript may call. Pointers are byte addresses in linear memory, which the host owns; nothing here allocates.
 *
 *     attention/   softmax(q·kᵀ)·v by online softmax over strips of queries and blocks of keys; caches, merging
 *     linear/      linear attention: full, in chunks, step by step; its feature maps and states
 *     product/     matrix products          rows/   softmax, norms, rotary embeddings, activations
 *     tiles/       register tiles, the panels that they read, and the sizes that all of these share
 *     math/        simd.ts, the only file that knows relaxed SIMD; exponentials, float16, lanes
 *     abi/         the structs of calls, and what a module says about itself
 *
 * Imports point down: attention, linear and product, then rows, then tiles, then math; all read the structs of abi/.
 */
export * from "./attentionOnly";
export { matmul, packedBytes, packMatrix, placeProduct, productUnits, productWorkspaceBytes } from "./product/matmul";
export { activate } from "./rows/activations";
export { softmax } from "./rows/softmax";
export { normalize } from "./rows/normalize";
export { rotary, rotaryTables } from "./rows/rotary";
export { rotaryFrequencies } from "./rows/angles";
export { linearAttention } from "./linear/linearAttention";
export { linearStateBytes } from "./linear/state";
export { linearWorkBytes, placeLinearWork } from "./linear/workspace";
export { randomProjections } from "./linear/randomFeatures";

// For tests and benches: sizes, and the stages of attention one by one.
export { block, panel } from "./abi/identity";
export { accumulateRows } from "./tiles/accumulateRows";
export { exponentials, rowMax, softcapRow } from "./tiles/scoreRows";
export { packKeys, packRows, packValues } from "./tiles/pack";
