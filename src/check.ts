/**
 * Every error that a caller may see is made here. A message names the operation and the argument, what was expected and why, and
 * what came: `scaledDotProductAttention: "k" has headDim 32, expected 64 (q has dims [1, 128, 8, 64])`.
 */

/** The wrong kind of value. */
export const wrongKind = (operation: string, problem: string): TypeError => new TypeError(`${operation}: ${problem}`);

/** The right kind, but a value that doesn't fit. */
export const wrongValue = (operation: string, problem: string): RangeError => new RangeError(`${operation}: ${problem}`);

/** The wrong moment, or a host that can't do it. */
export const wrongMoment = (operation: string, problem: string, cause?: unknown): Error =>
  new Error(`${operation}: ${problem}`, cause === undefined ? undefined : { cause });

/** `[1, 128, 8, 64]` */
export const show = (dims: readonly number[]): string => `[${dims.join(", ")}]`;

/** A value as a message shows it: `"text"`, `-1.5`, `Float64Array(12)`, `an array of 3`, `null`. */
export function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const name = Object.prototype.toString.call(value).slice(8, -1);
  if (ArrayBuffer.isView(value) && "length" in value) return `${name}(${String(value.length)})`;
  return name === "Object" ? "an object" : `an object of kind ${name}`;
}

/** Returns the value if it is an integer from `least` to `most`. */
export function integer(operation: string, name: string, value: unknown, least: number, most: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  const problem = `"${name}" must be an integer from ${least} to ${most}, got ${describe(value)}`;
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
  const problem = `"${name}" must be ${allowed.map(describe).join(" or ")}, got ${describe(value)}`;
  throw typeof value === "string" ? wrongValue(operation, problem) : wrongKind(operation, problem);
}

/** Refuses options that the operation doesn't have: a misspelt one would otherwise go unnoticed. */
export function knownOptions(operation: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw wrongKind(operation, `"options" must be an object, got ${describe(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw wrongKind(operation, `unknown option "${name}"; the options are ${known.join(", ")}`);
  }
}

/** Whether an option was not given: null is as good as nothing. */
export const isAbsent = (value: unknown): value is null | undefined => value === undefined || value === null;

/** `read` applied to what is there; null counts as absent, as a missing tensor often does. */
export const optional = <T, R>(value: T | undefined | null, read: (value: T) => R): R | undefined =>
  value === undefined || value === null ? undefined : read(value);

/** Positions, windows and sink tokens stay below this: sums of three of them fit in 32 bits. */
export const MAX_POSITION = 2 ** 29;

/** An array of integers, `count` of them, one for each sequence; undefined for any number. */
export function integersOf(
  operation: string,
  name: string,
  values: unknown,
  count: number | undefined,
  least: number,
  most: number,
): number[] {
  const length = typeof values === "object" ? (values as { length?: unknown } | null)?.length : undefined;
  if (typeof length !== "number") {
    throw wrongKind(
      operation,
      `"${name}" must be an array of ${count === undefined ? "" : `${count} `}integers, got ${describe(values)}`,
    );
  }
  if (count !== undefined && length !== count) {
    throw wrongValue(operation, `"${name}" holds ${length} elements, expected ${count}, one for each sequence`);
  }
  const found: number[] = [];
  for (let index = 0; index < length; index++) {
    found.push(integer(operation, `${name}[${index}]`, (values as ArrayLike<unknown>)[index], least, most));
  }
  return found;
}
