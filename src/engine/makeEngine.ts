/** Makes an engine asynchronously; each entry brings its own way to load the kernels. */
import { describe, isObject, kindOf, wrongKind, wrongMoment, wrongValue } from "../check.js";
import type { AttentionEngine, EngineReasons } from "./attentionEngine.js";
import { nodeProcess } from "../runtime/nodeProcess.js";
import type { Runtime } from "../runtime/runtime.js";
import { answerLater, type HostRequest, takeAsync } from "../runtime/steps.js";
import {
  type LoadRequest,
  moduleOrBytes,
  type Opened,
  openGiven,
  openPackaged,
  type PackagedBuild,
  type Plan,
} from "./openEngine.js";

/** Loads a packaged build, in the way of the host's entry. */
export type LoadKernels = (build: PackagedBuild, plan: Plan) => Promise<BufferSource | WebAssembly.Module>;

/** The class of an entry's engines. */
export type EngineClass<T extends AttentionEngine> = new (runtime: Runtime, reasons?: EngineReasons) => T;

/**
 * Makes an engine, from options that have been read, with kernels from `load`.
 *
 * @param whyAlone  why there can be no threads
 * @internal
 */
export async function makeEngine<T extends AttentionEngine>(
  operation: string,
  Engine: EngineClass<T>,
  plan: Plan,
  load: LoadKernels,
  whyAlone?: string,
): Promise<T> {
  const opened = await open(operation, plan, load);
  return new Engine(opened.runtime, await startThreads(opened, plan, whyAlone));
}

/**
 * What `import()` gives.
 *
 * @throws {Error} the host forbids it
 * @internal
 */
export async function imported<T>(operation: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const advice =
      "where import() is forbidden, as in service workers and worklets, use createEngineSync of headwise/sync, or of headwise/standalone-sync without a bundler";
    throw wrongMoment(operation, `the kernels could not be imported (${(cause as Error).message}); ${advice}`, cause);
  }
}

async function open(operation: string, plan: Plan, load: LoadKernels): Promise<Opened> {
  if (plan.wasm !== undefined) return takeAsync(openGiven(operation, plan, await fetchWasm(operation, plan.wasm)), answerLater);
  const answer = (request: HostRequest | LoadRequest): Promise<unknown> =>
    request.kind === "load" ? load(request.build, plan) : answerLater(request);
  return takeAsync(openPackaged(operation, plan), answer);
}

/** Starts workers if some are wanted and possible. */
async function startThreads({ runtime, module, reasons }: Opened, plan: Plan, whyAlone?: string): Promise<EngineReasons> {
  const { threads, createWorker, stallTimeout } = plan;
  if (threads === 1 || reasons.threads !== undefined) return reasons;
  const { memory } = runtime;
  if (!memory.isShared) whyAlone ??= 'the module in "wasm" was compiled for memory that threads cannot share';
  if (whyAlone !== undefined) return { ...reasons, threads: whyAlone };
  const { startPool } = await import("../runtime/pool.js");
  const { pool, reason } = await startPool({ module, memory: memory.object, threads, createWorker, stallTimeout });
  runtime.pool = pool;
  return { ...reasons, threads: reason };
}

/**
 * Bytes or a module from the caller's `wasm`.
 * @internal
 */
export async function fetchWasm(operation: string, wasm: object | string): Promise<BufferSource | WebAssembly.Module> {
  const ready = moduleOrBytes(wasm);
  if (ready) return ready;
  const kind = isObject(wasm) ? kindOf(wasm) : "";
  if (kind === "Response") return await bytesOf(operation, wasm as Response);
  if (typeof wasm === "string" || kind === "URL") {
    const base = (globalThis as { location?: { href: string } }).location?.href;
    const given = wasm as string | URL;
    const url = URL.canParse(given, base) ? new URL(given, base) : undefined;
    if (!url) throw wrongValue(operation, `"wasm" must be an absolute URL here, got ${describe(wasm)}`);
    const files = url.protocol === "file:" ? nodeProcess()?.getBuiltinModule("node:fs/promises") : undefined;
    if (files) return await reached(operation, url, files.readFile(url));
    return await bytesOf(operation, await reached(operation, url, fetch(url)));
  }
  throw wrongKind(operation, `"wasm" must be a WebAssembly.Module, bytes, a Response or a URL, got ${describe(wasm)}`);
}

/** The promise's value; an error names the URL. */
async function reached<T>(operation: string, url: URL, promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (cause) {
    throw wrongMoment(operation, `"wasm" could not be fetched from ${url.href} (${(cause as Error).message})`, cause);
  }
}

async function bytesOf(operation: string, response: Response): Promise<ArrayBuffer> {
  if (!response.ok) throw wrongMoment(operation, `"wasm" could not be fetched: ${response.url} answered ${response.status}`);
  return await response.arrayBuffer();
}
