/**
 * How much each head of a layer matters: how sure it is (Voita et al. 2019, arXiv:1905.09418), and how much the output changes without it
 * (Michel et al. 2019, arXiv:1905.10650).
 */
import type { Extra } from "../attention/extras.js";
import type { Call } from "../call/call.js";
import { handBack, type Operand, ownArray, scratchTensor } from "../call/operand.js";
import type { Operation } from "../call/operation.js";
import type { PlaceTensor, ResultTensor } from "../call/tensor.js";
import { multiply } from "../product/multiply.js";
import type { MultiHeadCall } from "./call.js";
import { type MultiHeadParts, withHeads } from "./forward.js";
import { FORWARD, type MultiHeadForwardOptions } from "./forwardOptions.js";
import { gateHeads } from "./heads.js";

/** Those of `forward` that give results, or change a cache. */
const OTHER_OPTIONS = [
  ...(["cache", "accumulate", "averageWeights", "logSumExp", "weights", "weightsRange", "scores", "scoresStage", "out"] as const),
  ...(["topKeys", "entropy", "largestWeight", "keyWeights"] as const),
] as const;

/** Options of `headImportance`: those of `forward`, except for those that give results, and `cache`. */
export type HeadImportanceOptions = Omit<MultiHeadForwardOptions<PlaceTensor>, (typeof OTHER_OPTIONS)[number]>;

/** What `headImportance` returns. */
export interface HeadImportance {
  /** Mean of the largest weight of each row [numHeads]. */
  readonly confidence: ResultTensor;
  /** Root of the mean square by which the output changes if the head's gate is 0 [numHeads]. */
  readonly leaveOneOut: ResultTensor;
}

export const HEAD_IMPORTANCE: Operation = {
  name: "MultiHeadAttention.headImportance",
  options: FORWARD.options.filter((name) => !(OTHER_OPTIONS as readonly string[]).includes(name)),
  foreign: { 'a cache would change: give "memory", or all rows as "key"': "cache past kvcache usecache", ...FORWARD.foreign },
  places: [],
};

/**
 * Computes a call that has been read, without results of its own.
 * @internal
 */
export function headImportanceOf(parts: MultiHeadParts, layerCall: MultiHeadCall): HeadImportance {
  const { call, attention, headGates } = layerCall;
  const { config, out } = parts;
  const { numHeads, valueDim, outDim } = config;
  const { batchSize, seqLen } = attention.shape;
  const rows = batchSize * seqLen;
  const confidence = new Float32Array(numHeads);
  const leaveOneOut = new Float32Array(numHeads);
  if (rows > 0) {
    const { memory } = call.runtime;
    const largestWeight = scratchTensor("largestWeight", [batchSize, numHeads, seqLen]);
    const changes = scratchTensor("changes", [rows, outDim]);
    const matrix = ownArray("W^O", out.matrix(call.operation), false, [numHeads * valueDim, outDim]);
    const look: Extra = { operands: [], fields: () => ({ largestWeight: largestWeight.ptr }) };
    const looking = { ...layerCall, attention: { ...attention, extras: [...attention.extras, look] } };
    withHeads(parts, looking, { operands: [matrix], tensors: [largestWeight, changes], staged: undefined }, (heads) => {
      gateHeads(call, heads, valueDim, headGates);
      for (let head = 0; head < numHeads; head++) {
        changesOf(call, heads, matrix, changes, head, { numHeads, valueDim });
        let [count, certainty, square] = [0, 0, 0];
        for (let row = 0; row < rows; row++) {
          const [batch, i] = [Math.floor(row / seqLen), row % seqLen];
          const largest = memory.f32[(largestWeight.ptr >>> 2) + (batch * numHeads + head) * seqLen + i]!;
          if (largest === 0) continue; // the row sees no key
          count++;
          certainty += largest;
          square += squareOf(memory.f32, (changes.ptr >>> 2) + row * outDim, outDim);
        }
        if (count === 0) continue;
        confidence[head] = certainty / count;
        leaveOneOut[head] = Math.sqrt(square / (count * outDim));
      }
    });
  }
  const result = (name: string, data: Float32Array): ResultTensor => handBack<ResultTensor>(undefined, ownArray(name, data, true));
  return { confidence: result("confidence", confidence), leaveOneOut: result("leaveOneOut", leaveOneOut) };
}

/** What a head adds to each row of the output, its part of the sum over the heads. */
function changesOf(
  call: Call,
  heads: Operand,
  matrix: Operand,
  changes: Operand,
  head: number,
  { numHeads, valueDim }: { readonly numHeads: number; readonly valueDim: number },
): void {
  const [rows, outDim] = changes.dims as [number, number];
  const a = heads.ptr + 4 * head * valueDim;
  const b = matrix.ptr + 4 * head * valueDim * outDim;
  multiply(call, {
    ...{ numEntries: 1, entryAt: () => ({ a, b, out: changes.ptr }), bias: 0, rows, columns: outDim, depth: valueDim },
    ...{ aRowStride: numHeads * valueDim, bRowStride: outDim, outRowStride: outDim },
    ...{ isATransposed: false, isBTransposed: false, isPacked: false, accumulate: false, activation: undefined },
  });
}

/** The sum of the squares of numbers. */
function squareOf(numbers: Float32Array, first: number, count: number): number {
  let sum = 0;
  for (let at = first; at < first + count; at++) sum += numbers[at]! * numbers[at]!;
  return sum;
}
