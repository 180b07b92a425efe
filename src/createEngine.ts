/** Making an engine: which build, from which bytes, over how much memory. */
import { integer, knownOptions, oneOf, wrongKind, wrongMoment, wrongValue, describe } from "./check.js";
import { Engine } from "./engine.js";
import { hasRelaxedSimd, hasSimd } from "./runtime/features.js";
import { instantiate } from "./runtime/instantiate.js";
import { MAX_BYTES, PAGE_BYTES } from "./runtime/memory.js";
import { Runtime } from "./runtime/runtime.js";
import { selfTest } from "./runtime/selfTest.js";

/** Builds that the package carries. */
export type PackagedBuild = "simd" | "relaxed";

/** Options of `createEngine`. */
export interface EngineOptions {
  /**
   * Which kernels: "auto" takes "relaxed" (fused multiply-add) where the host validates it and the self-test passes, else "simd".
   * A build named outright is taken, or creation fails. Default "auto".
   */
  build?: "auto" | PackagedBuild | undefined;
  /**
   * Kernels from elsewhere instead of the packaged ones: a WebAssembly.Module, the bytes of one, a Response, or a URL (a string in
   * a page is relative to the page). Checked for ABI and, where `build` is named, for build.
   */
  wasm?: object | string | undefined;
  /** Bytes of memory to begin with, rounded up to 64 KiB. Default 1 MiB. */
  initialMemory?: number | undefined;
  /** Bytes that the memory may grow to, rounded down to 64 KiB. Default 4 GiB. */
  maximumMemory?: number | undefined;
}

const OPTIONS = ["build", "wasm", "initialMemory", "maximumMemory"];
const DEFAULT_INITIAL_BYTES = 2 ** 20;

/** Options read once and checked. */
export interface Plan {
  readonly build: "auto" | PackagedBuild;
  readonly wasm: object | string | undefined;
  readonly initialBytes: number;
  readonly maximumBytes: number;
}

export function readOptions(operation: string, options: EngineOptions): Plan {
  knownOptions(operation, options, OPTIONS);
  const { build = "auto", wasm, initialMemory, maximumMemory = MAX_BYTES } = options;
  const maximumBytes = integer(operation, "maximumMemory", maximumMemory, PAGE_BYTES, MAX_BYTES);
  const initialBytes =
    initialMemory === undefined
      ? Math.min(DEFAULT_INITIAL_BYTES, maximumBytes)
      : integer(operation, "initialMemory", initialMemory, 0, maximumBytes);
  return {
    build: oneOf(operation, "build", build, ["auto", "simd", "relaxed"]),
    wasm,
    initialBytes: Math.max(PAGE_BYTES, initialBytes),
    maximumBytes: maximumBytes - (maximumBytes % PAGE_BYTES),
  };
}

/** The packaged builds to try, best first. */
export function candidates(operation: string, build: Plan["build"]): PackagedBuild[] {
  if (!hasSimd()) throw wrongMoment(operation, "this host's WebAssembly has no 128-bit SIMD, which headwise needs");
  if (build !== "auto") {
    if (build === "relaxed" && !hasRelaxedSimd())
      throw wrongMoment(operation, 'build "relaxed" needs relaxed SIMD, which this host does not validate');
    return [build];
  }
  return hasRelaxedSimd() ? ["relaxed", "simd"] : ["simd"];
}

/** An engine from a module or its bytes. Throws what went wrong: compiling, linking, the wrong module, a failed self-test. */
export function openEngine(operation: string, plan: Plan, wasm: BufferSource | WebAssembly.Module, buildReason?: string): Engine {
  const instance = instantiate(operation, wasm, plan.initialBytes, plan.maximumBytes);
  if (plan.build !== "auto" && instance.build !== plan.build) {
    throw wrongValue(operation, `"wasm" holds build "${instance.build}", expected "${plan.build}" as in "build"`);
  }
  const runtime = new Runtime(instance, plan.maximumBytes);
  const failure = selfTest(runtime);
  if (failure) throw wrongMoment(operation, `build "${instance.build}" failed its self-test: ${failure}`);
  return new Engine(runtime, buildReason);
}

/** Opens the first candidate that works; the reason why not an earlier one goes into `info.buildReason`. */
export function* openFirst(operation: string, plan: Plan): Generator<PackagedBuild, Engine, Uint8Array<ArrayBuffer>> {
  const builds = candidates(operation, plan.build);
  let reason: string | undefined =
    builds[0] === "relaxed" || plan.build !== "auto" ? undefined : "this host does not validate relaxed SIMD";
  for (const build of builds) {
    const bytes = yield build;
    try {
      return openEngine(operation, plan, bytes, reason);
    } catch (error) {
      if (build === builds.at(-1)) throw error;
      reason = (error as Error).message;
    }
  }
  throw wrongMoment(operation, "no build to try");
}

/**
 * Makes an engine: on the best build that this host validates, on one thread.
 *
 * @throws {TypeError} the wrong kind of value, or an unknown option
 * @throws {RangeError} a value that doesn't fit, or a module that isn't this version's
 * @throws {Error} a host without SIMD, or a build that was named and fails
 *
 * @example
 * import { createEngine } from "headwise";
 *
 * const engine = await createEngine({ build: "simd", maximumMemory: 64 * 2 ** 20 });
 * console.log(engine.info.memory.limit); // 67108864
 * engine.dispose();
 */
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  const plan = readOptions("createEngine", options);
  if (plan.wasm !== undefined) return openEngine("createEngine", plan, await fetchWasm(plan.wasm));

  const opening = openFirst("createEngine", plan);
  let step = opening.next(new Uint8Array());
  while (!step.done) step = opening.next(await loadBinary(step.value));
  return step.value;
}

/** Each build lies in a file of its own, so that a caller loads one. */
const loadBinary = async (build: PackagedBuild): Promise<Uint8Array<ArrayBuffer>> =>
  (build === "relaxed" ? await import("./runtime/binary/relaxed.js") : await import("./runtime/binary/simd.js")).bytes();

/** Bytes or a module from whatever the caller has. */
async function fetchWasm(wasm: object | string): Promise<BufferSource | WebAssembly.Module> {
  if (wasm instanceof WebAssembly.Module || wasm instanceof ArrayBuffer || ArrayBuffer.isView(wasm)) return wasm;
  if (typeof Response === "function" && wasm instanceof Response) return await bytesOf(wasm);
  if (typeof wasm === "string" || wasm instanceof URL) {
    const base = (globalThis as { location?: { href: string } }).location?.href;
    const url = new URL(wasm, base);
    if (url.protocol === "file:" && typeof process === "object") {
      return await process.getBuiltinModule("node:fs/promises").readFile(url);
    }
    return await bytesOf(await fetch(url));
  }
  throw wrongKind("createEngine", `"wasm" must be a WebAssembly.Module, bytes, a Response or a URL, got ${describe(wasm)}`);
}

async function bytesOf(response: Response): Promise<ArrayBuffer> {
  if (!response.ok) throw wrongMoment("createEngine", `"wasm" could not be fetched: ${response.url} answered ${response.status}`);
  return await response.arrayBuffer();
}
