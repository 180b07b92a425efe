/**
 * Keys that every row sees, whatever hides the others: they stand behind them, and a mask says for each pair what causal, window,
 * lengths, mask and bias say of the others. It has a byte for each pair, which these keys are rare enough for.
 */
import { hostNumbers } from "../call/operand.js";
import type { AttentionCall } from "../attention/attentionCall.js";
import type { Runtime } from "../runtime/runtime.js";
import type { BroadcastStrides } from "../attention/shape.js";
import { countOf, type Float32Tensor } from "../call/tensor.js";
import { elementsOf, plainView } from "../check.js";

/** What stands for the options that hide keys. */
export interface ExtendedVisibility {
  /** [batch, 1 or numHeads, seqLen, kvLen + extra] */
  readonly mask: { readonly data: Uint8Array; readonly dims: readonly number[] };
  /** As `bias`, with zeros for the extra keys. */
  readonly bias: Float32Tensor | undefined;
}

/**
 * The visibility of a call with `extra` keys more in each batch entry.
 * @throws {RangeError} not enough memory
 */
export function extendVisibility(runtime: Runtime, call: AttentionCall, extra: number): ExtendedVisibility {
  return { mask: extendedMask(runtime, call, extra), bias: extendedBias(runtime, call, extra) };
}

function extendedMask(runtime: Runtime, call: AttentionCall, extra: number): ExtendedVisibility["mask"] {
  const { shape, sequences, numbers, inputs, strides } = call;
  const { batchSize, seqLen, kvLen, numHeads } = shape;
  const { causal, windowLeft, windowRight, sinkTokens } = numbers;
  const given = inputs.mask && strides.mask && { bytes: maskBytes(runtime, inputs.mask), strides: strides.mask };
  const heads = given && given.strides.head !== 0 ? numHeads : 1;
  const width = kvLen + extra;
  const dims = [batchSize, heads, seqLen, width];
  const count = elementsOf(call.operation, "mask", dims);
  runtime.arena.assertFits(call.operation, count);
  const data = new Uint8Array(count);

  for (const { batch, queryStart, queryLength, queryOffset, keyStart, keyLength } of sequences) {
    for (let head = 0; head < heads; head++) {
      for (let row = queryStart; row < queryStart + queryLength; row++) {
        const position = row - queryStart + queryOffset; // counted from the sequence's first key, as key is
        const start = ((batch * heads + head) * seqLen + row) * width;
        data.fill(1, start + kvLen, start + width);
        for (let key = 0; key < keyLength; key++) {
          const isInWindow = (windowLeft < 0 || key >= position - windowLeft) && (windowRight < 0 || key <= position + windowRight);
          const isVisible = (causal === 0 || key <= position) && (isInWindow || key < sinkTokens);
          const isLeft = !given || given.bytes[indexOf(given.strides, batch, head, row, keyStart + key)] !== 0;
          if (isVisible && isLeft) data[start + keyStart + key] = 1;
        }
      }
    }
  }
  return { data, dims };
}

const indexOf = (strides: BroadcastStrides, batch: number, head: number, row: number, key: number): number =>
  batch * strides.batch + head * strides.head + row * strides.row + key * strides.key;

const maskBytes = (
  { memory }: Runtime,
  { data, ptr, count, viewOffset }: NonNullable<AttentionCall["inputs"]["mask"]>,
): Uint8Array => {
  const from = data ? viewOffset : ptr;
  return from === undefined ? plainView(data as Uint8Array, Uint8Array) : memory.u8.subarray(from, from + count);
};

function extendedBias(runtime: Runtime, { operation, inputs, shape }: AttentionCall, extra: number): Float32Tensor | undefined {
  const { bias } = inputs;
  if (!bias) return undefined;
  const numbers = hostNumbers(runtime, operation, bias);
  const keys = bias.dims.at(-1) ?? 1;
  const isBroadcast = keys === 1;
  const width = shape.kvLen + extra;
  const dims = [...bias.dims.slice(0, -1), width];
  const rows = countOf(bias.dims.slice(0, -1));
  const data = new Float32Array(elementsOf(operation, "bias", dims));
  for (let row = 0; row < rows; row++) {
    const start = row * width;
    if (isBroadcast) data.fill(numbers[row]!, start, start + shape.kvLen);
    else data.set(numbers.subarray(row * keys, (row + 1) * keys), start); // keys beyond the mask hides
  }
  return { data, dims };
}
