/** The caller's tensors as operands. Each getter is read once. */
import {
  describe,
  isObject,
  plainView,
  readDims,
  typedArrayBuffer,
  typedArrayLength,
  typedArrayName,
  typedArrayOffset,
  wrongKind,
  wrongMoment,
  wrongValue,
} from "../check.js";
import type { CallContext } from "./callContext.js";
import { expectDims, type HostArray, type Operand } from "./operand.js";
import { countOf, EngineTensor } from "./tensor.js";
import { readParts } from "./tensorParts.js";

/** Arrays of numbers; float16 comes as bits or as a Float16Array. */
const NUMBERS = 'a Float32Array, or float16 in a Uint16Array or Float16Array with type "float16"';

/** Reads a tensor of numbers. Each getter of the caller's object is read once. */
export function readNumbers(call: CallContext, name: string, value: unknown): Operand {
  const { data, dims, type, tensor } = readTensor(call, name, value);
  const array = typedArrayName(data);
  const isHalf = array === "Float16Array" || (array === "Uint16Array" && type === "float16");
  if (!isHalf && array !== "Float32Array") {
    const typed = type === undefined ? "" : ` of type ${describe(type)}`;
    throw wrongKind(call.operation, `"${name}" must hold ${NUMBERS}, got ${describe(data)}${typed}`);
  }
  return operand(
    call,
    name,
    dims,
    isHalf ? plainView(data as Uint16Array, Uint16Array) : (data as Float32Array),
    tensor,
    isHalf ? "float16" : "float32",
    false,
  );
}

/** Reads a boolean mask: bytes, of which `meaning` says in errors what they mean. */
export function readMask(call: CallContext, name: string, value: unknown, meaning: string): Operand {
  const { data, dims, tensor } = readTensor(call, name, value);
  if (typedArrayName(data) !== "Uint8Array") {
    throw wrongKind(call.operation, `"${name}" must hold a Uint8Array, ${meaning}, got ${describe(data)}`);
  }
  return operand(call, name, dims, data as Uint8Array, tensor, "uint8", false);
}

/** Reads a place for results: float32 of exactly these sizes. */
export function readPlace(call: CallContext, name: string, value: unknown, expected: readonly number[], axes: string): Operand {
  const { data, dims, tensor, isSync } = readTensor(call, name, value);
  if (isSync) throw wrongKind(call.operation, `"${name}" must be { data, dims }: dataSync() may return a copy`);
  if (typedArrayName(data) !== "Float32Array")
    throw wrongKind(call.operation, `"${name}" must hold a Float32Array, got ${describe(data)}`);
  const place = operand(call, name, dims, data as Float32Array, tensor, "float32", true);
  expectDims(call.operation, place, expected, axes);
  if (place.viewOffset !== undefined) {
    throw wrongKind(
      call.operation,
      `"${name}" is a raw view of the engine's memory, which growth would detach; pass the engine's tensor itself`,
    );
  }
  return place;
}

interface ReadTensor {
  data: unknown;
  dims: readonly number[];
  type: unknown;
  tensor: EngineTensor | undefined;
  isSync: boolean;
}

function readTensor(call: CallContext, name: string, value: unknown): ReadTensor {
  if (!isObject(value)) throw notATensor(call.operation, name, value);
  const tensor = EngineTensor.of(call.operation, name, value, call.runtime);
  if (tensor) return { data: tensor.data, dims: tensor.dims, type: tensor.type, tensor, isSync: false };
  const { dims, data, isSync, type, location, isElsewhere } = readParts(call.operation, `"${name}"`, value);
  if (isElsewhere) {
    if (location === "none") throw wrongMoment(call.operation, `"${name}" has been disposed of`);
    throw wrongKind(call.operation, `"${name}" is on ${describe(location)}, expected "cpu"; await its getData() first`);
  }
  if (dims === undefined || !ArrayBuffer.isView(data)) throw notATensor(call.operation, name, value);
  return { data, dims: readDims(call.operation, name, isSync ? "shape" : "dims", dims), type, tensor, isSync };
}

const notATensor = (operation: string, name: string, value: unknown): TypeError =>
  wrongKind(operation, `"${name}" must be a tensor { data, dims } or { shape, dataSync() }, got ${describe(value)}`);

function operand(
  call: CallContext,
  name: string,
  dims: readonly number[],
  data: HostArray,
  tensor: EngineTensor | undefined,
  kind: Operand["kind"],
  isResult: boolean,
): Operand {
  call.runtime.assertAlive(call.operation); // a getter may have disposed of the engine
  const count = countOf(dims);
  if (typedArrayLength(data) !== count) {
    throw wrongValue(
      call.operation,
      `"${name}" holds ${typedArrayLength(data)} elements, expected ${dims.join(" × ") || 1} = ${count}`,
    );
  }
  if (tensor) return { name, dims, count, kind, isResult, tensor, ptr: tensor.ptr, data: undefined, viewOffset: undefined };
  const viewOffset = call.runtime.memory.owns(typedArrayBuffer(data)) ? typedArrayOffset(data) : undefined;
  return { name, dims, count, kind, isResult, tensor, ptr: 0, data, viewOffset };
}
