/** Runs one kernel whose units threads share, on operands in scratch. */
import { onScratch, type Operand, scratchBytes } from "./operand.js";
import { wholeLines } from "../runtime/arena.js";
import type { SharedKernel } from "../runtime/abi.generated.js";
import type { LinearMemory } from "../runtime/memory.js";
import type { Runtime } from "../runtime/runtime.js";

/** What a kernel is to do; sizes in bytes. */
export interface UnitsJob {
  readonly kernel: SharedKernel;
  /** Nothing is done, and nothing placed, where there are none. */
  readonly units: number;
  /** Multiply-adds in all, roughly. */
  readonly work: number;
  /** Of each thread. Default none. */
  readonly workspaceBytes?: number;
  /** Scratch beside operands and workspaces. Default none. */
  readonly ownBytes?: number;
  /** Writes the struct of the call, once every operand has its place; gets the address of the scratch of its own. */
  readonly write: (memory: LinearMemory, jobPtr: number, ptr: number) => void;
}

/**
 * Places the operands, runs the kernel, and copies the results out.
 * @internal
 */
export function runUnits(
  runtime: Runtime,
  operation: string,
  operands: readonly Operand[],
  { kernel, units, work, workspaceBytes = 0, ownBytes = 0, write }: UnitsJob,
): void {
  if (units === 0) return;
  const own = wholeLines(ownBytes);
  const workspace = wholeLines(workspaceBytes);
  const threads = runtime.threadsWithin(runtime.threadsFor(work), units, workspace, scratchBytes(operands) + own);
  onScratch(runtime, operation, operands, own + threads * workspace, (ptr) => {
    write(runtime.memory, runtime.jobPtr, ptr);
    const workspaces = ptr + own;
    runtime.run(operation, {
      kernel,
      params: runtime.jobPtr,
      workspaces,
      workspaceBytes: workspace,
      units,
      work,
      threads,
    });
  });
}
