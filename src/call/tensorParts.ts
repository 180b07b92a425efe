/** The properties of a caller's tensor, read once: for engines, and on the way to an engine in a worker. */
import { isAbsent, wrongMoment } from "../check.js";

export interface TensorParts {
  /** Its sizes, unchecked. */
  readonly dims: unknown;
  /** Undefined if they are elsewhere: then even reading the property may throw. */
  readonly data: unknown;
  /** Whether it is { shape, dataSync }; then the properties below are not read. */
  readonly isSync: boolean;
  readonly type: unknown;
  readonly location: unknown;
  /** Where its elements lie in the data, unchecked. */
  readonly strides: unknown;
  readonly offset: unknown;
  /** Whether its data are out of reach, on a GPU or nowhere. */
  readonly isElsewhere: boolean;
}

/**
 * @param name  the name in errors
 * @throws {Error} one whose dataSync() throws
 */
export function readParts(operation: string, name: string, value: object): TensorParts {
  const { dims, shape, dataSync, type, location } = value as Readonly<Record<string, unknown>>;
  if (typeof dataSync === "function" && !isAbsent(shape)) {
    const data = fetchData(operation, name, () => (dataSync as () => unknown).call(value));
    const none = undefined;
    return { dims: shape, data, isSync: true, type: none, location: none, strides: none, offset: none, isElsewhere: false };
  }
  const { strides, offset } = value as Readonly<Record<string, unknown>>; // those of tfjs are of another kind
  const isElsewhere = !isAbsent(location) && location !== "cpu" && location !== "cpu-pinned";
  const data = isElsewhere ? undefined : (value as { readonly data?: unknown }).data;
  return { dims, data, isSync: false, type, location, strides, offset, isElsewhere };
}

/** The array from dataSync(). If it throws (a disposed tensor, an asynchronous backend), the error names the tensor. */
function fetchData(operation: string, name: string, dataSync: () => unknown): unknown {
  try {
    return dataSync();
  } catch (cause) {
    throw wrongMoment(operation, `${name} cannot be read (${String(cause)})`, cause);
  }
}
