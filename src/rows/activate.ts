/** Activation functions: validate → place → run → hand back. */
import { ACTIVATIONS, type Activation } from "./activations.js";
import { knownOptions, oneOf, optional } from "../check.js";
import { assertUnchanged, expectDims, handBack, newResult, readNumbers, readPlace, refuseOverlaps } from "../call/operand.js";
import type { Operation } from "../call/operation.js";
import { writeActivateParams } from "../runtime/abi.generated.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Float32Tensor, ResultTensor, TensorLike } from "../call/tensor.js";
import { launch } from "../call/launch.js";

/** Options of `activate`. */
export interface ActivateOptions<Out extends Float32Tensor = Float32Tensor> {
  /** Multiplies the result element by element, as in SwiGLU and GEGLU: of the sizes of x. Default none. */
  gate?: TensorLike | undefined;
  /** Receives the result, and is returned; may be the tensor x. */
  out?: Out | undefined;
}

export const ACTIVATE: Operation = { name: "activate", options: ["gate", "out"], places: ["out"] };
const OPERATION = ACTIVATE.name;
/** Multiply-adds of an element, roughly. */
const WORK = 12;

/**
 * See `FullEngine.activate`.
 * @internal
 */
export function activate<Out extends Float32Tensor = ResultTensor>(
  runtime: Runtime,
  x: TensorLike,
  kind: Activation,
  options: ActivateOptions<Out> = {},
): Out {
  runtime.assertReady(OPERATION);
  knownOptions(ACTIVATE, options);
  const { gate: givenGate, out: returned } = options;
  const input = readNumbers(runtime, OPERATION, "x", x);
  const number = ACTIVATIONS.indexOf(oneOf(OPERATION, "kind", kind, ACTIVATIONS));
  const gate = optional(givenGate, (value) => readNumbers(runtime, OPERATION, "gate", value));
  if (gate) expectDims(OPERATION, gate, input.dims, "as x");
  const place = optional(returned, (value) => readPlace(runtime, OPERATION, "out", value, input.dims, "as x"));
  const given = [input, gate, place].filter((operand) => operand !== undefined);
  refuseOverlaps(OPERATION, given, () => input);
  assertUnchanged(runtime, OPERATION, given);

  const out = place ?? newResult(runtime, OPERATION, input.dims);
  if (out.count === 0) return handBack(returned, out);
  launch(runtime, OPERATION, place ? given : [...given, out], {
    kernel: "activate",
    work: WORK * input.count,
    write: (memory, jobPtr) =>
      writeActivateParams(memory, jobPtr, { x: input.ptr, gate: gate?.ptr ?? 0, out: out.ptr, count: input.count, kind: number }),
  });
  return handBack(returned, out);
}
