/** Sums of two tensors: validate → place → run → hand back. */
import { ADD_AXIS_PARAMS_BYTES, writeAddAxisParams, writeAddParams } from "../runtime/fullAbi.generated.js";
import { Call } from "../call/call.js";
import { broadcastDims, mergedAxes, stridesUnder } from "../call/broadcast.js";
import { optional, show, wrongValue } from "../check.js";
import { handBack } from "../call/operand.js";
import type { Operation } from "../call/operation.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Float32Tensor, PlaceTensor, ResultTensor, TensorLike } from "../call/tensor.js";

/** Options of `add`. */
export interface AddOptions<Out extends PlaceTensor = Float32Tensor> {
  /** Receives the result, and is returned; may be the tensor a or b. */
  out?: Out | null | undefined;
}

export const ADD: Operation = { name: "add", options: ["out"], places: ["out"] };
/** Cost of an element in multiply-adds, roughly. */
const WORK = 8;

/**
 * See `Engine.add`.
 * @internal
 */
export function add<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  a: TensorLike,
  b: TensorLike,
  options: AddOptions<Out> = {},
): Out {
  const [call, { out: returned }] = Call.of(runtime, ADD, options);
  const left = call.numbers("a", a);
  const right = call.numbers("b", b);
  const dims = broadcastDims([left.dims, right.dims]);
  if (!dims) {
    const found = `${show(left.dims)} and ${show(right.dims)}`;
    throw wrongValue(ADD.name, `"a" and "b" have dims ${found}, expected equal sizes or 1, aligned to the right`);
  }
  const place = optional(returned, (value) => call.place("out", value, dims, "as a and b broadcast"));
  call.close(() => [left, right]);

  const out = call.result(place, dims);
  if (out.count === 0) return handBack(returned, out);
  const axes = mergedAxes(dims, [stridesUnder(left.dims, dims.length), stridesUnder(right.dims, dims.length)]);
  // The kernel's a is the one whose numbers lie side by side in a row.
  const [first, second] = axes.at(-1)!.strides[0] === 0 ? ([1, 0] as const) : ([0, 1] as const);
  const operands = [left, right] as const;
  call.launch({
    kernel: "add",
    work: WORK * out.count,
    ownBytes: axes.length * ADD_AXIS_PARAMS_BYTES,
    write: (memory, jobPtr, ptr) => {
      for (const [index, { size, strides }] of axes.entries()) {
        const values = { size, aStride: strides[first]!, bStride: strides[second]! };
        writeAddAxisParams(memory, ptr + index * ADD_AXIS_PARAMS_BYTES, values);
      }
      writeAddParams(memory, jobPtr, {
        a: operands[first].ptr,
        b: operands[second].ptr,
        out: out.ptr,
        count: out.count,
        axes: ptr,
        numAxes: axes.length,
      });
    },
  });
  return handBack(returned, out);
}
