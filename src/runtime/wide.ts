/**
 * Registers of 256 bits, which WebAssembly doesn't have: V8's revectorizer, an experiment behind a flag, combines two
 * neighbouring instructions of 128 bits into one. It takes effect from V8 13.6 on, and on x64.
 */
import { wrongMoment } from "../check.js";
import { instantiate } from "./instantiate.js";
import { nodeProcess } from "./nodeProcess.js";

const FLAG = "--experimental-wasm-revectorize";
const NEEDED = "Node.js on x64 with V8 13.6 or newer";

/** Why this host cannot run build "wide", or undefined if it can. */
export function whyNotWide(): string | undefined {
  const process = nodeProcess();
  if (!process) return "this host is not Node.js 20.16 or newer";
  if (process.release.name !== "node" || "bun" in process.versions || "deno" in process.versions) return "this host is not Node.js";
  if (process.arch !== "x64") return `this host is ${process.arch}`;
  const [major = 0, minor = 0] = process.versions.v8.split(".").map(Number);
  return major > 13 || (major === 13 && minor >= 6) ? undefined : `this host has V8 ${process.versions.v8}`;
}

/** @throws {Error} a host that cannot run build "wide" */
export function assertWide(operation: string): void {
  const reason = whyNotWide();
  if (reason) throw wrongMoment(operation, `build "wide" needs ${NEEDED}; ${reason}`);
}

/**
 * Sets the flag, permanently and for the whole process: V8 reads it again when it optimizes the code later.
 * @throws {Error} a host that cannot run build "wide"; its flags are unchanged
 */
export function enableWide(operation: string): void {
  assertWide(operation);
  nodeProcess()!.getBuiltinModule("node:v8").setFlagsFromString(FLAG);
}

const MEMORY_BYTES = 2 ** 17;
const HEAD_DIM = 256;
const PANELS = 2;
const ROWS = 6;
const TILE_FLOPS = 2 * ROWS * PANELS * 8 * HEAD_DIM;
const LOOP_STEPS = 1000;
const LOOP_FLOPS = 96 * LOOP_STEPS;
/** V8 optimizes code only after it has run for a while. */
const WARM_UP_MS = 15;
const MEASURED_MS = 2;

/**
 * The speed at which tiles of a module multiply and add, relative to registers of 128 bits. Takes some 40 ms, and uses its own
 * memory, so that no engine's memory grows.
 */
export function measureWideSpeedup(module: WebAssembly.Module): number {
  const { kernels } = instantiate("info", module, { initialBytes: MEMORY_BYTES, maximumBytes: MEMORY_BYTES });
  const q = MEMORY_BYTES / 2;
  const k = q + HEAD_DIM * 32;
  const scores = k + PANELS * HEAD_DIM * 32;
  const tile = rateOf(TILE_FLOPS, () => kernels.multiplyStrip(ROWS, q, k, scores, HEAD_DIM, PANELS));
  const loop = rateOf(LOOP_FLOPS, () => kernels.multiplyAdds(LOOP_STEPS));
  return tile / loop;
}

/** The best of several runs, in operations per millisecond. */
function rateOf(flops: number, run: () => unknown): number {
  const runFor = (milliseconds: number): number => {
    const start = performance.now();
    let runs = 0;
    let elapsed = 0;
    for (; elapsed < milliseconds; elapsed = performance.now() - start) {
      for (let repeat = 0; repeat < 16; repeat++) run();
      runs += 16;
    }
    return (runs * flops) / elapsed;
  };
  runFor(WARM_UP_MS);
  return Math.max(runFor(MEASURED_MS), runFor(MEASURED_MS), runFor(MEASURED_MS));
}
