/** The caller's tensors as operands. Each getter is read once. */
import {
  isObject,
  plainView,
  show,
  typedArrayBuffer,
  typedArrayLength,
  typedArrayName,
  typedArrayOffset,
  wrongKind,
} from "../check.js";
import type { CallContext } from "./callContext.js";
import { bytesOfMask, copyOfNumbers, expectLength, type GivenTensor, readGiven, wrongData } from "./elements.js";
import { expectDims, type HostArray, type Operand } from "./operand.js";
import { countOf, EngineTensor } from "./tensor.js";

const PLACES = 'a Float32Array or Float16Array, or a Uint16Array with type "float16"';

/** Reads a tensor of numbers. Each getter of the caller's object is read once. */
export function readNumbers(call: CallContext, name: string, value: unknown): Operand {
  const given = readTensor(call, name, value);
  return floats(call, given, false) ?? operand(call, given, copyOfNumbers(call.operation, given), "float32", false);
}

/** Reads a boolean mask; `meaning` says in errors what its elements mean. */
export function readMask(call: CallContext, name: string, value: unknown, meaning: string): Operand {
  const given = readTensor(call, name, value);
  return operand(call, given, bytesOfMask(call.operation, given, meaning), "uint8", false);
}

/** Reads a place for results: float32 or float16 of exactly these sizes. */
export function readPlace(call: CallContext, name: string, value: unknown, expected: readonly number[], axes: string): Operand {
  const given = readTensor(call, name, value, () => {
    const place = `{ data: new Float32Array(${countOf(expected)}), dims: ${show(expected)} }`;
    return `a place for the result, such as ${place} (${axes}), or an engine's tensor`;
  });
  if (given.isSync) throw wrongKind(call.operation, `"${name}" must be { data, dims }: dataSync() may return a copy`);
  const place = floats(call, given, true);
  if (!place) throw wrongData(call.operation, given, PLACES);
  expectDims(call.operation, place, expected, axes);
  if (place.viewOffset !== undefined) {
    throw wrongKind(
      call.operation,
      `"${name}" is a raw view of the engine's memory, which growth would detach; pass the engine's tensor itself`,
    );
  }
  return place;
}

interface ReadTensor extends GivenTensor {
  /** The engine's own tensor, if it is one. */
  readonly tensor?: EngineTensor;
}

function readTensor(call: CallContext, name: string, value: unknown, wanted?: () => string): ReadTensor {
  const tensor = isObject(value) ? EngineTensor.of(call.operation, name, value, call.runtime) : undefined;
  if (!tensor) return readGiven(call.operation, name, value, wanted);
  return { name, dims: tensor.dims, data: tensor.data, type: tensor.type, isSync: false, tensor };
}

/** Arrays that calls read or write as they are: float32, and float16 that kernels convert; undefined for any other. */
function floats(call: CallContext, given: ReadTensor, isResult: boolean): Operand | undefined {
  const { data, type } = given;
  const array = typedArrayName(data);
  if (array === "Float32Array") return operand(call, given, data as Float32Array, "float32", isResult);
  if (array !== "Float16Array" && !(array === "Uint16Array" && type === "float16")) return undefined;
  return operand(call, given, plainView(data as Uint16Array, Uint16Array), "float16", isResult);
}

function operand(
  call: CallContext,
  { name, dims, tensor }: ReadTensor,
  data: HostArray,
  kind: Operand["kind"],
  isResult: boolean,
): Operand {
  call.runtime.assertAlive(call.operation); // a getter may have disposed of the engine
  const count = expectLength(call.operation, name, typedArrayLength(data), dims);
  if (tensor) return { name, dims, count, kind, isResult, tensor, ptr: tensor.ptr, data: undefined, viewOffset: undefined };
  const viewOffset = call.runtime.memory.owns(typedArrayBuffer(data)) ? typedArrayOffset(data) : undefined;
  return { name, dims, count, kind, isResult, tensor, ptr: 0, data, viewOffset };
}
