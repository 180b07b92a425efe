/** What opening an engine takes, whoever fetched the kernels: options, builds to try, the self-test. */
import { integer, knownOptions, oneOf, wrongMoment, wrongValue } from "./check.js";
import { Engine } from "./engine.js";
import { hasRelaxedSimd, hasSimd } from "./runtime/features.js";
import { instantiate } from "./runtime/instantiate.js";
import { MAX_BYTES, PAGE_BYTES } from "./runtime/memory.js";
import { Runtime } from "./runtime/runtime.js";
import { selfTest } from "./selfTest.js";

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

/**
 * Options read once and checked.
 * @internal
 */
export interface Plan {
  readonly build: "auto" | PackagedBuild;
  readonly wasm: object | string | undefined;
  readonly initialBytes: number;
  readonly maximumBytes: number;
}

/** @internal */
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

/** The packaged build to try, and the one to try after it. */
function candidates(operation: string, build: Plan["build"]): [PackagedBuild, PackagedBuild?] {
  if (!hasSimd()) throw wrongMoment(operation, "this host's WebAssembly has no 128-bit SIMD, which headwise needs");
  if (build !== "auto") {
    if (build === "relaxed" && !hasRelaxedSimd())
      throw wrongMoment(operation, 'build "relaxed" needs relaxed SIMD, which this host does not validate');
    return [build];
  }
  return hasRelaxedSimd() ? ["relaxed", "simd"] : ["simd"];
}

/**
 * An engine from a module or its bytes. Throws what went wrong: compiling, linking, the wrong module, a failed self-test.
 * @internal
 */
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

/**
 * Opens the first candidate that works; the reason why not an earlier one goes into `info.buildReason`.
 * @internal
 */
export function* openFirst(operation: string, plan: Plan): Generator<PackagedBuild, Engine, Uint8Array<ArrayBuffer>> {
  const [first, fallback] = candidates(operation, plan.build);
  const isSecondBest = plan.build === "auto" && first !== "relaxed";
  const bytes = yield first;
  try {
    return openEngine(operation, plan, bytes, isSecondBest ? "this host does not validate relaxed SIMD" : undefined);
  } catch (error) {
    if (!fallback) throw error;
    return openEngine(operation, plan, yield fallback, (error as Error).message);
  }
}

/**
 * The value if it is what `openEngine` takes.
 * @internal
 */
export const moduleOrBytes = (wasm: unknown): WebAssembly.Module | BufferSource | undefined =>
  wasm instanceof WebAssembly.Module || wasm instanceof ArrayBuffer || ArrayBuffer.isView(wasm) ? wasm : undefined;
