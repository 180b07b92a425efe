/**
 * The entry for workerd (Cloudflare Workers), selected by the export condition of that name. workerd compiles nothing from bytes:
 * the kernels are modules that are deployed with the script.
 */
import { Engine } from "./engine/engine.js";
import { makeEngine } from "./engine/makeEngine.js";
import { type EngineOptions, readEngineOptions, type SyncBuild } from "./engine/openEngine.js";

export * from "./index.js";

export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  const operation = "createEngine";
  const plan = readEngineOptions(operation, options, "all");
  const load = async (build: string): Promise<WebAssembly.Module> => (await MODULES[build as SyncBuild]()).default;
  return makeEngine(operation, Engine, plan, load, "this host has no workers");
}

/** "wide" has already been refused here. */
const MODULES = {
  simd: async () => import("./wasm/simd.wasm"),
  relaxed: async () => import("./wasm/relaxed.wasm"),
};
