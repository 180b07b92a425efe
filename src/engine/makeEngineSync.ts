/** Makes an engine synchronously; each entry brings the kernels that it holds. */
import { describe, wrongKind } from "../check.js";
import { FullEngine } from "./fullEngine.js";
import {
  moduleOrBytes,
  type Opened,
  openFirst,
  openRuntime,
  readOptions,
  type SyncBuild,
  type SyncEngineOptions,
} from "./openEngine.js";

/** The packaged kernels, as the host's entry holds them. */
export type HeldKernels = Record<SyncBuild, () => BufferSource | WebAssembly.Module>;

/** Makes an engine for `createEngineSync`, with kernels that are already loaded. */
export function makeEngineSync(options: SyncEngineOptions, held: HeldKernels): FullEngine {
  const { runtime, reasons } = open(options, held);
  return new FullEngine(runtime, reasons);
}

function open(options: SyncEngineOptions, held: HeldKernels): Opened {
  const plan = readOptions("createEngineSync", options, true);
  const { wasm } = plan;
  const ready = moduleOrBytes(wasm);
  if (ready) return openRuntime("createEngineSync", plan, ready);
  if (wasm !== undefined) {
    throw wrongKind("createEngineSync", `"wasm" must be a WebAssembly.Module or bytes, got ${describe(wasm)}`);
  }
  const opening = openFirst("createEngineSync", plan);
  let step = opening.next(new Uint8Array());
  while (!step.done) step = opening.next(held[step.value as SyncBuild]());
  return step.value;
}
