/** Decodes a call in the worker to the arguments that the engine takes. */
import type { CallMessage, Encoded, Entries } from "./messages.js";
import type { Objects } from "./objects.js";

export interface DecodedCall {
  readonly args: readonly unknown[];
  /** The objects that represent the caller's places, and their numbers. */
  readonly given: ReadonlyMap<object, number>;
  readonly spans: readonly ArrayBuffer[];
}

type ArrayClass = new (buffer: ArrayBufferLike, offset: number, length: number) => unknown;

const classOf = (name: string): ArrayClass => (globalThis as unknown as Record<string, ArrayClass>)[name]!;

export function decodeCall({ args, buffers, places, spans: wanted }: CallMessage, objects: Objects): DecodedCall {
  const given = new Map<object, number>();
  const spans = wanted.map(({ bytes, contents }) => contents ?? new ArrayBuffer(bytes));

  const plain = (entries: Entries): object => Object.fromEntries(entries.map(([name, value]) => [name, decode(value)]));
  const objectOf = (tag: string, entries: Entries, inherited: Entries = []): object => {
    const object = plain(entries);
    if (inherited.length > 0) Object.setPrototypeOf(object, plain(inherited));
    if (tag !== "Object") Object.defineProperty(object, Symbol.toStringTag, { value: tag });
    return object;
  };
  const note = <T extends object>(object: T, place: number | undefined): T => {
    if (place !== undefined) given.set(object, place);
    return object;
  };

  function decode(value: Encoded): unknown {
    if (typeof value !== "object" || value === null) return value;
    switch (value.kind) {
      case "array": {
        return new (classOf(value.type))(buffers[value.buffer]!, value.offset, value.length);
      }
      case "list":
        return value.items.map(decode);
      case "object":
        return note(objectOf(value.tag, value.entries, value.inherited), value.given);
      case "sync": {
        const data = decode(value.data);
        return note({ shape: decode(value.shape), dataSync: () => data }, value.given);
      }
      case "place": {
        const { span, offset, length } = places[value.place]!;
        const data = new (classOf(value.type))(spans[span]!, offset, length);
        return note({ ...objectOf("Object", value.entries), data }, value.given);
      }
      case "remote":
        return objects.at(value.id).object;
      case "given":
        return undefined; // only in results
    }
  }
  return { args: args.map(decode), given, spans };
}
