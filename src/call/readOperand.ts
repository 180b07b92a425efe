/** The caller's tensors as operands. Each getter is read once. */
import {
  elementsOf,
  isObject,
  plainView,
  show,
  typedArrayBuffer,
  typedArrayLength,
  typedArrayName,
  typedArrayOffset,
  wrongKind,
  wrongValue,
} from "../check.js";
import type { CallContext } from "./callContext.js";
import { bytesOfMask, copyOfNumbers, expectLength, type GivenTensor, readGiven, wrongData } from "./elements.js";
import { BYTES_PER_ELEMENT, expectDims, type HostArray, type Operand } from "./operand.js";
import { countOf, EngineTensor } from "./tensor.js";
import { areSeparate, elementClass, spanOf, type View } from "./view.js";

const PLACES = 'a Float32Array or Float16Array, or a Uint16Array with type "float16"';

/**
 * Reads a tensor of numbers. Each getter of the caller's object is read once.
 * @param takesStrides  whether kernels read its rows wherever they lie; else, or if the elements of a row lie apart, it is copied
 */
export function readNumbers(call: CallContext, name: string, value: unknown, takesStrides: boolean): Operand {
  const given = readTensor(call, name, value);
  const operand = floats(call, given, false, takesStrides);
  if (operand) return operand;
  assertFits(call, given);
  return operandOf(call, copied(given), copyOfNumbers(call.operation, given), "float32", false);
}

/** Reads a boolean mask; `meaning` says in errors what its elements mean. */
export function readMask(call: CallContext, name: string, value: unknown, meaning: string): Operand {
  const given = readTensor(call, name, value);
  assertFits(call, given);
  return operandOf(call, copied(given), bytesOfMask(call.operation, given, meaning), "uint8", false);
}

/** The sizes of a place; or what they must be, given those that it has, where the caller chooses one. They are [] if it is not a tensor. */
export type PlaceDims = readonly number[] | ((given: readonly number[]) => readonly number[]);

/** Reads a place for results: float32 or float16 of exactly these sizes; `takesStrides` as above. */
export function readPlace(
  call: CallContext,
  name: string,
  value: unknown,
  dims: PlaceDims,
  axes: string,
  takesStrides: boolean,
): Operand {
  const expectedOf = typeof dims === "function" ? dims : () => dims;
  const given = readTensor(call, name, value, () => {
    const sizes = expectedOf([]);
    const place = `{ data: new Float32Array(${countOf(sizes)}), dims: ${show(sizes)} }`;
    return `a place for the result, such as ${place} (${axes}), or an engine's tensor`;
  });
  if (given.isSync) throw wrongKind(call.operation, `"${name}" must be { data, dims }: dataSync() may return a copy`);
  const place = floats(call, given, true, takesStrides);
  if (!place) throw wrongData(call.operation, given, PLACES);
  const expected = expectedOf(place.dims);
  expectDims(call.operation, place, expected, axes);
  if (place.strides && !areSeparate(place.dims, place.strides)) {
    throw wrongValue(
      call.operation,
      `"${name}" has strides ${show(place.strides)}, expected each to pass what the smaller ones span of ${show(expected)}`,
    );
  }
  if (place.viewOffset !== undefined && !place.tensor) {
    throw wrongKind(
      call.operation,
      `"${name}" is a raw view of the engine's memory, which growth would detach; pass the engine's tensor itself`,
    );
  }
  return place;
}

/** A tensor without its elements. */
interface PlacedTensor extends View {
  readonly name: string;
  readonly dims: readonly number[];
  /** The engine's own tensor, if it is one or a view of one. */
  readonly tensor?: EngineTensor | undefined;
}

type ReadTensor = PlacedTensor & GivenTensor;

function readTensor(call: CallContext, name: string, value: unknown, wanted?: () => string): ReadTensor {
  const own = (of: unknown): EngineTensor | undefined =>
    isObject(of) ? EngineTensor.of(call.operation, name, of, call.runtime) : undefined;
  const whole = own(value);
  if (whole) return { name, dims: whole.dims, data: whole.data, type: whole.type, isSync: false, tensor: whole };
  const given = readGiven(call.operation, name, value, wanted);
  const tensor = own(given.data);
  return tensor ? { ...given, data: tensor.data, type: tensor.type, tensor } : given;
}

/** Refuses a view that repeats its elements beyond any memory before it is copied. */
const assertFits = ({ runtime, operation }: CallContext, { name, dims }: ReadTensor): void =>
  runtime.arena.assertFits(operation, elementsOf(operation, name, dims));

/** The tensor, or what is left to know of a view that has been copied. */
const copied = (given: ReadTensor): PlacedTensor => (given.offset === undefined ? given : { name: given.name, dims: given.dims });

/** Arrays that calls read or write as they are: float32, and float16 that kernels convert; undefined for any other. */
function floats(call: CallContext, given: ReadTensor, isResult: boolean, takesStrides: boolean): Operand | undefined {
  const { data, type } = given;
  const array = typedArrayName(data);
  if (array === "Float32Array") return operandOf(call, given, data as Float32Array, "float32", isResult, takesStrides);
  if (array !== "Float16Array" && !(array === "Uint16Array" && type === "float16")) return undefined;
  return operandOf(call, given, plainView(data as Uint16Array, Uint16Array), "float16", isResult);
}

function operandOf(
  call: CallContext,
  given: PlacedTensor,
  whole: HostArray,
  kind: Operand["kind"],
  isResult: boolean,
  takesStrides = false,
): Operand {
  call.runtime.assertAlive(call.operation); // a getter may have disposed of the engine
  const { name, dims, tensor, offset = 0, strides } = given;
  const count = expectLength(call.operation, name, typedArrayLength(whole), dims, given);
  const isOutside = !(tensor && (!strides || (takesStrides && (strides.at(-1) === 1 || dims.at(-1) === 1))));
  const buffer = typedArrayBuffer(whole);
  const start = typedArrayOffset(whole) + offset * BYTES_PER_ELEMENT[kind];
  const span = spanOf(dims, strides, count);
  const data =
    given.offset === undefined ? whole : span === 0 ? new Float32Array(0) : new (elementClass(kind))(buffer, start, span);
  return {
    name,
    dims,
    count,
    kind,
    isResult,
    tensor,
    ptr: isOutside ? 0 : start,
    isOutside,
    data: isOutside ? data : undefined,
    strides,
    viewOffset: isOutside && call.runtime.memory.owns(buffer) ? start : undefined,
  };
}
