/** What linear attention keeps of one head between calls: the sums, see sums.ts, then the open chunk, see chunk.ts. */
import { chunkBytes } from "./chunk";
import { sumsBytes } from "./sums";

/** Bytes of a state. As a float, because they may be more than an address holds: then there can be none. */
export function linearStateBytes(featureDim: usize, valueDim: usize, chunkSize: usize): f64 {
  return <f64>(sumsBytes(featureDim, valueDim) + chunkBytes(featureDim, valueDim, chunkSize));
}
