/** Runs one kernel whose units threads share, on operands in scratch. */
import { onScratch, type Operand, scratchBytes } from "./operand.js";
import { wholeLines } from "../runtime/arena.js";
import type { SharedKernel } from "../runtime/kernels.js";
import { writeStruct } from "../runtime/params.js";
import type { Runtime } from "../runtime/runtime.js";

/** What a kernel is to do; sizes in bytes. */
export interface UnitsJob<L extends Parameters<typeof writeStruct>[2]> {
  readonly kernel: SharedKernel;
  /** Nothing is done, and nothing placed, where there are none. */
  readonly units: number;
  /** Multiply-adds in all, roughly. */
  readonly work: number;
  /** Of each thread. Default none. */
  readonly workspaceBytes?: number;
  /** Scratch beside operands and workspaces. Default none. */
  readonly ownBytes?: number;
  readonly layout: L;
  /** The struct of the call, once every operand has its place; gets the address of the scratch of its own. */
  readonly paramsOf: (ptr: number) => Record<keyof L, number>;
}

/**
 * Places the operands, runs the kernel, and copies the results out.
 * @internal
 */
export function runUnits<L extends Parameters<typeof writeStruct>[2]>(
  runtime: Runtime,
  operation: string,
  operands: readonly Operand[],
  { kernel, units, work, workspaceBytes = 0, ownBytes = 0, layout, paramsOf }: UnitsJob<L>,
): void {
  if (units === 0) return;
  const own = wholeLines(ownBytes);
  const workspace = wholeLines(workspaceBytes);
  const threads = runtime.threadsWithin(runtime.threadsFor(work), units, workspace, scratchBytes(operands) + own);
  onScratch(runtime, operation, operands, own + threads * workspace, (ptr) => {
    writeStruct(runtime.memory, runtime.jobPtr, layout, paramsOf(ptr));
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
