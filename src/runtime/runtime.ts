/** What every operation works with: the kernels, the memory that they see, and who may use which part of it. */
import { wrongMoment } from "../check.js";
import { Arena, wholeLines } from "./arena.js";
import type { Instance } from "./instantiate.js";
import type { Build } from "./builds.js";
import type { Kernels } from "./kernels.js";
import type { LinearMemory } from "./memory.js";

/** Room for the parameters of one call and for the head of a workspace that is measured but not used. */
const JOB_BYTES = 1024;

export class Runtime {
  readonly build: Build;
  readonly fused: boolean;
  readonly maximumBytes: number;
  /** Address of JOB_BYTES bytes that belong to the call in work. */
  readonly jobPtr: number;
  /** Undefined after `dispose`: what still refers to the runtime keeps no memory alive. */
  #parts: { readonly kernels: Kernels; readonly memory: LinearMemory; readonly arena: Arena } | undefined;

  constructor({ build, fused, kernels, memory }: Instance, maximumBytes: number) {
    this.build = build;
    this.fused = fused;
    this.maximumBytes = maximumBytes;
    this.jobPtr = wholeLines(kernels.heapBase());
    this.#parts = { kernels, memory, arena: new Arena(memory, this.jobPtr + JOB_BYTES, maximumBytes) };
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
  }

  /** Throws once the engine has been disposed of. */
  assertAlive(operation: string): void {
    if (this.isDisposed) throw wrongMoment(operation, "the engine has been disposed of");
  }
}
