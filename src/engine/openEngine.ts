/** Opens an engine with kernels that were loaded by any entry: options, builds to try, the self-test. */
import { readOptions } from "../call/readOptions.js";
import { describe, integer, isObject, kindOf, oneOf, wrongKind, wrongMoment, wrongValue } from "../check.js";
import type { EngineReasons } from "./attentionEngine.js";
import { availableParallelism, hasRelaxedSimd, hasSimd, hasWebAssembly, whyNoThreads } from "../runtime/features.js";
import { hasAllOperations, instantiation, isModule, type Wasm } from "../runtime/instantiate.js";
import { MAX_BYTES, type MemoryLimits, PAGE_BYTES, reserve, type Reserved } from "../runtime/memory.js";
import { Runtime } from "../runtime/runtime.js";
import type { HostRequest, Steps } from "../runtime/steps.js";
import type { WorkerLike } from "../runtime/workerLike.js";
import { assertWide, enableWide } from "../runtime/wide.js";
import { selfTest } from "./selfTest.js";

/** Builds that the package carries. */
export type PackagedBuild = "simd" | "relaxed" | "wide";

/** Options of `createEngine`. */
export interface EngineOptions {
  /**
   * Which kernels: "auto" takes "relaxed" (fused multiply-add) where the host validates it and the self-test passes, else "simd".
   * If a build is named and cannot be used, creation fails. "wide" is for Node.js on x64 with V8 13.6 or newer: it sets V8's
   * experimental flag for registers of 256 bits, permanently and for the whole process. Default "auto".
   */
  build?: "auto" | PackagedBuild | null | undefined;
  /**
   * Kernels from elsewhere instead of the packaged ones: a WebAssembly.Module, the bytes of one, a Response, or a URL (a string in
   * a page is relative to the page). Checked for ABI and, where `build` is named, for build. A module compiled from a file in
   * `headwise/wasm/` runs on one thread; the bytes or the URL of that file also work with several.
   */
  wasm?: object | string | null | undefined;
  /**
   * Threads that share each call, including the calling one, or "auto" for as many as the host has, at most 16. If workers are
   * denied there are fewer, and `info.threadsReason` says why. Results are bit-identical for any number of threads. Default 1.
   */
  threads?: number | "auto" | null | undefined;
  /**
   * Makes a worker that runs `headwise/worker`, for pages whose policy forbids workers from a blob: a web worker, or a worker of
   * `node:worker_threads`. Default: a worker from source text in the package.
   */
  createWorker?: (() => WorkerLike) | null | undefined;
  /**
   * Milliseconds after which a call fails if a worker makes no progress, and creation stops waiting for a worker to start or
   * answer. Default 10000.
   */
  stallTimeout?: number | null | undefined;
  /** Initial bytes of memory, rounded up to 64 KiB. Default 1 MiB. */
  initialMemory?: number | null | undefined;
  /**
   * Bytes that the memory may grow to, rounded down to 64 KiB. Default 4 GiB, or half of it, a quarter and so on where the host
   * refuses more; `info.memory.limit` says which.
   */
  maximumMemory?: number | null | undefined;
}

/** Options of `createEngineSync`, which cannot start workers, as it would have to wait for them. */
export type SyncEngineOptions = Omit<EngineOptions, "build" | "threads" | "createWorker" | "stallTimeout"> & {
  /** As in EngineOptions; there is no "wide". */
  build?: "auto" | SyncBuild | null | undefined;
};
/** Builds that `headwise/sync` holds. */
export type SyncBuild = Exclude<PackagedBuild, "wide">;

const SYNC_BUILDS = ["auto", "simd", "relaxed"] as const;
const BUILDS = [...SYNC_BUILDS, "wide"] as const;
const SYNC_OPTIONS = ["build", "wasm", "initialMemory", "maximumMemory"];
const OPTIONS = [...SYNC_OPTIONS, "threads", "createWorker", "stallTimeout"];
const FOREIGN = {
  "headwise has every operation, headwise/attention those of attention": "operations",
};
const MAX_THREADS = 64;
const MAX_AUTO_THREADS = 16;
const DEFAULT_STALL_TIMEOUT = 10_000;
/** The longest time of a timer, in milliseconds. */
const MAX_TIMEOUT = 2 ** 31 - 1;
const DEFAULT_INITIAL_BYTES = 2 ** 20;

/**
 * Options read once and checked.
 * @internal
 */
export interface Plan extends MemoryLimits {
  readonly build: "auto" | PackagedBuild;
  readonly hasAllOperations: boolean;
  readonly wasm: object | string | undefined;
  readonly threads: number;
  readonly createWorker: (() => WorkerLike) | undefined;
  readonly stallTimeout: number;
}

/**
 * A runtime on one thread that has passed its self-test.
 * @internal
 */
export interface Opened {
  readonly runtime: Runtime;
  readonly module: WebAssembly.Module;
  readonly reasons: EngineReasons;
}

/** Which entry of the package is asked: the one with all operations, asynchronously or at once, or the one for attention. */
export type Entry = "all" | "sync" | "attention";

/** @internal */
export function readEngineOptions(operation: string, options: EngineOptions, entry: Entry): Plan {
  const isSync = entry === "sync";
  const given = readOptions({ name: operation, options: isSync ? SYNC_OPTIONS : OPTIONS, foreign: FOREIGN }, options);
  const { build = "auto", wasm, initialMemory, maximumMemory, threads = 1, createWorker } = given;
  const { stallTimeout = DEFAULT_STALL_TIMEOUT } = given;
  if (createWorker !== undefined && typeof createWorker !== "function") {
    throw wrongKind(operation, `"createWorker" must be a function that returns a worker, got ${describe(createWorker)}`);
  }
  const mostBytes = integer(operation, "maximumMemory", maximumMemory ?? MAX_BYTES, PAGE_BYTES, MAX_BYTES);
  const maximumBytes = mostBytes - (mostBytes % PAGE_BYTES);
  const initialBytes =
    initialMemory === undefined
      ? Math.min(DEFAULT_INITIAL_BYTES, maximumBytes)
      : integer(operation, "initialMemory", initialMemory, 0, maximumBytes);
  const wantedBuild = oneOf(operation, "build", build, isSync ? SYNC_BUILDS : BUILDS);
  if (wantedBuild === "wide") assertWide(operation);
  return {
    build: wantedBuild,
    hasAllOperations: entry !== "attention",
    wasm,
    initialBytes: Math.max(PAGE_BYTES, initialBytes),
    maximumBytes,
    mayBeSmaller: maximumMemory === undefined,
    threads: threadsOf(operation, threads),
    createWorker,
    stallTimeout: integer(operation, "stallTimeout", stallTimeout, 1, MAX_TIMEOUT),
  };
}

function threadsOf(operation: string, threads: unknown): number {
  if (threads === "auto") return Math.min(MAX_AUTO_THREADS, availableParallelism());
  if (typeof threads === "string") {
    throw wrongValue(operation, `"threads" must be "auto" or an integer from 1 to ${MAX_THREADS}, got ${describe(threads)}`);
  }
  return integer(operation, "threads", threads, 1, MAX_THREADS);
}

function assertWebAssembly(operation: string): void {
  if (hasWebAssembly()) return;
  const instead = "scaledDotProductAttention of headwise/baseline takes the same tensors, and computes in plain JavaScript";
  throw wrongMoment(operation, `this host has no WebAssembly, which headwise needs; ${instead}`);
}

/** The packaged build to try, and the one to try after it. */
function candidates(operation: string, build: Plan["build"]): [PackagedBuild, PackagedBuild?] {
  assertWebAssembly(operation);
  if (!hasSimd()) throw wrongMoment(operation, "this host's WebAssembly has no 128-bit SIMD, which headwise needs");
  if (build !== "auto") {
    if (build !== "simd" && !hasRelaxedSimd())
      throw wrongMoment(operation, `build "${build}" needs relaxed SIMD, which this host does not validate`);
    return [build];
  }
  return hasRelaxedSimd() ? ["relaxed", "simd"] : ["simd"];
}

/** A packaged build is wanted, in the way of the host's entry. */
export interface LoadRequest {
  readonly kind: "load";
  readonly build: PackagedBuild;
}

/** Memory that threads can share where some are wanted, or else other memory and the reason. */
function reserveFor(operation: string, plan: Plan): { reserved: Reserved; threadsReason: string | undefined } {
  let threadsReason = plan.threads > 1 ? whyNoThreads() : undefined;
  if (plan.threads > 1 && threadsReason === undefined) {
    try {
      return { reserved: reserve(operation, plan, true), threadsReason };
    } catch (error) {
      threadsReason = problemOf(operation, error);
    }
  }
  return { reserved: reserve(operation, plan, false), threadsReason };
}

/** A runtime from a module or its bytes: `name` is the argument that holds it, if the caller gave one. */
function* opening(operation: string, plan: Plan, wasm: Wasm, name?: string, buildReason?: string): Steps<Opened> {
  const { reserved, threadsReason } = reserveFor(operation, plan);
  const instance = yield* instantiation(operation, wasm, name, reserved);
  if (plan.build !== "auto" && instance.build !== plan.build) {
    throw wrongValue(operation, `"wasm" is build "${instance.build}", but "build" asks for "${plan.build}"`);
  }
  if (plan.hasAllOperations && !hasAllOperations(instance.module)) {
    throw wrongValue(operation, '"wasm" holds only the kernels of attention, which headwise/attention takes');
  }
  if (plan.build === "wide") enableWide(operation); // before any of its code is optimized
  const runtime = new Runtime(instance);
  const failure = selfTest(runtime);
  if (failure) throw wrongMoment(operation, `build "${instance.build}" failed its self-test: ${failure}`);
  return { runtime, module: instance.module, reasons: { build: buildReason, threads: threadsReason } };
}

/**
 * Opens the caller's module.
 *
 * @throws compiling, linking or the self-test fails, or it is the wrong module
 * @internal
 */
export function* openGiven(operation: string, plan: Plan, wasm: Wasm): Steps<Opened> {
  assertWebAssembly(operation);
  return yield* opening(operation, plan, wasm, "wasm");
}

/**
 * Opens the first packaged build that works; `info.buildReason` says why an earlier one did not.
 *
 * @throws none works
 * @internal
 */
export function* openPackaged(operation: string, plan: Plan): Steps<Opened, HostRequest | LoadRequest> {
  const [first, fallback] = candidates(operation, plan.build);
  const isSecondBest = plan.build === "auto" && first !== "relaxed";
  const load = function* (build: PackagedBuild): Steps<Wasm, LoadRequest> {
    return (yield { kind: "load", build }) as Wasm;
  };
  const wasm = yield* load(first);
  try {
    return yield* opening(operation, plan, wasm, undefined, isSecondBest ? "this host does not validate relaxed SIMD" : undefined);
  } catch (error) {
    if (!fallback) throw error;
    return yield* opening(operation, plan, yield* load(fallback), undefined, problemOf(operation, error));
  }
}

/** The message of one of our errors as a reason, without its beginning. */
const problemOf = (operation: string, error: unknown): string => (error as Error).message.replace(`${operation}: `, "");

/**
 * The value if it is bytes or a module, else undefined.
 * @internal
 */
export const moduleOrBytes = (wasm: unknown): Wasm | undefined =>
  isObject(wasm) && (ArrayBuffer.isView(wasm) || kindOf(wasm) === "ArrayBuffer" || isModule(wasm)) ? wasm : undefined;
