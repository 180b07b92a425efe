/** How every operation runs its kernels: operands to scratch → struct → units and workspaces → threads. */
import { onScratch } from "./scratch.js";
import type { CallContext } from "./callContext.js";
import { type Operand } from "./operand.js";
import { wholeLines } from "../runtime/arena.js";
import type { SharedKernel } from "../runtime/abi.generated.js";
import { unitsOf, workspaceBytesOf } from "../runtime/kernels.js";
import type { LinearMemory } from "../runtime/memory.js";
import type { Job } from "../runtime/pool.js";

/** A kernel's task. */
export interface Launch {
  readonly kernel: SharedKernel;
  /** Total multiply-adds, roughly. */
  readonly work: number;
  /** Scratch besides operands and workspaces, in bytes. Default none. */
  readonly ownBytes?: number;
  /** Writes the struct to `jobPtr`, and the data that it points to into its scratch at `ptr`. All operands have their addresses. */
  readonly write: (memory: LinearMemory, jobPtr: number, ptr: number) => void;
}

/**
 * The tasks of kernels that run one after the other on the struct at `jobPtr`; their workspaces extend the scratch that is open.
 *
 * @throws {RangeError} not enough memory
 */
export function prepare(call: CallContext, passes: readonly SharedKernel[], work: number): Job[] {
  const { kernels, jobPtr } = call.runtime;
  const units = passes.map((kernel) => unitsOf(kernels, kernel, jobPtr));
  let workspaceBytes = 0; // per thread
  for (const kernel of passes) workspaceBytes = Math.max(workspaceBytes, wholeLines(workspaceBytesOf(kernels, kernel, jobPtr)));
  const threads = call.runtime.threadsWithin(call.runtime.threadsFor(work), Math.max(...units), workspaceBytes);
  const workspaces = workspaceBytes === 0 ? 0 : call.runtime.arena.extendScratch(call.operation, threads * workspaceBytes);
  return passes.map((kernel, index) => ({
    kernel,
    params: jobPtr,
    workspaces,
    workspaceBytes,
    units: units[index]!,
    work: work / passes.length,
    threads,
  }));
}

/**
 * Runs kernels one after the other on the struct at `jobPtr`; their workspaces extend the scratch that is open.
 *
 * @throws {RangeError} not enough memory
 */
export function runWritten(call: CallContext, passes: readonly SharedKernel[], work: number): void {
  for (const job of prepare(call, passes, work)) call.runtime.run(call.operation, job);
}

/**
 * Puts the operands into scratch, runs the kernel on as many threads as are worthwhile, and copies the results out.
 *
 * @throws {RangeError} not enough memory
 */
export function launch(call: CallContext, operands: readonly Operand[], { kernel, work, ownBytes = 0, write }: Launch): void {
  onScratch(call, operands, wholeLines(ownBytes), (ptr) => {
    write(call.runtime.memory, call.runtime.jobPtr, ptr);
    runWritten(call, [kernel], work);
  });
}
