/**
 * The ABI: the functions that TypeScript calls. Pointers are byte addresses in the host's linear memory; nothing here allocates.
 *
 *     attention/   softmax(q·kᵀ)·v by online softmax over strips of queries and blocks of keys; caches, merging
 *     linear/      linear attention: full, in chunks, step by step; its feature maps and states
 *     product/     matrix products          rows/   operations on rows
 *     tiles/       register tiles, the panels that they read, and the sizes shared by all
 *     multiHead/   operations on a layer's heads besides attention: gates, means of weights, extra keys
 *     math/        simd.ts, the only file that knows relaxed SIMD; exponentials, float16, lanes
 *     abi/         the structs of calls, and a module's identity
 *
 * Imports point down: multiHead, linear, product, rows and attention, then tiles, then math; all read the structs of abi/.
 */
// A kernel whose work threads share is op(params, workspace, first, end), with opUnits(params) and, if it needs a workspace,
// opWorkspaceBytes(params) and opPlace(params, ptr).
export * from "./attentionOnly";
export { matmul, matmulPlace, matmulUnits, matmulWorkspaceBytes, packedBytes, packMatrix } from "./product/matmul";
export { unpackColumns } from "./product/unpack";
export { gateHeads, gateHeadsUnits } from "./multiHead/gates";
export { averageWeights, averageWeightsUnits } from "./multiHead/averageWeights";
export { writeExtraRows } from "./multiHead/extraRows";
export { activate, activateUnits } from "./rows/activations";
export { add, addUnits, addWorkspaceBytes } from "./rows/add";
export { softmax, softmaxUnits, softmaxWorkspaceBytes } from "./rows/softmax";
export { normalize, normalizeUnits } from "./rows/normalize";
export { rotary, rotaryRow, rotaryTables, rotaryTablesUnits, rotaryUnits } from "./rows/rotary";
export { rotateKeys } from "./rows/rotateKeys";
export { exponential as rotaryExponential, logarithm as rotaryLogarithm, rotaryFrequencies } from "./rows/angles";
export { linearAttention } from "./linear/linearAttention";
export { packSums, readSums } from "./linear/sumRows";
export { linearStateBytes } from "./linear/state";
export {
  linearAttentionPlace,
  linearAttentionPlace as readSumsPlace,
  linearAttentionUnits,
  linearAttentionUnits as readSumsUnits,
  linearAttentionWorkspaceBytes,
  linearAttentionWorkspaceBytes as readSumsWorkspaceBytes,
} from "./linear/workspace";
export { randomProjections } from "./linear/randomFeatures";

// For tests and benches: sizes, and the stages of attention one by one.
export { accumulateRows } from "./tiles/accumulateRows";
export { exponentials, rowMax, softcapRow } from "./tiles/scoreRows";
export { packKeys, packRows, packValues } from "./tiles/pack";
