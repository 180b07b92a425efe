/** Makes an engine synchronously; each entry brings the kernels that it holds. */
import { describe, wrongKind } from "../check.js";
import { Engine } from "./engine.js";
import { answerAtOnce, type HostRequest, take } from "../runtime/steps.js";
import {
  type LoadRequest,
  moduleOrBytes,
  type Opened,
  openGiven,
  openPackaged,
  readEngineOptions,
  type SyncBuild,
  type SyncEngineOptions,
} from "./openEngine.js";

/** The packaged kernels, as the host's entry holds them. */
export type HeldKernels = Record<SyncBuild, () => BufferSource | WebAssembly.Module>;

/** Makes an engine for `createEngineSync`, with kernels that are already loaded. */
export function makeEngineSync(options: SyncEngineOptions, held: HeldKernels): Engine {
  const { runtime, reasons } = open(options, held);
  return new Engine(runtime, reasons);
}

function open(options: SyncEngineOptions, held: HeldKernels): Opened {
  const operation = "createEngineSync";
  const plan = readEngineOptions(operation, options, "sync");
  const given = moduleOrBytes(plan.wasm);
  if (plan.wasm !== undefined && !given) {
    throw wrongKind(operation, `"wasm" must be a WebAssembly.Module or bytes, got ${describe(plan.wasm)}`);
  }
  const answer = (request: HostRequest | LoadRequest): unknown =>
    request.kind === "load" ? held[request.build as SyncBuild]() : answerAtOnce(request);
  return given ? take(openGiven(operation, plan, given), answerAtOnce) : take(openPackaged(operation, plan), answer);
}
