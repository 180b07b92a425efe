/** Activation functions: validate → place → run → hand back. */
import { ACTIVATIONS } from "../runtime/abi.generated.js";
import { writeActivateParams } from "../runtime/fullAbi.generated.js";
import { Call } from "../call/call.js";
import { type Activation } from "./activations.js";
import { oneOf, optional } from "../check.js";
import { expectDims, handBack } from "../call/operand.js";
import type { Operation } from "../call/operation.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Float32Tensor, PlaceTensor, ResultTensor, TensorLike } from "../call/tensor.js";

/** Options of `activate`. */
export interface ActivateOptions<Out extends PlaceTensor = Float32Tensor> {
  /** Multiplies the result element by element, as in SwiGLU and GEGLU; has the sizes of x. Default none. */
  gate?: TensorLike | null | undefined;
  /** Receives the result, and is returned; may be the tensor x. */
  out?: Out | null | undefined;
}

const FOREIGN = { "the kind is the second argument": "kind activation approximate" };
export const ACTIVATE: Operation = { name: "activate", options: ["gate", "out"], foreign: FOREIGN, places: ["out"] };
/** Cost of an element in multiply-adds, roughly. */
const WORK = 12;

/**
 * See `Engine.activate`.
 * @internal
 */
export function activate<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  x: TensorLike,
  kind: Activation,
  options: ActivateOptions<Out> = {},
): Out {
  const [call, { gate: gateOption, out: returned }] = Call.of(runtime, ACTIVATE, options);
  const input = call.numbers("x", x);
  const number = ACTIVATIONS.indexOf(oneOf(ACTIVATE.name, "kind", kind, ACTIVATIONS));
  const gate = optional(gateOption, (value) => call.numbers("gate", value));
  if (gate) expectDims(ACTIVATE.name, gate, input.dims, "as x");
  const place = optional(returned, (value) => call.place("out", value, input.dims, "as x"));
  call.close(() => [input]);

  const out = call.result(place, input.dims);
  if (out.count === 0) return handBack(returned, out);
  call.launch({
    kernel: "activate",
    work: WORK * input.count,
    write: (memory, jobPtr) =>
      writeActivateParams(memory, jobPtr, { x: input.ptr, gate: gate?.ptr ?? 0, out: out.ptr, count: input.count, kind: number }),
  });
  return handBack(returned, out);
}
