/** Starts a worker and makes an engine in it. */
import { wrongMoment } from "../check.js";
import type { fetchWasm } from "../engine/makeEngine.js";
import type { EngineOptions, Entry, PackagedBuild, Plan, readEngineOptions } from "../engine/openEngine.js";
import { createPackagedWorker, hasWorkers, whyNotMade, WorkerHost } from "../runtime/workerHost.js";
import type { WorkerLike } from "../runtime/workerLike.js";
import { VERSION } from "../engine/version.js";
import { Connection } from "./connection.js";
import type { StartMessage } from "./messages.js";
import type { AttentionWorkerEngine } from "./workerEngine.js";

/** Options of `createWorkerEngine`: those of `createEngine`, except that `createWorker` makes the engine's worker. */
export interface WorkerEngineOptions extends Omit<EngineOptions, "createWorker"> {
  /**
   * Makes the engine's worker, which runs `headwise/engine-worker`, for pages whose policy forbids workers from a blob: a web
   * worker, or a worker of `node:worker_threads`. Default: a worker from source text in the package. With `threads`, that worker
   * starts the others itself, from source text; if that is denied it computes alone, and `info.threadsReason` says why.
   */
  createWorker?: (() => WorkerLike) | null | undefined;
}

const OPERATION = "createWorkerEngine";

/**
 * Functions of the package's entry. They are passed in, as a bundler would split the entry into pieces, which compress less well,
 * if they were imported here too.
 * @internal
 */
export interface EntryParts {
  readonly entry: Entry;
  readonly readEngineOptions: typeof readEngineOptions;
  readonly fetchWasm: typeof fetchWasm;
  readonly loadBinary: (build: PackagedBuild) => Promise<Uint8Array<ArrayBuffer>>;
  /** The text of the worker. */
  readonly loadSource: () => Promise<{ readonly source: string }>;
}

/**
 * See `createWorkerEngine`.
 * @internal
 */
export async function openWorkerEngine(options: WorkerEngineOptions, parts: EntryParts): Promise<AttentionWorkerEngine> {
  const plan = parts.readEngineOptions(OPERATION, options, parts.entry);
  const wasm = plan.wasm === undefined ? undefined : await parts.fetchWasm(OPERATION, plan.wasm);
  const worker = await makeWorker(plan, parts);
  const host = new WorkerHost(worker);
  const start: Omit<StartMessage, "lock"> = { kind: "start", version: VERSION };
  const problem = await host.start(start, plan.stallTimeout).catch((error: unknown) => String(error));
  if (problem !== undefined) {
    host.terminate();
    throw didNotStart(problem);
  }
  const connection = new Connection(worker, host);
  try {
    return (await connection.open({ ...plan, wasm, createWorker: undefined }, parts.loadBinary)) as AttentionWorkerEngine;
  } catch (error) {
    connection.terminate();
    throw error;
  }
}

async function makeWorker({ createWorker }: Plan, { loadSource }: EntryParts): Promise<WorkerLike> {
  if (!createWorker && !hasWorkers()) throw didNotStart("this host has no workers");
  try {
    if (createWorker) return createWorker();
    return createPackagedWorker((await loadSource()).source);
  } catch (cause) {
    throw didNotStart(whyNotMade(cause), cause);
  }
}

const didNotStart = (problem: string, cause?: unknown): Error =>
  wrongMoment(OPERATION, `the engine's worker did not start: ${problem}`, cause);
