/** The entry `headwise/sync` for workerd, see `workerd.ts`. */
import type { Engine } from "./engine/engine.js";
import { type HeldKernels, makeEngineSync } from "./engine/makeEngineSync.js";
import type { SyncEngineOptions } from "./engine/openEngine.js";
import relaxed from "./wasm/relaxed.wasm";
import simd from "./wasm/simd.wasm";

const MODULES: HeldKernels = { simd: () => simd, relaxed: () => relaxed };

export function createEngineSync(options: SyncEngineOptions = {}): Engine {
  return makeEngineSync(options, MODULES);
}
