/**
 * Every error that a caller may see is made here. A message names the operation and the argument, what was expected and why, and
 * what was found: `scaledDotProductAttention: "k" has headDim 32, expected 64 (q has dims [1, 128, 8, 64])`.
 */

/** The wrong kind of value. */
export const wrongKind = (operation: string, problem: string): TypeError => new TypeError(`${operation}: ${problem}`);

/** The right kind, but a value out of range. */
export const wrongValue = (operation: string, problem: string): RangeError => new RangeError(`${operation}: ${problem}`);

/** The wrong moment, or a host that lacks a feature. */
export const wrongMoment = (operation: string, problem: string, cause?: unknown): Error =>
  new Error(`${operation}: ${problem}`, cause === undefined ? undefined : { cause });

/** `[1, 128, 8, 64]` */
export const show = (dims: readonly number[]): string => `[${dims.join(", ")}]`;

/**
 * Whether a value is an array, of any realm; undefined for a revoked proxy, on which every operation throws an error of the host's.
 * The result is used, because some bundlers drop calls without one, even if they may throw.
 */
function tryIsArray(value: unknown): boolean | undefined {
  try {
    return Array.isArray(value);
  } catch {
    return undefined;
  }
}

const isRevoked = (value: unknown): boolean => tryIsArray(value) === undefined;

/** Whether a value is an object whose properties can be read. */
export const isObject = (value: unknown): value is object => typeof value === "object" && value !== null && !isRevoked(value);

/** Whether a value is an array, of any realm. */
export const isArray = (value: unknown): value is unknown[] => tryIsArray(value) === true;

/**
 * What an object calls itself, in any realm: "ArrayBuffer", "URL", "WebAssembly.Module". Test runners and frames mix the classes of
 * several realms, so `instanceof` does not tell.
 */
export const kindOf = (value: object): string => Object.prototype.toString.call(value).slice(8, -1);

/** Whether other threads can see a buffer. */
export const isShared = (buffer: ArrayBufferLike): boolean => kindOf(buffer) === "SharedArrayBuffer";

/** Under this symbol, which all copies of the package in a program share, our objects name the copy that made them. */
export const MAKER = Symbol.for("headwise");
/** This copy of the package: no other can use what it has made. */
export const thisCopy = {};

/** The copy of the package, this one or another, that made an object; undefined for all other objects. */
export const makerOf = (value: object): object | undefined => (value as { [MAKER]?: object })[MAKER];

/** A list of integers: an array or a typed array, of numbers or bigints. */
export type Integers = ArrayLike<number | bigint>;

type TypedArray = Float32Array | Float64Array | Uint16Array | Uint8Array;

/** The properties that all typed arrays inherit, read before any caller can change them. */
const inherited = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(Uint8Array.prototype) as TypedArray);
const brandOf = inherited[Symbol.toStringTag].get as (this: unknown) => string | undefined;
const lengthOf = inherited.length.get as (this: TypedArray) => number;
const bufferOf = inherited.buffer.get as (this: TypedArray) => ArrayBufferLike;
const offsetOf = inherited.byteOffset.get as (this: TypedArray) => number;
const setOf = inherited.set.value as (this: TypedArray, numbers: TypedArray) => void;

/** The class name of a typed array of any realm, even if its own properties differ; undefined for anything else, even a proxy. */
export const typedArrayName = (value: unknown): string | undefined => brandOf.call(value);

/** Length (0 once detached), buffer and offset of a typed array, even if its own properties say otherwise. */
export const typedArrayLength = (array: TypedArray): number => lengthOf.call(array);
export const typedArrayBuffer = (array: TypedArray): ArrayBufferLike => bufferOf.call(array);
export const typedArrayOffset = (array: TypedArray): number => offsetOf.call(array);

/** Copies numbers into one of the caller's arrays, whose own `set` may have been replaced. */
export const copyInto = (array: TypedArray, numbers: TypedArray): void => setOf.call(array, numbers);

/** A typed array on the same memory without the caller's own properties; an empty one if it has been detached. */
export const plainView = <A extends TypedArray>(
  array: A,
  Kind: new (buffer: ArrayBufferLike, offset: number, length: number) => A,
): A => {
  const length = lengthOf.call(array);
  return length === 0 ? new Kind(new ArrayBuffer(0), 0, 0) : new Kind(bufferOf.call(array), offsetOf.call(array), length);
};

/** A value as a message shows it: `"text"`, `-1.5`, `Float64Array(12)`, `an array of 3`, `null`. */
export function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value);
  if (isRevoked(value)) return "a revoked proxy";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const name = kindOf(value);
  if (ArrayBuffer.isView(value) && "length" in value) return `${name}(${String(value.length)})`;
  const maker = makerOf(value) ?? thisCopy;
  return `an object${name === "Object" ? "" : ` of kind ${name}`}${maker === thisCopy ? "" : ", made by another copy of headwise"}`;
}

/** `1 element`, `2 elements` */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** How many elements sizes make: `2 × 3 = 6`, or `6` for one size. */
export const product = (dims: readonly number[], count: number): string =>
  dims.length < 2 ? String(count) : `${dims.join(" × ")} = ${count}`;

/** Whether a value is one number, and not a list of them. */
export const isNumeric = (value: unknown): value is number | bigint => typeof value === "number" || typeof value === "bigint";

/**
 * Returns the value as a number if it is an integer from `least` to `most`, which are safe integers. A bigint beyond the safe
 * integers rounds to a number that is out of range, too.
 */
export function integer(operation: string, name: string, value: unknown, least: number, most: number): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (Number.isInteger(number) && (number as number) >= least && (number as number) <= most) return number as number;
  const range = `an integer from ${least} to ${most}`;
  if (isAbsent(value)) throw wrongKind(operation, `"${name}" is missing, expected ${range}`);
  const problem = `"${name}" must be ${range}, got ${describe(value)}`;
  throw isNumeric(value) ? wrongValue(operation, problem) : wrongKind(operation, problem);
}

/** Returns the value if it is a number from `least` to `most`. */
export function numberFrom(operation: string, name: string, value: unknown, least: number, most: number): number {
  if (typeof value === "number" && value >= least && value <= most) return value;
  const range = `a number from ${least} to ${most}`;
  if (isAbsent(value)) throw wrongKind(operation, `"${name}" is missing, expected ${range}`);
  const problem = `"${name}" must be ${range}, got ${describe(value)}`;
  throw typeof value === "number" ? wrongValue(operation, problem) : wrongKind(operation, problem);
}

/** Returns the value as float32 holds it, if it is finite there and at least `least`; a bound of 0 is not reached by rounding. */
export function float32(operation: string, name: string, value: unknown, least = -Infinity): number {
  const rounded = Math.fround(typeof value === "number" ? value : NaN);
  const isRoundedToBound = rounded === least && value !== least;
  if (Number.isFinite(rounded) && rounded >= least && !isRoundedToBound) return rounded;
  const range = least === -Infinity ? "" : ` ≥ ${least}`;
  const problem = `"${name}" must be a number${range} within the range of float32, got ${describe(value)}`;
  throw typeof value === "number" ? wrongValue(operation, problem) : wrongKind(operation, problem);
}

/** Returns the value if it is one of the allowed ones. */
export function oneOf<T extends string | boolean>(operation: string, name: string, value: unknown, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T;
  const names = allowed.map(describe);
  const choice = names.length > 2 ? `one of ${names.join(", ")}` : names.join(" or ");
  const problem = `"${name}" must be ${choice}, got ${describe(value)}`;
  throw typeof value === "string" ? wrongValue(operation, problem) : wrongKind(operation, problem);
}

/** Whether an option is absent: null counts as absent, as a missing tensor often is null. */
export const isAbsent = (value: unknown): value is null | undefined => value === undefined || value === null;

/** `read` applied to a value, or undefined if the value is absent. */
export const optional = <T, R>(value: T | undefined | null, read: (value: T) => R): R | undefined =>
  value === undefined || value === null ? undefined : read(value);

/** Positions, windows and sink tokens stay below this: sums of three of them fit in 32 bits. */
export const MAX_POSITION = 2 ** 29;

/** Reads an array of `count` integers, one for each of what `each` names; an undefined `count` allows any number. */
export function integersOf(
  operation: string,
  name: string,
  values: unknown,
  count: number | undefined,
  least: number,
  most: number,
  each = "sequence",
): number[] {
  const given = isObject(values) ? (values as { length?: unknown }).length : undefined;
  if (typeof given !== "number") {
    throw wrongKind(
      operation,
      `"${name}" must be an array of ${count === undefined ? "integers" : counted(count, "integer")}, got ${describe(values)}`,
    );
  }
  const length = listLength(operation, name, { length: given });
  if (count !== undefined && length !== count) {
    throw wrongValue(operation, `"${name}" holds ${counted(length, "element")}, expected ${count}, one for each ${each}`);
  }
  const found: number[] = [];
  for (let index = 0; index < length; index++) {
    found.push(integer(operation, `${name}[${index}]`, (values as ArrayLike<unknown>)[index], least, most));
  }
  return found;
}

/** Most axes of a tensor, and the largest size of one: 4 GiB of float32 have no longer axis. */
export const MAX_RANK = 64;
const MAX_SIZE = 2 ** 30;
/** Most elements of any other list. */
const MAX_LENGTH = 2 ** 24;

/** The length of one of the caller's lists; an endless one is refused before any of its elements is read. */
export function listLength(operation: string, name: string, { length }: { readonly length: unknown }, most = MAX_LENGTH): number {
  if (Number.isSafeInteger(length) && (length as number) >= 0 && (length as number) <= most) return length as number;
  throw wrongValue(operation, `"${name}" has length ${describe(length)}, expected an integer from 0 to ${most}`);
}

const isSize = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_SIZE;

/** A copy of the sizes of the tensor `owner`, checked: the product of any of them is a safe integer. */
export function readDims(operation: string, owner: string, name: string, dims: unknown): number[] {
  const fullName = owner ? `${owner}.${name}` : name; // `q.dims`
  if (!isArray(dims) && typedArrayName(dims) === undefined)
    throw wrongKind(operation, `"${fullName}" must be an array of sizes, got ${describe(dims)}`);
  const sizes: number[] = [];
  const rank = listLength(operation, fullName, dims as ArrayLike<unknown>, MAX_RANK);
  for (let axis = 0; axis < rank; axis++) {
    const size = (dims as ArrayLike<unknown>)[axis];
    sizes.push(isSize(size) ? size : integer(operation, `${fullName}[${axis}]`, size, 0, MAX_SIZE));
  }
  elementsOf(operation, fullName, sizes);
  return sizes;
}

/**
 * Elements of a tensor of these sizes.
 * @throws {RangeError} the product of the sizes other than 0 is not a safe integer; if it is, so is the product of any of them
 */
export function elementsOf(operation: string, name: string, dims: readonly number[]): number {
  let product = 1;
  let isEmpty = false;
  for (const size of dims) {
    if (size === 0) isEmpty = true;
    else product *= size;
  }
  if (product <= Number.MAX_SAFE_INTEGER) return isEmpty ? 0 : product;
  throw wrongValue(operation, `"${name}" ${show(dims)} is too large: the product of its sizes exceeds 2⁵³`);
}
