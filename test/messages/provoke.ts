/** Calls that the library refuses, each with a label that says what is wrong with it. */
import { inspect } from "node:util";
import type { Engine } from "headwise";
import type { Runtime } from "../../src/runtime/runtime.js";

export type Provoke = () => unknown;
/** By label; a promise may be rejected instead. */
export type Cases = Readonly<Record<string, Provoke>>;
/** By operation. */
export type Groups = Readonly<Record<string, Cases>>;

/** A value as a label shows it: `{ causal: 1 }`, `Float32Array(4)`, `tensor [2, 3]`. */
function shown(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (isRevoked(value)) return "a revoked proxy";
  if (Array.isArray(value)) return value.length > 8 ? `an array of ${value.length}` : `[${value.map(shown).join(", ")}]`;
  if (typeof value !== "object" || value === null) return inspect(value);
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (ArrayBuffer.isView(value)) return `${kind}(${(value as Float32Array).length})`;
  if (kind !== "Object") return /^[AEIOU]/.test(kind) ? `an ${kind}` : `a ${kind}`;
  if (isTensor(value)) {
    const type = value.data instanceof Float32Array ? "tensor" : `tensor of ${shown(value.data)},`;
    return `${type} ${shown(value.dims)}`;
  }
  return Object.keys(value).length === 0 ? "{}" : `{ ${changes(value)} }`;
}

function isRevoked(value: unknown): boolean {
  try {
    Array.isArray(value);
    return false;
  } catch {
    return true;
  }
}

const isTensor = (value: object): value is { data: ArrayBufferView; dims: number[] } =>
  Object.keys(value).join() === "data,dims" &&
  "data" in value &&
  ArrayBuffer.isView(value.data) &&
  "dims" in value &&
  Array.isArray(value.dims);

const changes = (value: object): string =>
  Object.keys(value)
    .map((name) => `${name}: ${shown((value as Record<string, unknown>)[name])}`)
    .join(", ");

/** A call with one change at a time, labelled by it. */
export function each(call: (change: never) => unknown, list: readonly object[]): Cases {
  const cases = list.map((change): [string, Provoke] => [changes(change) || "nothing given", () => call(change as never)]);
  const twice = cases.find(([label], index) => cases.findIndex(([other]) => other === label) !== index);
  if (twice) throw new Error(`two cases are labelled ${twice[0]}`);
  return Object.fromEntries(cases);
}

/** A tensor of float32 zeros. */
export const zeros = (...dims: number[]): { data: Float32Array; dims: number[] } => ({ data: new Float32Array(count(dims)), dims });
/** A tensor of bytes, all 1. */
export const bytes = (...dims: number[]): { data: Uint8Array; dims: number[] } => ({
  data: new Uint8Array(count(dims)).fill(1),
  dims,
});
const count = (dims: readonly number[]): number => dims.reduce((product, size) => product * size, 1);

/** The basis of an engine. */
export const runtimeOf = (engine: Engine): Runtime => (engine as unknown as { readonly runtime: Runtime }).runtime;

export function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** An array whose memory has been moved elsewhere. */
export function detached(length: number): Float32Array {
  const array = new Float32Array(length);
  structuredClone(array, { transfer: [array.buffer] });
  return array;
}
