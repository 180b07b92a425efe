/** The tensors of one layer as a checkpoint holds them: by the names of another library, of any kind of tensor. */
import {
  describe,
  elementsOf,
  isAbsent,
  isArray,
  isObject,
  listLength,
  readDims,
  show,
  wrongKind,
  wrongValue,
} from "../../check.js";
import type { TensorLike } from "../../call/tensor.js";
import type { MultiHeadAttentionConfig } from "../config.js";
import type { MultiHeadAttentionParameters, ParameterName } from "../parameters.js";

/** Nested arrays of numbers, outermost axis first, as `tolist()` and JSON give them. */
export type NestedNumbers = readonly (number | NestedNumbers)[];

/** A tensor of a checkpoint. */
export type StoredTensor = TensorLike | NestedNumbers;

/** The tensors of a checkpoint by name; those that are null count as absent. */
export type StateDict = Readonly<Record<string, StoredTensor | null | undefined>>;

/** What `engine.createMultiHeadAttention` takes. */
export interface MultiHeadDefinition {
  config: MultiHeadAttentionConfig;
  parameters: MultiHeadAttentionParameters;
}

/** A tensor, and the name that it has in its checkpoint. */
export interface Stored {
  readonly name: string;
  readonly tensor: TensorLike;
  readonly dims: readonly number[];
}

/** Tensors by the parameters that they are. */
export type StoredParameters = Map<ParameterName, Stored>;

/** The deepest nesting: more arrays in one another are an array that holds itself. */
const MAX_DEPTH = 8;

/** Reads a tensor's sizes; copies nested arrays. */
export function readStored(operation: string, name: string, value: unknown): Stored {
  if (isArray(value)) return { name, ...flatten(operation, name, value) };
  if (!isObject(value)) {
    throw wrongKind(operation, `"${name}" must be a tensor { data, dims } or nested arrays of numbers, got ${describe(value)}`);
  }
  const { dims, shape } = value as { dims?: unknown; shape?: unknown };
  const axis = isAbsent(dims) && !isAbsent(shape) ? "shape" : "dims";
  return { name, tensor: value as TensorLike, dims: readDims(operation, name, axis, dims ?? shape) };
}

function flatten(operation: string, name: string, nested: readonly unknown[]): Omit<Stored, "name"> {
  const dims: number[] = [];
  for (let level: unknown = nested; isArray(level); level = level[0]) {
    dims.push(listLength(operation, name, level));
    if (dims.length > MAX_DEPTH) throw wrongValue(operation, `"${name}" is nested more than ${MAX_DEPTH} deep`);
  }
  const visit = (level: unknown, axis: number, path: string, each: (element: number) => void): void => {
    if (axis === dims.length) {
      if (typeof level !== "number") throw wrongKind(operation, `"${path}" must be a number, got ${describe(level)}`);
      each(level);
      return;
    }
    const length = dims[axis]!;
    if (!isArray(level) || level.length !== length)
      throw wrongValue(operation, `"${path}" must be an array of ${length} (as the first one), got ${describe(level)}`);
    for (let index = 0; index < length; index++) visit(level[index], axis + 1, `${path}[${index}]`, each);
  };
  visit(nested, 0, name, () => {}); // before memory is asked for: arrays may name more elements than they hold
  const data = new Float32Array(elementsOf(operation, name, dims));
  let filled = 0;
  visit(nested, 0, name, (element) => (data[filled++] = element));
  return { tensor: { data, dims }, dims };
}

/**
 * Reads the tensors whose names begin with `prefix`.
 *
 * @param argument     the name of `stateDict` in errors
 * @param parameterOf  the parameter that a name, without the prefix, stands for; "" for a tensor that is no part of attention
 * @param known        names, for errors
 */
export function readStateDict(
  operation: string,
  argument: string,
  stateDict: unknown,
  prefix: unknown,
  parameterOf: (name: string) => ParameterName | "" | undefined,
  known: readonly string[],
): StoredParameters {
  if (!isObject(stateDict)) {
    throw wrongKind(operation, `"${argument}" must be an object of tensors by name, got ${describe(stateDict)}`);
  }
  const start = prefix ?? "";
  if (typeof start !== "string") throw wrongKind(operation, `"prefix" must be a string, got ${describe(prefix)}`);
  const found: StoredParameters = new Map();
  const advice = `if it holds other layers too, give the "prefix" of this one`;
  for (const name of Object.keys(stateDict)) {
    if (!name.startsWith(start)) continue;
    const parameter = parameterOf(name.slice(start.length));
    if (parameter === undefined)
      throw wrongKind(operation, `"${argument}" holds "${name}", expected ${known.join(", ")}; ${advice}`);
    const value = (stateDict as StateDict)[name];
    if (parameter === "" || isAbsent(value)) continue;
    const other = found.get(parameter);
    if (other) throw wrongValue(operation, `"${other.name}" and "${name}" are the same parameter, "${parameter}"; ${advice}`);
    found.set(parameter, readStored(operation, name, value));
  }
  return found;
}

/** A matrix that a layer must have. */
export function requiredMatrix(
  operation: string,
  found: StoredParameters,
  parameter: ParameterName,
  name: string,
  rank = 2,
): readonly number[] {
  const stored = found.get(parameter);
  if (!stored) throw wrongKind(operation, `"${name}" is missing`);
  return expectRank(operation, stored, rank);
}

/** The sizes of a matrix. */
export function expectRank(operation: string, { name, dims }: Stored, rank = 2): readonly number[] {
  if (dims.length === rank) return dims;
  const axes = rank === 2 ? "a matrix" : "[in, heads, channels]";
  throw wrongValue(operation, `"${name}" has dims ${show(dims)}, expected ${rank} of them (${axes})`);
}

/** The tensors as parameters of a layer. */
export const parametersOf = (found: StoredParameters): MultiHeadAttentionParameters =>
  Object.fromEntries([...found].map(([parameter, { tensor }]) => [parameter, tensor])) as unknown as MultiHeadAttentionParameters;
