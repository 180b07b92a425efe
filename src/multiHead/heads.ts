/** What happens to heads between attention and the output projection, and to the weights: the kernels of `assembly/multiHead/`. */
import type { Operand } from "../call/operand.js";
import { runUnits } from "../call/runUnits.js";
import { AVERAGE_PARAMS, GATE_PARAMS } from "../runtime/params.js";
import type { Runtime } from "../runtime/runtime.js";
import type { AttentionShape } from "../attention/shape.js";

/** Multiply-adds in the time that it takes to read one element. */
const READ_WORK = 4;

/** Multiplies heads [batch, seqLen, numHeads, valueDim] by their gates [numHeads]; one of 0 leaves nothing, NaN neither. */
export function gateHeads(runtime: Runtime, operation: string, heads: Operand, valueDim: number, gates: readonly number[]): void {
  if (gates.every((gate) => gate === 1)) return;
  const numHeads = gates.length;
  runUnits(runtime, operation, [], {
    kernel: "gateHeads",
    units: heads.count / (numHeads * valueDim),
    work: READ_WORK * heads.count,
    ownBytes: 4 * numHeads,
    layout: GATE_PARAMS,
    paramsOf: (ptr) => {
      runtime.memory.f32.set(gates, ptr >>> 2);
      return { heads: heads.ptr, gates: ptr, numHeads, valueDim };
    },
  });
}

/** Means of weights [batch, numHeads, seqLen, kvLen] over the heads. */
export function averageOverHeads(
  runtime: Runtime,
  operation: string,
  weights: Operand,
  out: Operand,
  { batchSize, numHeads, seqLen, kvLen }: AttentionShape,
): void {
  runUnits(runtime, operation, [], {
    kernel: "averageWeights",
    units: batchSize * seqLen,
    work: READ_WORK * weights.count,
    layout: AVERAGE_PARAMS,
    paramsOf: () => ({ weights: weights.ptr, out: out.ptr, numHeads, seqLen, kvLen }),
  });
}
