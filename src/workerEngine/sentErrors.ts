/** Errors that are sent from the worker keep their class, message and cause. */
import type { SentError } from "./messages.js";

export function toSent(error: unknown): SentError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), stack: undefined, cause: undefined };
  const { name, message, stack, cause } = error;
  return { name, message, stack, cause: cause === undefined ? undefined : toSent(cause) };
}

/** Error classes by name. */
const CLASSES: Readonly<Record<string, new (message: string, options?: ErrorOptions) => Error>> = { TypeError, RangeError };

export function fromSent({ name, message, stack, cause }: SentError): Error {
  const ErrorClass = Object.hasOwn(CLASSES, name) ? CLASSES[name]! : Error;
  const error = new ErrorClass(message, cause === undefined ? undefined : { cause: fromSent(cause) });
  if (error.name !== name) Object.defineProperty(error, "name", { value: name, configurable: true, writable: true });
  if (stack !== undefined) Object.defineProperty(error, "stack", { value: stack, configurable: true, writable: true });
  return error;
}
