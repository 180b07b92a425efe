/** The basis of every operation: the kernels, their memory, the arena that allocates it, and the threads. */
import { wrongMoment } from "../check.js";
import { Arena, wholeLines } from "./arena.js";
import { LARGEST_STRUCT_BYTES } from "./abi.generated.js";
import type { Instance } from "./instantiate.js";
import type { Build } from "./builds.js";
import { type Kernels, placeWorkspace } from "./kernels.js";
import type { LinearMemory } from "./memory.js";
import type { Job, Pool } from "./pool.js";

/** Room for any struct. */
const STRUCT_BYTES = wholeLines(LARGEST_STRUCT_BYTES);

export class Runtime {
  readonly build: Build;
  readonly module: WebAssembly.Module;
  readonly fused: boolean;
  readonly maximumBytes: number;
  /** Address of the struct of the call in progress. */
  readonly jobPtr: number;
  /** Address of a second struct that it may point to if there is no scratch. */
  readonly besidePtr: number;
  /** Undefined after `dispose`, so that references to the runtime keep no memory alive. */
  #parts: { readonly kernels: Kernels; readonly memory: LinearMemory; readonly arena: Arena } | undefined;
  /** The workers; undefined on one thread. */
  pool: Pool | undefined;

  constructor({ build, fused, kernels, memory, maximumBytes, module }: Instance) {
    this.build = build;
    this.module = module;
    this.fused = fused;
    this.maximumBytes = maximumBytes;
    this.jobPtr = wholeLines(kernels.heapBase());
    this.besidePtr = this.jobPtr + STRUCT_BYTES;
    this.#parts = { kernels, memory, arena: new Arena(memory, this.besidePtr + STRUCT_BYTES, maximumBytes) };
  }

  get kernels(): Kernels {
    return this.#parts!.kernels;
  }

  get memory(): LinearMemory {
    return this.#parts!.memory;
  }

  get arena(): Arena {
    return this.#parts!.arena;
  }

  get isDisposed(): boolean {
    return this.#parts === undefined;
  }

  dispose(): void {
    this.#parts = undefined;
    this.pool?.end();
  }

  /** Throws once the engine has been disposed of. */
  assertAlive(operation: string): void {
    if (this.isDisposed) throw wrongMoment(operation, "the engine has been disposed of");
  }

  /** Throws unless the engine can compute now. */
  assertReady(operation: string): void {
    this.assertAlive(operation);
    if (this.pool?.isEnding)
      throw wrongMoment(operation, "the workers of a failed call are still terminating; try again in a moment");
  }

  /** How many threads a call is worth. */
  threadsFor(work: number): number {
    return this.pool?.threadsFor(work) ?? 1;
  }

  /** `threads`, limited to the units, and to the room for workspaces next to `otherBytes` of scratch not yet open; at least 1. */
  threadsWithin(threads: number, units: number, workspaceBytes: number, otherBytes = 0): number {
    const fitting = workspaceBytes === 0 ? threads : Math.floor((this.arena.room - otherBytes) / workspaceBytes);
    return Math.max(1, Math.min(threads, units, fitting));
  }

  /** Runs the units of one job, whose parameters and room for workspaces are ready. */
  run(operation: string, job: Job): void {
    const { kernels } = this;
    if (this.pool && job.threads > 1) {
      this.pool.run(operation, kernels, job);
      return;
    }
    placeWorkspace(kernels, job.kernel, job.params, job.workspaces);
    kernels[job.kernel](job.params, job.workspaces, 0, job.units);
  }

  /** Ends a call: its scratch is freed, once no thread writes to it any more. */
  closeScratch(): void {
    const { arena } = this;
    if (this.pool?.isEnding) void this.pool.ended().then(() => arena.closeScratch());
    else arena.closeScratch();
  }
}
