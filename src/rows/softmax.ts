/** Softmax along an axis: validate → place → run → hand back. */
import { AXIS_PARAMS_BYTES, writeAxisParams, writeSoftmaxParams } from "../runtime/fullAbi.generated.js";
import { Call } from "../call/call.js";
import { stridesUnder } from "../call/broadcast.js";
import { SHORT_MASKS } from "../attention/maskOptions.js";
import { float32, integer, oneOf, show, wrongValue, optional } from "../check.js";
import { handBack, type Operand } from "../call/operand.js";
import type { Runtime } from "../runtime/runtime.js";
import {
  countOf,
  type Float32Tensor,
  type PlaceTensor,
  type MaskLike,
  type ResultTensor,
  type TensorLike,
} from "../call/tensor.js";
import type { Operation } from "../call/operation.js";
import type { ShortMask } from "../attention/options.js";

/** Options of `softmax`. */
export interface SoftmaxOptions<Out extends PlaceTensor = Float32Tensor> {
  /** The axis whose elements sum to 1; negative ones count from the end. Default −1, the last one. */
  axis?: number | null | undefined;
  /** Factor on x. Default 1. */
  scale?: number | null | undefined;
  /**
   * Bytes: elements at 0 are left out, and their results are 0 (log: −∞). Broadcasts to the sizes of x,
   * aligned to the right.
   */
  mask?: MaskLike | null | undefined;
  /** Added to scale · x; −∞ hides an element. Broadcasts like `mask`. */
  bias?: TensorLike | null | undefined;
  /**
   * What a last axis of `mask` or `bias` means that is shorter than x's, but not 1, where `axis` is the last one: an "error", or
   * "hide" the elements beyond it. Default "error".
   */
  shortMask?: ShortMask | null | undefined;
  /** Whether results are logarithms: scale · x + bias − ln Σ exp(scale · x + bias). Default false. */
  log?: boolean | null | undefined;
  /** Receives the result, and is returned; may be the tensor x. */
  out?: Out | null | undefined;
}

export const SOFTMAX: Operation = {
  name: "softmax",
  options: ["axis", "scale", "mask", "bias", "shortMask", "log", "out"],
  foreign: { axis: "dim", "scale, which is 1 / temperature": "temperature", mask: "where" },
  places: ["out"],
};
/** Cost of an element in multiply-adds, roughly. */
const WORK = 12;

/** A mask or bias, and its strides under the axes of x. */
interface Broadcast {
  readonly operand: Operand;
  readonly strides: readonly number[];
}

/**
 * See `Engine.softmax`.
 * @internal
 */
export function softmax<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  x: TensorLike,
  options: SoftmaxOptions<Out> = {},
): Out {
  const [call, given] = Call.of(runtime, SOFTMAX, options);
  const { axis: axisOption = -1, scale = 1, mask: maskOption, bias: biasOption, shortMask = "error", log = false } = given;
  const { out: returned } = given;
  const input = call.numbers("x", x);
  const axis = axisOf(input, axisOption);
  const factor = float32(SOFTMAX.name, "scale", scale);
  const isLog = oneOf(SOFTMAX.name, "log", log, [true, false]);
  const mayBeShort = oneOf(SOFTMAX.name, "shortMask", shortMask, SHORT_MASKS) === "hide";
  const read = (operand: Operand): Broadcast => ({ operand, strides: stridesOf(operand, input, axis, mayBeShort) });
  const mask = optional(maskOption, (value) => read(call.mask("mask", value, "0 where an element is left out")));
  const bias = optional(biasOption, (value) => read(call.numbers("bias", value)));
  const place = optional(returned, (value) => call.place("out", value, input.dims, "as x"));
  call.close(() => [input]);

  const { dims, count } = input;
  const out = call.result(place, dims);
  const rank = dims.length;
  const length = dims[axis]!;
  const inner = countOf(dims.slice(axis + 1));
  if (count === 0) return handBack(returned, out);
  call.launch({
    kernel: "softmax",
    work: WORK * count,
    ownBytes: rank * AXIS_PARAMS_BYTES,
    write: (memory, jobPtr, axes) => {
      for (const [index, size] of dims.entries()) {
        const strides = { maskStride: mask?.strides[index] ?? 0, biasStride: bias?.strides[index] ?? 0 };
        writeAxisParams(memory, axes + index * AXIS_PARAMS_BYTES, { size, ...strides });
      }
      writeSoftmaxParams(memory, jobPtr, {
        x: input.ptr,
        out: out.ptr,
        mask: mask?.operand.ptr ?? 0,
        bias: bias?.operand.ptr ?? 0,
        outerAxes: axes,
        numOuterAxes: axis,
        innerAxes: axes + (axis + 1) * AXIS_PARAMS_BYTES,
        numInnerAxes: rank - axis - 1,
        outer: countOf(dims.slice(0, axis)),
        length,
        covered: axis === rank - 1 ? Math.min(coveredBy(mask, length), coveredBy(bias, length)) : length,
        inner,
        maskStride: mask?.strides[axis] ?? 0,
        biasStride: bias?.strides[axis] ?? 0,
        scale: factor,
        isLog: Number(isLog),
      });
    },
  });
  return handBack(returned, out);
}

function axisOf({ dims }: Operand, axis: unknown): number {
  const rank = dims.length;
  if (rank === 0) throw wrongValue(SOFTMAX.name, '"x" has no axes, expected at least 1');
  const index = integer(SOFTMAX.name, "axis", axis, -rank, rank - 1);
  return index < 0 ? rank + index : index;
}

/** The strides of a mask or bias under the axes of x. @throws {RangeError} sizes that do not broadcast */
function stridesOf({ name, dims }: Operand, x: Operand, axis: number, mayBeShort: boolean): number[] {
  const rank = x.dims.length;
  const problem = (what: string, hint = ""): RangeError =>
    wrongValue(SOFTMAX.name, `"${name}" has dims ${show(dims)}, ${what} (it must broadcast to x, of dims ${show(x.dims)})${hint}`);
  if (dims.length > rank) throw problem(`expected at most ${rank} of them`);
  for (const [index, size] of dims.entries()) {
    const at = index + rank - dims.length;
    const full = x.dims[at]!;
    const isShort = at === rank - 1 && axis === at && size > 0 && size < full;
    if (size === 1 || size === full || (isShort && mayBeShort)) continue;
    const expected = full === 1 ? "1" : mayBeShort && at === rank - 1 && axis === at ? `1 to ${full}` : `1 or ${full}`;
    const hint = isShort ? '; shortMask: "hide" would leave out the elements beyond it' : "";
    throw problem(`expected ${expected} for axis ${at} instead of ${size}`, hint);
  }
  return stridesUnder(dims, rank);
}

/** Number of elements of the last axis that a mask or bias covers. */
const coveredBy = (broadcast: Broadcast | undefined, length: number): number => {
  const size = broadcast?.operand.dims.at(-1) ?? 1;
  return size > 1 && size < length ? size : length;
};
