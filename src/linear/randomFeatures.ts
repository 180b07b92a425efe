/** The random projections of "favor+", drawn once for each seed and set of sizes. */
import { onScratch } from "../call/scratch.js";
import type { Call } from "../call/call.js";
import { PANEL, FEATURE_MAPS } from "../runtime/abi.generated.js";
import type { Runtime } from "../runtime/runtime.js";
import type { LinearConfig } from "./linearConfig.js";

const FAVOR = FEATURE_MAPS.indexOf("favor+");

interface Drawn {
  readonly key: string;
  readonly projections: Float32Array;
}

/** The most recent ones of each engine: drawing them takes about as long as a call on a thousand rows. */
const drawn = new WeakMap<Runtime, Drawn>();

/** [heads, ⌈features / 8⌉, headDim, 8], or undefined for other maps. */
export function projectionsOf(
  call: Call,
  { map, features, seed }: LinearConfig,
  heads: number,
  headDim: number,
): Float32Array | undefined {
  if (map !== FAVOR || features === undefined) return undefined;
  const key = [seed, heads, features, headDim].join();
  const last = drawn.get(call.runtime);
  if (last?.key === key) return last.projections;
  const count = Math.ceil(features / PANEL) * PANEL * headDim;
  call.runtime.arena.assertFits(call.operation, 4 * heads * count);
  const projections = new Float32Array(heads * count);
  onScratch(call, [], 4 * count + 8 * headDim * headDim, (ptr) => {
    for (let head = 0; head < heads; head++) {
      call.runtime.kernels.randomProjections(ptr, seed, head, features, headDim);
      projections.set(call.runtime.memory.f32.subarray(ptr >>> 2, (ptr >>> 2) + count), head * count);
    }
  });
  drawn.set(call.runtime, { key, projections });
  return projections;
}
