/** The part of the ABI that an engine for attention alone needs: a binary of its own, which is smaller. See index.ts. */
export { attention } from "./attention";
export { sharedScoresBytes, splitScores, splitValues } from "./split";
export { appendKeys, cacheBlockBytes, readKeys, transferBytes } from "./cache";
export { placeWorkspace, workspaceBytes } from "./workspace";
export { merge } from "./merge";
export { widenFloat16 } from "./float16";
export { multiplyAdds } from "./peak";
export { scoreStrip } from "./scores"; // timed against multiplyAdds
export { abiVersion, build, heapBase, multiplyAdd } from "./identity";
