/** Looks at the weights of a call: what engines with every operation read. */
import { describe, isAbsent, isArray, listLength, optional, show, wrongKind, wrongValue } from "../check.js";
import type { Operand } from "../call/operand.js";
import { readOptions } from "../call/readOptions.js";
import { axesOfRows } from "../attention/attentionCall.js";
import type { Extension } from "../attention/extensions.js";
import type { Extra, Reading } from "../attention/extras.js";
import { expectExactKeys } from "../attention/keyNumbers.js";

/** See `topKeys`, `entropy`, `largestWeight`, `keyWeights` and `weightsRange` in `AttentionOptions`. */
export const LOOKS: Extension = {
  options: ["topKeys", "entropy", "largestWeight", "keyWeights", "weightsRange"],
  read: readLooks,
};

function readLooks(reading: Reading): Extra {
  const { call, options, shape } = reading;
  const { headDims, headDim, seqLen, kvLen } = shape;
  const rowAxes = axesOfRows(shape);
  const place = (name: "entropy" | "largestWeight" | "keyWeights", size: number, axis: string): Operand | undefined =>
    optional(options[name], (value) => call.place(name, value, [...headDims, size], rowAxes.replace("seqLen", axis)));
  const topKeys = optional(options.topKeys, (value) => topKeysOf(reading, value));
  const entropy = place("entropy", seqLen, "seqLen");
  const largestWeight = place("largestWeight", seqLen, "seqLen");
  const keyWeights = place("keyWeights", kvLen, "kvLen");
  const part = optional(options.weightsRange, (value) => partOf(reading, value));
  const readsWeights = (topKeys ?? keyWeights) !== undefined;
  return {
    operands: [topKeys?.indices, topKeys?.weights, entropy, largestWeight, keyWeights].filter((operand) => operand !== undefined),
    isWhole: readsWeights,
    isByHead: keyWeights !== undefined,
    weightsSizes: part && [part.numHeads, part.numRows],
    workOfPair: readsWeights ? headDim : 0,
    fields: () => ({
      topKeys: topKeys?.indices.ptr ?? 0,
      topWeights: topKeys?.weights.ptr ?? 0,
      numTopKeys: topKeys?.indices.dims.at(-1) ?? 0,
      entropy: entropy?.ptr ?? 0,
      largestWeight: largestWeight?.ptr ?? 0,
      keyWeights: keyWeights?.ptr ?? 0,
      ...(part && {
        weightsFirstHead: part.firstHead,
        weightsHeads: part.numHeads,
        weightsFirstRow: part.firstRow,
        weightsRows: part.numRows,
      }),
    }),
  };
}

function topKeysOf(reading: Reading, value: object): { indices: Operand; weights: Operand } {
  const { call, shape } = reading;
  const { operation } = call;
  const places = readOptions(
    { name: operation, options: ["indices", "weights"] },
    value as Partial<Record<string, unknown>>,
    "topKeys",
  );
  for (const name of ["indices", "weights"]) {
    if (isAbsent(places[name]))
      throw wrongKind(operation, `"topKeys.${name}" is missing; "topKeys" has places for indices and weights`);
  }
  const axes = `${axesOfRows(shape)}, n`;
  const rows = [...shape.headDims, shape.seqLen];
  const indices = call.place("topKeys.indices", places["indices"], (dims) => [...rows, Math.max(1, dims.at(-1) ?? 1)], axes);
  const weights = call.place("topKeys.weights", places["weights"], indices.dims, axes);
  expectExactKeys(operation, indices, shape.kvLen);
  return { indices, weights };
}

/** The heads and rows whose weights are wanted. */
function partOf({ call, options, shape: { headDims, numHeads, seqLen } }: Reading, value: object) {
  const { operation } = call;
  if (isAbsent(options.weights)) throw wrongValue(operation, '"weightsRange" needs "weights"');
  const range = readOptions(
    { name: operation, options: ["heads", "rows"] },
    value as Partial<Record<"heads" | "rows", unknown>>,
    "weightsRange",
  );
  const [firstHead, endHead] = rangeOf(operation, "weightsRange.heads", range.heads, "numHeads", numHeads);
  if (headDims.length === 0 && firstHead === endHead) {
    throw wrongValue(
      operation,
      `"weightsRange.heads" must be [0, 1] where q has rank 2, as weights have no axis of heads, got ${show([firstHead, endHead])}`,
    );
  }
  const [firstRow, endRow] = rangeOf(operation, "weightsRange.rows", range.rows, "seqLen", seqLen);
  return { firstHead, numHeads: endHead - firstHead, firstRow, numRows: endRow - firstRow };
}

/** [from, to]; all of them where absent. */
function rangeOf(operation: string, name: string, value: unknown, size: string, count: number): readonly [number, number] {
  if (isAbsent(value)) return [0, count];
  const expected = `[from, to] with 0 ≤ from ≤ to ≤ ${size} = ${count}`;
  if (!isArray(value)) throw wrongKind(operation, `"${name}" must be ${expected}, got ${describe(value)}`);
  const ends = Array.from({ length: listLength(operation, name, value) }, (_, index) => value[index]);
  const [from, to] = ends;
  const isRange = ends.length === 2 && Number.isInteger(from) && Number.isInteger(to);
  if (isRange && 0 <= (from as number) && (from as number) <= (to as number) && (to as number) <= count) {
    return [from as number, to as number];
  }
  throw wrongValue(operation, `"${name}" must be ${expected}, got ${show(ends.map(describe) as unknown as number[])}`);
}
