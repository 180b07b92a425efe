/** The options that hide keys by tensors: mask, maskStart, bias and keyMask, and how they lie under the scores. */
import type { Call } from "../call/call.js";
import type { Strides } from "../call/layout.js";
import { expectDims, type Operand, stridesIn } from "../call/operand.js";
import { integer, integersOf, isAbsent, oneOf, optional, show, wrongValue } from "../check.js";
import { type AttentionOptions, MAY_ATTEND } from "./options.js";
import type { AttentionShape } from "./shape.js";

/** How a mask or bias lies under [batch, numHeads, seqLen, kvLen]. */
export interface BroadcastStrides extends Strides {
  readonly key: number;
  /** Its columns; Infinity if one serves every key. */
  readonly columns: number;
}

/** @internal */
export interface Masks {
  readonly inputs: Readonly<Record<"mask" | "bias" | "keyMask", Operand | undefined>>;
  readonly strides: Readonly<Record<"mask" | "bias", BroadcastStrides | undefined>>;
  /** The first key of each entry that the mask covers; those before it are visible. */
  maskStart(batch: number): number;
  /** The end of the keys of an entry that mask and bias cover; they hide those beyond it. */
  coveredEnd(batch: number): number;
}

/** The columns that a mask needs, with their name and arithmetic for errors. */
interface Columns {
  readonly count: number;
  readonly name: string;
  readonly arithmetic: string;
}

export const SHORT_MASKS = ["error", "hide"] as const;

/**
 * @param lengths  keys of each entry, where they differ from the shape's kvLen
 * @internal
 * @throws {TypeError} the wrong kind of value
 * @throws {RangeError} sizes or values that do not fit
 */
export function readMasks(
  call: Call,
  options: Pick<AttentionOptions, "mask" | "maskStart" | "bias" | "keyMask" | "shortMask">,
  shape: AttentionShape,
  lengths: readonly number[] | undefined,
): Masks {
  const { operation } = call;
  const { batchSize, kvLen } = shape;
  const { mask: maskOption, maskStart, bias: biasOption, keyMask: keyMaskOption, shortMask = "error" } = options;
  const mayBeShort = oneOf(operation, "shortMask", shortMask, SHORT_MASKS) === "hide";
  if (!isAbsent(maskStart) && isAbsent(maskOption)) throw wrongValue(operation, '"maskStart" needs "mask"');

  const inputs = {
    mask: optional(maskOption, (value) => call.mask("mask", value, MAY_ATTEND)),
    bias: optional(biasOption, (value) => call.numbers("bias", value, true)),
    keyMask: optional(keyMaskOption, (value) => call.mask("keyMask", value, "other than 0 where a key is kept")),
  };
  const all = { count: kvLen, name: "kvLen", arithmetic: "" };
  const { startOf, columns } = isAbsent(maskStart)
    ? { startOf: () => 0, columns: all }
    : readStarts(operation, maskStart, shape, lengths);
  const strides = {
    mask: inputs.mask && broadcastStrides(operation, inputs.mask, shape, columns, mayBeShort),
    bias: inputs.bias && broadcastStrides(operation, inputs.bias, shape, all, mayBeShort),
  };
  if (inputs.mask) refuseTokenizerMask(operation, inputs.mask, shape);
  const { keyMask } = inputs;
  const isOneRow = batchSize === 1 && keyMask?.dims.length === 1;
  if (keyMask) expectDims(operation, keyMask, isOneRow ? [kvLen] : [batchSize, kvLen], isOneRow ? "kvLen" : "batch, kvLen");
  return {
    inputs,
    strides,
    maskStart: startOf,
    coveredEnd: (batch) => Math.min(startOf(batch) + (strides.mask?.columns ?? Infinity), strides.bias?.columns ?? Infinity),
  };
}

/**
 * Asks what [n, kvLen] means where batch and seqLen are both n, if its rows are padded as a tokenizer's are: on one side, and by
 * other numbers than those of a causal mask. A mask [seqLen, kvLen] rarely looks so.
 */
function refuseTokenizerMask(operation: string, mask: Operand, { batchSize, seqLen, kvLen }: AttentionShape): void {
  const { dims, name } = mask;
  if (batchSize < 2 || batchSize !== seqLen || show(dims) !== show([seqLen, kvLen])) return;
  const bytes = mask.data ?? mask.tensor!.data;
  let [isLeft, isRight, isWhole, isCausal, firstEnd] = [true, true, true, true, 0];
  for (let row = 0; row < seqLen; row++) {
    let [first, end, ones] = [kvLen, 0, 0];
    for (let key = 0; key < kvLen; key++) {
      if (!bytes[row * kvLen + key]) continue;
      first = Math.min(first, key);
      end = key + 1;
      ones++;
    }
    if (ones === 0 || ones !== end - first) return; // no padding on one side
    if (row === 0) firstEnd = end;
    isLeft &&= end === kvLen;
    isRight &&= first === 0;
    isWhole &&= ones === kvLen;
    isCausal &&= end === firstEnd + row;
  }
  if (isCausal || isWhole || !(isLeft || isRight)) return;
  throw wrongValue(
    operation,
    `"${name}" of dims ${show(dims)} looks like a tokenizer's [batch, kvLen], but seqLen is ${seqLen} too; ` +
      `give it as "keyMask", or with dims ${show([1, 1, ...dims])} if its rows are those of q`,
  );
}

/** One maskStart for all sequences, or one for each, and the columns that the longest rest of a sequence needs. */
function readStarts(
  operation: string,
  maskStart: number | ArrayLike<number>,
  { batchSize, kvLen }: AttentionShape,
  lengths: readonly number[] | undefined,
): { startOf: (batch: number) => number; columns: Columns } {
  if (typeof maskStart === "number") {
    const start = integer(operation, "maskStart", maskStart, 0, kvLen);
    return {
      startOf: () => start, // not an array: batches of empty sequences may be huge
      columns: { count: kvLen - start, name: "kvLen − maskStart", arithmetic: ` = ${kvLen} − ${start}` },
    };
  }
  const starts = integersOf(operation, "maskStart", maskStart, batchSize, 0, kvLen);
  const count = starts.reduce((most, start, batch) => Math.max(most, (lengths?.[batch] ?? kvLen) - start), 0);
  return { startOf: (batch) => starts[batch]!, columns: { count, name: "the most keys from maskStart on", arithmetic: "" } };
}

/** Aligns dims to the right of [batch, numHeads, seqLen, columns]; an axis of 1 is broadcast. */
function broadcastStrides(
  operation: string,
  operand: Operand,
  { batchSize, numHeads, seqLen, kvLen }: AttentionShape,
  { count, name: columnsName, arithmetic }: Columns,
  mayBeShort: boolean,
): BroadcastStrides {
  const { name, dims } = operand;
  const axes = ["batch", "numHeads", "seqLen", columnsName];
  const full = [batchSize, numHeads, seqLen, count];
  const problem = (what: string, hint = ""): RangeError =>
    wrongValue(
      operation,
      `"${name}" has dims ${show(dims)}, ${what} (it must broadcast to [${axes.join(", ")}] = ${show(full)})${hint}`,
    );
  if (dims.length > 4) throw problem("expected at most 4 of them");

  for (let axis = 3; axis >= 0; axis--) {
    const size = dims[axis - 4 + dims.length] ?? 1;
    const isShort = axis === 3 && size > 0 && size < count;
    if (size !== 1 && size !== full[axis] && !(isShort && mayBeShort)) {
      const isOne = full[axis] === 1;
      const expected = isOne ? "1" : axis === 3 && mayBeShort && count > 0 ? `1 to ${count}` : `1 or ${full[axis]}`;
      const isTokenizerMask = name === "mask" && axis === 2 && dims.length === 2 && dims[0] === batchSize && dims[1] === kvLen;
      const hint = isTokenizerMask
        ? '; a tokenizer\'s mask [batch, kvLen] goes into "keyMask"'
        : isShort
          ? '; shortMask: "hide" would hide the keys beyond it'
          : "";
      throw problem(`expected ${expected} for ${axes[axis]}${axis === 3 ? arithmetic : ""} instead of ${size}`, hint);
    }
  }
  const strides = stridesIn(operand, 4);
  const columns = dims.length === 0 || dims.at(-1) === 1 ? Infinity : dims.at(-1)!;
  return { batch: strides[0]!, head: strides[1]!, row: strides[2]!, key: strides[3]!, columns };
}
