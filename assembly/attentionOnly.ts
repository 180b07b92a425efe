/** The part of the ABI that an engine for attention alone needs: a binary of its own, which is smaller. See index.ts. */
export { attention } from "./attention/attention";
export { sharedScoresBytes, splitScores, splitValues } from "./attention/split";
export { appendKeys, cacheBlockBytes, readKeys, transferBytes } from "./attention/cache";
export { placeWorkspace, workspaceBytes } from "./attention/workspace";
export { merge } from "./attention/merge";
export { widenFloat16 } from "./math/float16";
export { multiplyAdds } from "./math/peak";
export { multiplyStrip } from "./tiles/multiplyStrip"; // timed against multiplyAdds
export { abiVersion, build, heapBase, multiplyAdd } from "./abi/identity";
