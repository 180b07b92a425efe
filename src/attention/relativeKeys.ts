/** Keys of distances: what engines with every operation read. */
import { isAbsent, optional, show, wrongValue } from "../check.js";
import { expectDims, type Operand } from "../call/operand.js";
import type { Extension } from "./extensions.js";
import type { Extra, Reading } from "./extras.js";
import { zeroOf } from "./positions.js";

/** See `relativeKeys` in `AttentionOptions`. */
export const RELATIVE_KEYS: Extension = {
  options: ["relativeKeys", "contentBias", "positionBias"],
  read: readRelativeKeys,
};

function readRelativeKeys(reading: Reading): Extra {
  const { call, options, shape } = reading;
  if (isAbsent(options.relativeKeys)) {
    const given = isAbsent(options.contentBias) ? "positionBias" : "contentBias";
    throw wrongValue(call.operation, `"${given}" needs "relativeKeys"`);
  }
  const keys = keysOf(reading, call.numbers("relativeKeys", options.relativeKeys));
  const bias = (name: "contentBias" | "positionBias"): Operand | undefined =>
    optional(options[name], (value) => {
      const operand = call.numbers(name, value);
      expectDims(call.operation, operand, [shape.numHeads, shape.headDim], "numHeads, headDim");
      return operand;
    });
  const [contentBias, positionBias] = [bias("contentBias"), bias("positionBias")];
  const [distances, heads, headDim] = keys.dims as [number, number, number];
  const zero = zeroOf(reading, "relativeKeys", distances);
  return {
    operands: [keys, contentBias, positionBias].filter((operand) => operand !== undefined),
    workOfPair: headDim,
    fields: () => ({
      relativeKeys: keys.ptr,
      relativeKeysRowStride: heads * headDim,
      relativeKeysHeadStride: heads === 1 ? 0 : headDim,
      keyDistances: distances,
      keyZero: zero,
      contentBias: contentBias?.ptr ?? 0,
      positionBias: positionBias?.ptr ?? 0,
    }),
  };
}

function keysOf({ call, shape: { numHeads, headDim } }: Reading, keys: Operand): Operand {
  const [, heads, channels] = keys.dims;
  if (keys.dims.length === 3 && (heads === 1 || heads === numHeads) && channels === headDim) return keys;
  throw wrongValue(
    call.operation,
    `"relativeKeys" has dims ${show(keys.dims)}, expected [distances, numHeads or 1, headDim] with numHeads ${numHeads} and headDim ${headDim}`,
  );
}
