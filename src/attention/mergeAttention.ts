/** Attention over the union of disjoint sets of keys, from the results on each set. */
import { Call } from "../call/call.js";
import { headsOption, type Layout, LAYOUTS, type Sizes, sizesOf, stridesOf } from "../call/layout.js";
import { counted, describe, isObject, isArray, listLength, oneOf, wrongKind, wrongValue, optional } from "../check.js";
import { expectDims, handBack, type Operand } from "../call/operand.js";
import { ATTENTION_NAMES } from "./foreignNames.js";
import type { Operation } from "../call/operation.js";
import { MERGE_PART_BYTES, writeMergeParams, writeMergePart } from "../runtime/abi.generated.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Float32Tensor, PlaceTensor, ResultTensor, TensorLike } from "../call/tensor.js";

/** The results of attention on one set of keys. */
export interface AttentionPart {
  /** [batch, seq, heads, valueDim] in the layout, or [batch, seq, numHeads · valueDim]. */
  readonly out: TensorLike;
  /** [batch, numHeads, seqLen] */
  readonly logSumExp: TensorLike;
}

/** Options of `mergeAttention`. */
export interface MergeOptions<Out extends PlaceTensor = Float32Tensor> {
  /** Order of axes of the outputs, as in attention. Default "bshd". */
  layout?: Layout | null | undefined;
  /** Heads of the outputs, where their rows hold them side by side: [batch, seq, numHeads · valueDim]. */
  numHeads?: number | null | undefined;
  /** Receives the output, and is returned; may be the tensor of the first part. */
  out?: Out | null | undefined;
  /** Receives the logSumExp of all keys: [batch, numHeads, seqLen]; may be the tensor of the first part. */
  logSumExp?: PlaceTensor | null | undefined;
}

export const MERGE_ATTENTION: Operation = {
  name: "mergeAttention",
  options: ["layout", "numHeads", "out", "logSumExp"],
  foreign: ATTENTION_NAMES,
  places: ["out", "logSumExp"],
};
const OPERATION = MERGE_ATTENTION.name;
/** Cost of an element of a part in multiply-adds, roughly: as many as fit in the time of reading it. */
const WORK = 4;

const MAX_PARTS = 2 ** 16;

interface Part {
  readonly sizes: Sizes;
  readonly out: Operand;
  readonly logSumExp: Operand;
}

/**
 * See `Engine.mergeAttention`.
 * @internal
 */
export function mergeAttention<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  parts: readonly AttentionPart[],
  options: MergeOptions<Out> = {},
): Out {
  const [call, given] = Call.of(runtime, MERGE_ATTENTION, options);
  const { layout: givenLayout = "bshd", numHeads, out: returned, logSumExp: lsePlace } = given;
  const layout = oneOf(OPERATION, "layout", givenLayout, LAYOUTS);
  const inputs = readParts(call, parts, layout, headsOption(OPERATION, "numHeads", numHeads));
  const first = inputs[0]!;
  const place = (name: "out" | "logSumExp", given: unknown): Operand | undefined =>
    optional(given, (value) => call.place(name, value, first[name].dims, "as in the parts"));
  const results = { out: place("out", returned), logSumExp: place("logSumExp", lsePlace) };
  call.close((result) => [result === results.out ? first.out : first.logSumExp]);

  const out = call.result(results.out, first.out.dims);
  if (out.count > 0) run(call, inputs, out, results.logSumExp, layout);
  return handBack(returned, out);
}

function readParts(call: Call, parts: readonly AttentionPart[], layout: Layout, numHeads: number | undefined): Part[] {
  if (!isArray(parts)) throw wrongKind(OPERATION, `"parts" must be an array of { out, logSumExp }, got ${describe(parts)}`);
  const numParts = listLength(OPERATION, "parts", parts, MAX_PARTS);
  if (numParts === 0) throw wrongValue(OPERATION, '"parts" is empty, expected at least 1');
  const read: Part[] = [];
  for (let index = 0; index < numParts; index++) {
    const part: unknown = parts[index];
    const name = `parts[${index}]`;
    if (!isObject(part)) {
      throw wrongKind(OPERATION, `"${name}" must be { out, logSumExp }, got ${describe(part)}`);
    }
    const { out, logSumExp } = part as Record<string, unknown>;
    const operands = {
      out: call.numbers(`${name}.out`, out),
      logSumExp: call.numbers(`${name}.logSumExp`, logSumExp),
    };
    const sizes = sizesOf(OPERATION, operands.out, layout, numHeads);
    const { batch, heads, rows, channels } = sizes;
    if (heads < 1 || channels < 1) {
      throw wrongValue(
        OPERATION,
        `"${name}.out" has ${counted(heads, "head")} of ${counted(channels, "element")}, expected at least 1 of each`,
      );
    }
    const isFlat = operands.out.dims.length === 2;
    const axes = isFlat ? "seqLen" : "batch, numHeads, seqLen";
    expectDims(OPERATION, operands.logSumExp, isFlat ? [rows] : [batch, heads, rows], `${axes} of ${name}.out`);
    expectDims(OPERATION, operands.out, (read[0] ?? operands).out.dims, "as parts[0].out");
    read.push({ ...operands, sizes });
  }
  return read;
}

function run(call: Call, inputs: readonly Part[], out: Operand, logSumExp: Operand | undefined, layout: Layout): void {
  const { batch, rows, heads, channels } = inputs[0]!.sizes;
  const strides = stridesOf(out, layout, channels);
  call.launch({
    kernel: "merge",
    work: WORK * inputs.length * out.count,
    ownBytes: MERGE_PART_BYTES * inputs.length,
    write: (memory, jobPtr, parts) => {
      for (const [index, part] of inputs.entries()) {
        writeMergePart(memory, parts + index * MERGE_PART_BYTES, { out: part.out.ptr, logSumExp: part.logSumExp.ptr });
      }
      writeMergeParams(memory, jobPtr, {
        parts,
        numParts: inputs.length,
        out: out.ptr,
        logSumExp: logSumExp?.ptr ?? 0,
        batchSize: batch,
        seqLen: rows,
        numHeads: heads,
        valueDim: channels,
        rowStride: strides.row,
        headStride: strides.head,
        batchStride: strides.batch,
      });
    },
  });
}
