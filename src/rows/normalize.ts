/** Normalization of rows: validate → place → run → hand back. */
import { writeNormalizeParams } from "../runtime/fullAbi.generated.js";
import { Call } from "../call/call.js";
import { float32, wrongValue, optional } from "../check.js";
import { expectDims, handBack, type Operand } from "../call/operand.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Float32Tensor, PlaceTensor, ResultTensor, TensorLike } from "../call/tensor.js";
import type { Operation } from "../call/operation.js";
import { launch } from "../call/launch.js";

/** Options of `rmsNorm`. */
export interface RmsNormOptions<Out extends PlaceTensor = Float32Tensor> {
  /** Multiplies each normalized row [length]. Default 1. */
  weight?: TensorLike | null | undefined;
  /** Added to the mean square to avoid a division by zero in rows of zeros. Default 1e-6, for `layerNorm` 1e-5. */
  eps?: number | null | undefined;
  /** Receives the result, and is returned; may be the tensor x. */
  out?: Out | null | undefined;
}

/** Options of `layerNorm`. */
export interface LayerNormOptions<Out extends PlaceTensor = Float32Tensor> extends RmsNormOptions<Out> {
  /** Added to each normalized row [length]. Default 0. */
  bias?: TensorLike | null | undefined;
}

const FOREIGN = {
  weight: "gamma scale",
  bias: "beta",
  eps: "epsilon",
  "the last axis is normalized": "axis axes dim shape",
};
export const LAYER_NORM: Operation = {
  name: "layerNorm",
  options: ["weight", "bias", "eps", "out"],
  foreign: FOREIGN,
  places: ["out"],
};
export const RMS_NORM: Operation = { name: "rmsNorm", options: ["weight", "eps", "out"], foreign: FOREIGN, places: ["out"] };
/** Cost of an element in multiply-adds, roughly. */
const WORK = 8;

/**
 * See `Engine.layerNorm`.
 * @internal
 */
export function layerNorm<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  x: TensorLike,
  options: LayerNormOptions<Out> = {},
): Out {
  return normalize(runtime, LAYER_NORM, x, options, 1e-5);
}

/**
 * See `Engine.rmsNorm`.
 * @internal
 */
export function rmsNorm<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  x: TensorLike,
  options: RmsNormOptions<Out> = {},
): Out {
  return normalize(runtime, RMS_NORM, x, options, 1e-6);
}

function normalize<Out extends PlaceTensor>(
  runtime: Runtime,
  descriptor: Operation,
  x: TensorLike,
  options: LayerNormOptions<Out>,
  defaultEps: number,
): Out {
  const operation = descriptor.name;
  const [call, given] = Call.of(runtime, descriptor, options);
  const { weight: weightOption, bias: biasOption, eps = defaultEps, out: returned } = given;
  const input = call.numbers("x", x);
  const length = input.dims.at(-1);
  if (length === undefined) throw wrongValue(operation, '"x" has no axes, expected at least 1');
  const added = float32(operation, "eps", eps, 0);
  const read = (name: string, value: TensorLike): Operand => {
    const operand = call.numbers(name, value);
    expectDims(operation, operand, [length], "the last axis of x");
    return operand;
  };
  const weight = optional(weightOption, (value) => read("weight", value));
  const bias = optional(biasOption, (value) => read("bias", value));
  const place = optional(returned, (value) => call.place("out", value, input.dims, "as x"));
  call.close(() => [input]);

  const out = call.result(place, input.dims);
  const isCentered = descriptor === LAYER_NORM;
  normalizeRows(call, call.operands, { input, out, weight, bias, length, eps: added, isCentered });
  return handBack(returned, out);
}

/**
 * Rows of a call that has been read.
 * @internal
 */
interface NormalizedRows {
  readonly input: Operand;
  readonly out: Operand;
  readonly weight: Pick<Operand, "ptr"> | undefined;
  readonly bias: Pick<Operand, "ptr"> | undefined;
  readonly length: number;
  readonly eps: number;
  readonly isCentered: boolean;
}

/**
 * Places operands, if there are any, and normalizes rows.
 * @internal
 */
export function normalizeRows(
  call: Call,
  operands: readonly Operand[],
  { input, out, weight, bias, length, eps, isCentered }: NormalizedRows,
): void {
  if (input.count === 0) return;
  launch(call, operands, {
    kernel: "normalize",
    work: WORK * input.count,
    write: (memory, jobPtr) =>
      writeNormalizeParams(memory, jobPtr, {
        x: input.ptr,
        out: out.ptr,
        weight: weight?.ptr ?? 0,
        bias: bias?.ptr ?? 0,
        rows: input.count / length,
        length,
        eps,
        isCentered: Number(isCentered),
      }),
  });
}
