/** Heads: their channels, their gates between attention and the output projection, and means of weights over them. */
import { writeAverageParams, writeGateParams } from "../runtime/fullAbi.generated.js";
import type { Call } from "../call/call.js";
import type { AttentionShape } from "../attention/shape.js";
import { launch } from "../call/launch.js";
import type { Operand } from "../call/operand.js";
import type { MultiHeadConfig } from "./config.js";

/** The channels of some heads. */
export const channelsOf = (heads: readonly number[], channels: number): number[] =>
  heads.flatMap((head) => Array.from({ length: channels }, (_, channel) => head * channels + channel));

/** The key/value head of a query head. */
export const kvHeadOf = ({ numHeads, numKvHeads }: Pick<MultiHeadConfig, "numHeads" | "numKvHeads">, head: number): number =>
  Math.floor((head * numKvHeads) / numHeads);

/** Multiply-adds in the time of reading one element. */
const READ_WORK = 4;

/** Multiplies heads [batch, seqLen, numHeads, valueDim] by their gates [numHeads]; a gate of 0 gives 0, NaN or not. */
export function gateHeads(call: Call, heads: Operand, valueDim: number, gates: readonly number[]): void {
  if (gates.every((gate) => gate === 1)) return;
  const numHeads = gates.length;
  launch(call, [], {
    kernel: "gateHeads",
    work: READ_WORK * heads.count,
    ownBytes: 4 * numHeads,
    write: (memory, jobPtr, ptr) => {
      memory.f32.set(gates, ptr >>> 2);
      const rows = heads.count / (numHeads * valueDim);
      writeGateParams(memory, jobPtr, { heads: heads.ptr, gates: ptr, rows, numHeads, valueDim });
    },
  });
}

/** Means of weights [batch, numHeads, seqLen, kvLen] over the heads. */
export function averageOverHeads(
  call: Call,
  weights: Operand,
  out: Operand,
  { batchSize, numHeads, seqLen, kvLen }: AttentionShape,
): void {
  launch(call, [], {
    kernel: "averageWeights",
    work: READ_WORK * weights.count,
    write: (memory, jobPtr) => {
      writeAverageParams(memory, jobPtr, { weights: weights.ptr, out: out.ptr, batchSize, numHeads, seqLen, kvLen });
    },
  });
}
