/** The entry `headwise/attention` for workerd, see `workerd.ts`. */
import { AttentionEngine } from "./engine/attentionEngine.js";
import { makeEngine } from "./engine/makeEngine.js";
import { type EngineOptions, readEngineOptions, type SyncBuild } from "./engine/openEngine.js";

export * from "./attention.js";

export async function createEngine(options: EngineOptions = {}): Promise<AttentionEngine> {
  const operation = "createEngine";
  const plan = readEngineOptions(operation, options, "attention");
  const load = async (build: string): Promise<WebAssembly.Module> => (await MODULES[build as SyncBuild]()).default;
  return makeEngine(operation, AttentionEngine, plan, load, "this host has no workers");
}

const MODULES = {
  simd: async () => import("./wasm/attention-simd.wasm"),
  relaxed: async () => import("./wasm/attention-relaxed.wasm"),
};
