/** Biases that depend on the distance of a key from the row's position: ALiBi, and tables by distance. */
import { isAbsent, counted, integer, optional, show, wrongValue } from "../check.js";
import type { Operand } from "../call/operand.js";
import type { Extra, Reading } from "./extras.js";

/** See `alibiSlopes` and `relativeBias` in `AttentionOptions`. */
export function readPositions(reading: Reading): Extra | undefined {
  const { alibiSlopes, relativeBias, relativeZero, relativeKeys } = reading.options;
  if (!isAbsent(relativeZero) && isAbsent(relativeBias) && isAbsent(relativeKeys)) {
    throw wrongValue(reading.call.operation, '"relativeZero" needs "relativeBias" or "relativeKeys"');
  }
  if (isAbsent(alibiSlopes) && isAbsent(relativeBias)) return undefined;
  const slopes = optional(alibiSlopes, (value) => slopesOf(reading, reading.call.numbers("alibiSlopes", value)));
  const table = optional(relativeBias, (value) => tableOf(reading, reading.call.numbers("relativeBias", value)));
  return {
    operands: [slopes, table?.operand].filter((operand) => operand !== undefined),
    fields: () => ({
      alibiSlopes: slopes?.ptr ?? 0,
      alibiBatchStride: slopes?.dims.length === 2 ? reading.shape.numHeads : 0,
      relativeBias: table?.operand.ptr ?? 0,
      relativeBiasHeadStride: table && table.operand.dims[0] !== 1 ? table.distances : 0,
      biasDistances: table?.distances ?? 0,
      biasZero: table?.zero ?? 0,
    }),
  };
}

function slopesOf({ call, shape: { batchSize, numHeads } }: Reading, slopes: Operand): Operand {
  const { dims } = slopes;
  if (dims.at(-1) === numHeads && (dims.length === 1 || (dims.length === 2 && dims[0] === batchSize))) return slopes;
  const expected = `[numHeads] = [${numHeads}] or [batch, numHeads] = [${batchSize}, ${numHeads}]`;
  throw wrongValue(call.operation, `"alibiSlopes" has dims ${show(dims)}, expected ${expected}`);
}

function tableOf(reading: Reading, operand: Operand): { operand: Operand; distances: number; zero: number } {
  const { call, shape } = reading;
  const { dims } = operand;
  const [heads, distances] = dims;
  if (dims.length === 2 && (heads === 1 || heads === shape.numHeads)) {
    return { operand, distances: distances!, zero: zeroOf(reading, "relativeBias", distances!) };
  }
  throw wrongValue(
    call.operation,
    `"relativeBias" has dims ${show(dims)}, expected [numHeads, distances] or [1, distances] with numHeads ${shape.numHeads}`,
  );
}

/** The index of distance 0 among those of an option. */
export function zeroOf({ call, options }: Reading, name: string, distances: number): number {
  if (distances < 1) throw wrongValue(call.operation, `"${name}" has 0 distances, expected at least 1`);
  const { relativeZero } = options;
  if (!isAbsent(relativeZero)) return integer(call.operation, "relativeZero", relativeZero, 0, distances - 1);
  if (distances % 2 === 1) return (distances - 1) / 2;
  throw wrongValue(
    call.operation,
    `"relativeZero" is missing: "${name}" has ${counted(distances, "distance")}, an even number without a middle`,
  );
}
