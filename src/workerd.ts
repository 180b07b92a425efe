/**
 * The entry for workerd (Cloudflare Workers), selected by the export condition of that name. workerd compiles nothing from bytes:
 * the kernels are modules that are deployed with the script.
 */
import type { createEngine as createEngineElsewhere } from "./engine/createEngine.js";
import type { Engine } from "./engine/engine.js";
import { type LoadKernels, makeEngine } from "./engine/makeEngine.js";
import type { EngineOptions, SyncBuild } from "./engine/openEngine.js";

export * from "./index.js";

export const createEngine = (async (options: EngineOptions = {}): Promise<Engine> =>
  makeEngine(options, loadModule, "this host has no workers")) as typeof createEngineElsewhere;

/** "wide" has already been refused here. */
const loadModule: LoadKernels = async (build, { hasAllOperations }) =>
  (await (hasAllOperations ? ALL : ATTENTION)[build as SyncBuild]()).default;

const ATTENTION = {
  simd: async () => import("./wasm/attention-simd.wasm"),
  relaxed: async () => import("./wasm/attention-relaxed.wasm"),
};
const ALL = {
  simd: async () => import("./wasm/simd.wasm"),
  relaxed: async () => import("./wasm/relaxed.wasm"),
};
