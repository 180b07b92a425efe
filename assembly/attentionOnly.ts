/** The ABI of an engine for attention alone: a separate, smaller binary. See index.ts. */
export { attention } from "./attention/attention";
export { attentionUnits } from "./attention/stripOrder";
export { sharedScoresBytes, splitScores, splitScoresUnits, splitValues, splitValuesUnits } from "./attention/split";
export { appendKeys, cacheBlockBytes, readKeys, transferBytes } from "./attention/cache";
export {
  attentionPlace,
  attentionPlace as splitScoresPlace,
  attentionPlace as splitValuesPlace,
  attentionWorkspaceBytes,
  attentionWorkspaceBytes as splitScoresWorkspaceBytes,
  attentionWorkspaceBytes as splitValuesWorkspaceBytes,
} from "./attention/workspace";
export { merge, mergeUnits } from "./attention/merge";
export { narrowFloat16, widenFloat16 } from "./math/float16";
export { multiplyAdds } from "./math/peak";
export { multiplyStrip } from "./tiles/multiplyStrip"; // timed against multiplyAdds
export { abiHash, build, heapBase, multiplyAdd } from "./abi/identity";
