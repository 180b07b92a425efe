/** The state of one head between calls: the sums, see sums.ts, then the open chunk, see chunk.ts. */
import { chunkBytes } from "./chunk";
import { sumsBytes } from "./sums";

/** Bytes of a state. A float, because they may exceed the range of an address: then the state cannot exist. */
export function linearStateBytes(featureDim: usize, valueDim: usize, chunkSize: usize): f64 {
  return <f64>(sumsBytes(featureDim, valueDim) + chunkBytes(featureDim, valueDim, chunkSize));
}
