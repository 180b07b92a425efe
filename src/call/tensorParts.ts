/** What a caller's tensor says of itself, read once: for engines, and on the way to one in a worker. */
import { wrongMoment } from "../check.js";

export interface TensorParts {
  /** Its sizes, whatever they are. */
  readonly dims: unknown;
  /** Undefined where they lie elsewhere: they may not even be looked at. */
  readonly data: unknown;
  /** Whether it is { shape, dataSync }; then `type` and `location` are not looked at. */
  readonly isSync: boolean;
  readonly type: unknown;
  readonly location: unknown;
  /** Whether its data are out of reach, on a GPU or nowhere. */
  readonly isElsewhere: boolean;
}

/**
 * @param name  as errors show it
 * @throws {Error} one whose dataSync() throws
 */
export function readParts(operation: string, name: string, value: object): TensorParts {
  const { dims, shape, dataSync, type, location } = value as Readonly<Record<string, unknown>>;
  if (typeof dataSync === "function" && shape !== undefined) {
    const data = fetchData(operation, name, () => (dataSync as () => unknown).call(value));
    return { dims: shape, data, isSync: true, type: undefined, location: undefined, isElsewhere: false };
  }
  const isElsewhere = location !== undefined && location !== "cpu" && location !== "cpu-pinned";
  const data = isElsewhere ? undefined : (value as { readonly data?: unknown }).data;
  return { dims, data, isSync: false, type, location, isElsewhere };
}

/** What dataSync() gives; what keeps it from giving anything names the tensor: one that was disposed of, or a backend that can't. */
function fetchData(operation: string, name: string, dataSync: () => unknown): unknown {
  try {
    return dataSync();
  } catch (cause) {
    throw wrongMoment(operation, `${name} can't be read (${String(cause)})`, cause);
  }
}
