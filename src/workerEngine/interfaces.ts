/** What of the objects in a worker the calling thread may ask for: whatever is public. New operations come by themselves. */
import { describe, show, typedArrayName, wrongKind, wrongValue } from "../check.js";
import type { Engine, EngineInfo } from "../engine/engine.js";
import { KVCache } from "../cache/kvCache.js";
import type { EngineTensor } from "../call/tensor.js";
import type { Fact } from "./asynchronous.js";
import type { Interface } from "./messages.js";

const FACTS: readonly Fact[] = ["type", "dims", "depth", "columns", "config"];

/** What is not public. Of a tensor `data` is not to be had: it is read and written by copies. */
const INTERNAL: Readonly<Record<string, readonly string[]>> = {
  Engine: ["runtime"],
  EngineTensor: ["data", "assertUsable", "ptr"],
  KVCache: ["stage", "config", "keysWith", "changes"],
  PackedMatrix: ["ptrFor", "columnsAt"],
};

/** What objects have in a worker only. */
export const ADDITIONS = {
  Engine: {
    /** The last that the engine says of itself. */
    dispose(engine: Engine): EngineInfo {
      engine.dispose();
      return engine.info;
    },
    restoreKVCache: (engine: Engine, bytes: Uint8Array): KVCache => KVCache.restore(engine, bytes),
  },
  EngineTensor: {
    read(tensor: EngineTensor): Float32Array | Uint8Array {
      tensor.assertUsable("tensor.read");
      return tensor.data.slice();
    },
    write(tensor: EngineTensor, data: unknown): void {
      const operation = "tensor.write";
      tensor.assertUsable(operation);
      const { data: place, dims, type } = tensor;
      const expected = type === "float32" ? "Float32Array" : "Uint8Array";
      if (typedArrayName(data) !== expected) {
        throw wrongKind(operation, `"data" must be a ${expected}, got ${describe(data)}`);
      }
      const { length } = data as Float32Array | Uint8Array;
      if (length !== place.length) {
        throw wrongValue(operation, `"data" holds ${length} elements, expected ${place.length} (${show(dims)})`);
      }
      place.set(data as Float32Array | Uint8Array);
    },
  },
};

const additionsOf = (type: string): Readonly<Record<string, unknown>> =>
  (ADDITIONS as Readonly<Record<string, Readonly<Record<string, unknown>>>>)[type] ?? {};

/** What can be asked of a class, by a prototype or an object of it. */
export function interfaceOf(type: string, object: object): Interface {
  const left = new Set<string>([...(INTERNAL[type] ?? []), ...FACTS, "constructor"]);
  const methods = new Set(Object.keys(additionsOf(type)));
  const properties = new Set<string>();
  for (let level = object; level !== Object.prototype; level = Object.getPrototypeOf(level) as object) {
    for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
      if (left.has(name)) continue;
      const value: unknown = descriptor.value;
      if (typeof value === "function") {
        methods.add(name);
        for (const inner of Object.keys(value)) methods.add(`${name}.${inner}`);
      } else if ("get" in descriptor) properties.add(name);
    }
  }
  return { methods: [...methods], properties: [...properties] };
}

/** What never changes of an object. */
export const factsOf = (type: string, object: object): (readonly [name: Fact, value: unknown])[] =>
  FACTS.filter((name) => name in object && !INTERNAL[type]?.includes(name)).map(
    (name) => [name, (object as Record<Fact, unknown>)[name]] as const,
  );

/** Calls a method, or reads a property. */
export function ask(type: string, object: object, path: string, isRead: boolean, args: readonly unknown[]): unknown {
  const members = object as Readonly<Record<string, unknown>>;
  if (isRead) return members[path];
  const addition = additionsOf(type)[path];
  if (addition) return (addition as (...args: unknown[]) => unknown)(object, ...args);
  const [name, inner] = path.split(".") as [string, string?];
  const method = members[name] as (...args: unknown[]) => unknown;
  return inner === undefined
    ? method.apply(object, [...args])
    : (method as unknown as Record<string, (...args: unknown[]) => unknown>)[inner]!(...args);
}
