/** The caller's tensors: each getter is read once, and elements of types that kernels do not read are copied to one that they do. */
import {
  counted,
  describe,
  elementsOf,
  isAbsent,
  isArray,
  isObject,
  kindOf,
  listLength,
  product,
  readDims,
  typedArrayLength,
  typedArrayName,
  wrongKind,
  wrongMoment,
  wrongValue,
} from "../check.js";
import { eachRow, stridesUnder } from "./broadcast.js";
import { readParts } from "./tensorParts.js";
import { readView, spanOf, type View } from "./view.js";

/** A tensor as its caller gave it; only its sizes are checked. */
export interface GivenTensor extends View {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: unknown;
  readonly type: unknown;
  /** Whether it is { shape, dataSync }. */
  readonly isSync: boolean;
}

/**
 * Reads a tensor of any library. Each getter is read once.
 *
 * @param wanted  what it must be, in errors
 * @throws {TypeError} not a tensor, or one on a GPU @throws {Error} one that has been disposed of
 */
export function readGiven(operation: string, name: string, value: unknown, wanted = tensor): GivenTensor {
  const notOne = (): TypeError => {
    const advice = isObject(value) && kindOf(value) === "Promise" ? "; await it first" : "";
    return wrongKind(operation, `"${name}" must be ${wanted()}, got ${describe(value)}${advice}`);
  };
  if (!isObject(value)) throw notOne();
  const parts = readParts(operation, `"${name}"`, value);
  const { dims, data, isSync, type, location, isElsewhere } = parts;
  if (isElsewhere) {
    if (location === "none") throw wrongMoment(operation, `"${name}" has been disposed of`);
    throw wrongKind(operation, `"${name}" is on ${describe(location)}, expected "cpu"; await its getData() first`);
  }
  if (isAbsent(dims)) {
    if (isAbsent(data)) throw notOne();
    const advice = "shape" in value ? '; "shape" is read only beside dataSync()' : "";
    throw wrongKind(operation, `"${name}.dims" is missing, expected an array of sizes beside "data"${advice}`);
  }
  const sizes = readDims(operation, name, isSync ? "shape" : "dims", dims);
  const view = readView(operation, name, sizes, parts);
  return { name, dims: sizes, data, type, isSync, offset: view?.offset, strides: view?.strides };
}

const tensor = (): string => "a tensor { data, dims } or { shape, dataSync() }";

/** The name of a tensor's data in errors: `q.data`. */
const dataName = ({ name, isSync }: GivenTensor): string => `${name}.${isSync ? "dataSync()" : "data"}`;

/** Data that cannot hold the elements of this tensor. */
export function wrongData(operation: string, given: GivenTensor, expected: string): TypeError {
  const { data, type } = given;
  const typed = typeof type === "string" && typedArrayName(data) !== undefined ? ` of type ${describe(type)}` : "";
  const advice = isObject(data) && kindOf(data) === "ArrayBuffer" ? "; make an array on it, such as new Float32Array(buffer)" : "";
  return wrongKind(operation, `"${dataName(given)}" must be ${expected}, got ${describe(data)}${typed}${advice}`);
}

/** Returns the elements of these sizes, if the data have as many, or reach to the last one of a view. */
export function expectLength(
  operation: string,
  name: string,
  length: number,
  dims: readonly number[],
  { offset, strides }: View = {},
): number {
  const count = elementsOf(operation, name, dims);
  if (offset === undefined ? length === count : count === 0 || offset + spanOf(dims, strides, count) <= length) return count;
  const terms = (strides ?? stridesUnder(dims, dims.length)).map((stride, axis) => ` + ${dims[axis]! - 1} × ${stride}`);
  const expected = offset === undefined ? product(dims, count) : `more than ${offset}${terms.join("")}`;
  throw wrongValue(operation, `"${name}" holds ${counted(length, "element")}, expected ${expected}`);
}

/** The elements of the sizes, if an array or a typed array holds them. */
function countIn(operation: string, given: GivenTensor): number {
  const { name, data, dims } = given;
  const length = isArray(data) ? listLength(operation, dataName(given), data) : typedArrayLength(data as Float32Array);
  return expectLength(operation, name, length, dims, given);
}

type Copy = Float32Array | Uint32Array | Uint8Array;

/** Copies elements one by one, each read once: the list may be the caller's proxy. */
function copied<C extends Copy>(
  operation: string,
  given: GivenTensor,
  Kind: new (count: number) => C,
  read: (element: unknown, index: number) => number,
): C {
  const copy = new Kind(countIn(operation, given));
  const { dims, offset = 0, strides } = given;
  const data = given.data as ArrayLike<unknown>;
  eachRow(strides ? dims : [copy.length], strides ?? [1], (first, start, length, step) => {
    for (let j = 0, index = offset + start; j < length; j++, index += step) copy[first + j] = read(data[index], index);
  });
  return copy;
}

const NUMBERS =
  'a Float32Array, Float64Array, Float16Array or array of numbers, or a Uint16Array with type "float16" or "bfloat16"';

/**
 * Numbers as float32, copied from a Float64Array, bfloat16, an array or a view of float32.
 * @throws {TypeError} other data @throws {RangeError} data of another length than the sizes
 */
export function copyOfNumbers(operation: string, given: GivenTensor): Float32Array {
  const { data, type } = given;
  const array = typedArrayName(data);
  if (array === "Uint16Array" && type === "bfloat16") {
    // bfloat16 is the upper half of float32
    return new Float32Array(copied(operation, given, Uint32Array, (bits) => (bits as number) << 16).buffer);
  }
  if (array === "Float64Array" && given.offset === undefined) {
    countIn(operation, given);
    return new Float32Array(data as Float64Array);
  }
  if (array !== "Float64Array" && array !== "Float32Array" && !isArray(data)) throw wrongData(operation, given, NUMBERS);
  return copied(operation, given, Float32Array, (element, index) => {
    if (typeof element === "number") return element;
    const advice = isArray(element) ? "; flatten nested arrays with flat(Infinity)" : "";
    throw wrongKind(operation, `"${dataName(given)}[${index}]" must be a number, got ${describe(element)}${advice}`);
  });
}

/**
 * A mask as bytes: a Uint8Array itself, or a copy of a view, of integers of any type or of an array, 1 where they are not 0; `meaning`
 * says in errors what they mean. Numbers that are not integers are refused: they are a bias, whose 0 means the opposite.
 * @throws {TypeError} other data @throws {RangeError} data of another length than the sizes
 */
export function bytesOfMask(operation: string, given: GivenTensor, meaning: string): Uint8Array {
  const { data, type } = given;
  if (typedArrayName(data) === "Uint8Array" && given.offset === undefined) return data as Uint8Array;
  const isFloat = typeof type === "string" && type.includes("float"); // bits of float16
  if (isFloat || !(isArray(data) || /int/i.test(typedArrayName(data) ?? "")))
    throw wrongData(operation, given, `an array of integers or booleans, ${meaning}`);
  return copied(operation, given, Uint8Array, (element, index) => {
    if (typeof element === "boolean" || typeof element === "bigint" || Number.isInteger(element)) return Number(Boolean(element));
    const problem = `"${dataName(given)}[${index}]" must be an integer or a boolean, got ${describe(element)}`;
    throw typeof element === "number" ? wrongValue(operation, problem) : wrongKind(operation, problem);
  });
}
