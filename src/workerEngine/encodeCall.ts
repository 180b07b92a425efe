/**
 * Encodes the arguments of a call for the worker: everything is read once, and arrays are copied or moved before the call returns
 * its promise.
 */
import { readParts } from "../call/tensorParts.js";
import {
  describe,
  isAbsent,
  isArray,
  isObject,
  isShared,
  listLength,
  makerOf,
  MAX_RANK,
  oneOf,
  typedArrayLength,
  typedArrayName,
  wrongKind,
  wrongValue,
} from "../check.js";
import type { CallMessage, Encoded } from "./messages.js";
import { type PlaceArray, PlaceList } from "./placeList.js";
import { identityOf } from "./identity.js";
import type { AbortSignalLike } from "./asynchronous.js";
import type { Member } from "./methods.js";

/** Options that every call takes in addition. */
const CALL_OPTIONS: readonly string[] = ["signal", "transfer"];

/** A call that is ready to be sent; nothing of the caller's is read again. */
export interface EncodedCall {
  readonly member: Member;
  readonly message: Omit<CallMessage, "kind" | "target" | "spans">;
  /** Buffers to move to the worker, in addition to the contents of places. */
  readonly transfer: readonly ArrayBuffer[];
  /** Arguments that are already in the worker, by number; the call keeps them alive. */
  readonly remotes: ReadonlyMap<number, object>;
  /** The caller's places. */
  readonly places: PlaceList;
  /** The objects that the caller gave as places, by number. */
  readonly given: readonly object[];
}

export interface CallOptionValues {
  readonly signal: AbortSignalLike | undefined;
  readonly transfer: boolean;
}

/** Reads `signal` and `transfer` from the options among the arguments. */
export function readCallOptions(operation: string, args: readonly unknown[]): CallOptionValues {
  const found: Record<string, unknown> = {};
  for (const options of args) {
    if (!isOptions(options)) continue;
    for (const name of CALL_OPTIONS) if (name in options) found[name] = options[name];
  }
  const { signal, transfer } = found as { signal?: Partial<AbortSignalLike> | null; transfer?: unknown };
  const isSignal = isObject(signal) && typeof signal.aborted === "boolean" && "addEventListener" in signal;
  if (!isAbsent(signal) && !isSignal) throw wrongKind(operation, `"signal" must be an AbortSignal, got ${describe(signal)}`);
  return {
    signal: isSignal ? (signal as AbortSignalLike) : undefined,
    transfer: oneOf(operation, "transfer", transfer ?? false, [true, false]),
  };
}

/**
 * @param connection  of the engine that is called
 * @param transfer    whether arrays are moved
 * @throws {TypeError} a value that cannot be sent to a worker
 * @throws {RangeError} arrays that cannot be moved, or an object of another engine
 */
export function encodeCall(
  connection: object,
  member: Member,
  name: string,
  args: readonly unknown[],
  transfer: boolean,
): EncodedCall {
  return new CallEncoder(connection, member, transfer).call(name, args);
}

class CallEncoder {
  readonly #connection: object;
  readonly #member: Member;
  readonly #operation: string;
  readonly #transfer: boolean;
  readonly #buffers: ArrayBufferLike[] = [];
  /** Arrays to move, and the index of each one's buffer. */
  readonly #moved: { readonly name: string; readonly array: ArrayBufferView; readonly index: number }[] = [];
  readonly #remotes = new Map<number, object>();
  readonly #given: object[] = [];
  readonly #places = new PlaceList();
  /** Arrays that have been encoded, so that each is copied or moved once. */
  readonly #seen = new Map<object, Encoded>();
  /** Objects that are being encoded, to find cycles. */
  readonly #around = new Set<object>();

  constructor(connection: object, member: Member, transfer: boolean) {
    this.#connection = connection;
    this.#member = member;
    this.#operation = member.name;
    this.#transfer = transfer;
  }

  call(name: string, args: readonly unknown[]): EncodedCall {
    const encoded: Encoded[] = [];
    for (const [index, value] of args.entries()) {
      if (isOptions(value)) {
        const names = namesOf(value);
        const engines = names.filter(({ name }) => !CALL_OPTIONS.includes(name));
        const isEmptied = engines.length === 0 && names.length > 0;
        if (isEmptied && index === args.length - 1) continue; // nothing for the engine
        encoded.push(this.#object("", value, engines, this.#member));
      } else encoded.push(this.#value(`argument ${index + 1}`, value, true));
    }
    const places = this.#places.layOut();
    const moved = this.#move();
    const copies = this.#buffers.filter((buffer): buffer is ArrayBuffer => !isShared(buffer));
    return {
      member: this.#member,
      message: { name, args: encoded, buffers: this.#buffers, places },
      transfer: [...new Set([...copies, ...moved])],
      remotes: this.#remotes,
      places: this.#places,
      given: this.#given,
    };
  }

  /** @param isMovable  whether "transfer" moves the value if it is an array */
  #value(name: string, value: unknown, isMovable = false): Encoded {
    if (typeof value === "function" || typeof value === "symbol") throw this.#refused(name, `is a ${typeof value}`);
    if (typeof value !== "object" || value === null) return value as Encoded;
    if (!isObject(value)) throw this.#refused(name, "is a revoked proxy");
    const remote = identityOf(value);
    if (remote?.connection === this.#connection) {
      this.#remotes.set(remote.id, value);
      return { kind: "remote", id: remote.id };
    }
    if (makerOf(value) && !isTensor(value)) throw wrongValue(this.#operation, `${quote(name)} belongs to another engine`);
    if (ArrayBuffer.isView(value)) return this.#array(name, value, isMovable);
    if (this.#around.has(value)) throw this.#refused(name, "contains itself");
    this.#around.add(value);
    try {
      if (Array.isArray(value)) {
        const length = listLength(this.#operation, name, value); // its own iterator may be endless
        return { kind: "list", items: Array.from({ length }, (_, index) => this.#item(name, index, (value as unknown[])[index])) };
      }
      return isTensor(value) ? this.#tensor(name, value) : this.#object(`${name}.`, value, namesOf(value));
    } finally {
      this.#around.delete(value);
    }
  }

  /** An item of a list, which may be long: a primitive needs no name. */
  #item(name: string, index: number, item: unknown): Encoded {
    return typeof item === "number" ? item : this.#value(`${name}[${index}]`, item);
  }

  #refused(name: string, what: string): TypeError {
    return wrongKind(this.#operation, `${quote(name)} ${what}, which cannot be sent to a worker`);
  }

  /** Properties in their order; `called` is the member whose options they are, if they are options. */
  #object(prefix: string, value: object, names: readonly PropertyName[], called?: Member): Encoded {
    const entries: [string, Encoded][] = [];
    const inherited: [string, Encoded][] = [];
    let readsPlaces = false;
    for (const { name, isListed } of names) {
      const property = (value as Readonly<Record<string, unknown>>)[name];
      if (prefix + name === called?.reads) readsPlaces = Boolean(property);
      (isListed ? entries : inherited).push([name, this.#property(prefix + name, property, called)]);
    }
    if (readsPlaces) this.#places.areRead = true;
    return { kind: "object", tag: Object.prototype.toString.call(value).slice(8, -1), entries, inherited };
  }

  /** A property, by its path: a place, an object that holds places, or any other value. */
  #property(path: string, property: unknown, called: Member | undefined): Encoded {
    const { places = [] } = called ?? {};
    if (!isObject(property)) return this.#value(path, property);
    if (places.includes(path) && isTensor(property)) return this.#tensor(path, property, path);
    const holdsPlaces = places.some((place) => place.startsWith(`${path}.`)) && isOptions(property);
    return holdsPlaces ? this.#object(`${path}.`, property, namesOf(property), called) : this.#value(path, property);
  }

  /** The parts of a tensor that the engine reads; `place` is the option in which it receives results. */
  #tensor(name: string, value: object, place?: string): Encoded {
    const parts = readParts(this.#operation, quote(name), value);
    const { dims, data, isSync, type, location, strides, offset, isElsewhere } = parts;
    const given = place === undefined ? undefined : this.#given.push(value) - 1;
    if (isSync) {
      return { kind: "sync", shape: this.#value(`${name}.shape`, dims), data: this.#value(`${name}.data`, data), given };
    }
    const known = Object.entries({ dims, type, location, strides, offset }).filter(([, each]) => each !== undefined);
    const entries = known.map(([key, each]): [string, Encoded] => [key, this.#value(`${name}.${key}`, listOf(each))]);
    if (isElsewhere) return { kind: "object", tag: "Object", entries, given };
    const array = typedArrayName(data);
    const isPlace = given !== undefined && (array === "Float32Array" || array === "Uint16Array" || array === "Float16Array");
    if (isPlace && !isShared((data as PlaceArray).buffer)) {
      const place = this.#places.add(name, data as PlaceArray, array === "Float32Array" ? Float32Array : Uint16Array, entries);
      return { kind: "place", type: array, entries, given, place };
    }
    return { kind: "object", tag: "Object", entries: [...entries, ["data", this.#value(name, data, place === undefined)]], given };
  }

  #array(name: string, array: ArrayBufferView, isMovable: boolean): Encoded {
    const seen = this.#seen.get(array);
    if (seen) return seen;
    const { buffer, byteOffset, byteLength } = array;
    const isKept = isShared(buffer) || (this.#transfer && isMovable);
    const index = isKept ? this.#indexOf(buffer) : this.#buffers.push(copyOf(array)) - 1;
    if (isKept && !isShared(buffer)) this.#moved.push({ name, array, index });
    const type = typedArrayName(array) ?? "DataView";
    const length = type === "DataView" ? byteLength : (array as Float32Array).length;
    const encoded: Encoded = { kind: "array", type, buffer: index, offset: isKept ? byteOffset : 0, length };
    this.#seen.set(array, encoded);
    return encoded;
  }

  #indexOf(buffer: ArrayBufferLike): number {
    const index = this.#buffers.indexOf(buffer);
    return index < 0 ? this.#buffers.push(buffer) - 1 : index;
  }

  /** Detaches the caller's buffers, all or none. */
  #move(): ArrayBuffer[] {
    const buffers = [...new Set(this.#moved.map(({ array }) => array.buffer as ArrayBuffer))];
    if (buffers.length === 0) return [];
    for (const { name, array } of this.#moved) {
      const { byteLength, buffer } = array;
      if (byteLength === buffer.byteLength) continue;
      const part = `is a view of ${byteLength} of its buffer's ${buffer.byteLength} bytes`;
      throw wrongValue(this.#operation, `${quote(name)} ${part}, and "transfer" would move all of them; copy it first`);
    }
    const place = this.#places.inOneOf(buffers);
    if (place !== undefined) {
      throw wrongValue(
        this.#operation,
        `"${place}" lies in a buffer that "transfer" moves, expected one that stays for the results`,
      );
    }
    let moved: ArrayBuffer[];
    try {
      moved = structuredClone(buffers, { transfer: buffers });
    } catch (cause) {
      throw wrongValue(this.#operation, `"transfer" cannot move these arrays (${(cause as Error).message})`);
    }
    for (const [at, buffer] of buffers.entries()) this.#buffers[this.#buffers.indexOf(buffer)] = moved[at]!;
    return moved;
  }
}

interface PropertyName {
  readonly name: string;
  /** Whether it is the object's own and enumerable: the engine refuses unknown options among these. */
  readonly isListed: boolean;
}

/** The properties of an object except methods, including those of its classes. */
function namesOf(value: object): PropertyName[] {
  const names = new Map(Object.keys(value).map((name) => [name, true]));
  for (let level = value; level !== Object.prototype; level = Object.getPrototypeOf(level) as object) {
    for (const [name, { value: held }] of Object.entries(Object.getOwnPropertyDescriptors(level)))
      if (!names.has(name) && typeof held !== "function") names.set(name, false);
    if (Object.getPrototypeOf(level) === null) break;
  }
  return Array.from(names, ([name, isListed]) => ({ name, isListed }));
}

/** Options, and not a tensor, an array or an object in the worker. */
const isOptions = (value: unknown): value is Readonly<Record<string, unknown>> =>
  isObject(value) && !Array.isArray(value) && !ArrayBuffer.isView(value) && makerOf(value) === undefined && !isTensor(value);

const isTensor = (value: object): boolean => ("dims" in value && "data" in value) || ("shape" in value && "dataSync" in value);

const quote = (name: string): string => (name.startsWith("argument ") ? name : `"${name}"`);

/** A typed array of integers as a list, which both threads have. */
function listOf(value: unknown): unknown {
  if (!isObject(value) || isArray(value)) return value;
  const list = value as ArrayLike<unknown>;
  const length = typedArrayName(list) === undefined ? list.length : typedArrayLength(list as Uint8Array);
  return length >= 0 && length <= MAX_RANK ? Array.from({ length }, (_, axis) => list[axis]) : value;
}

/** The part of the buffer that an array views; empty if the buffer has been detached. */
const copyOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): ArrayBuffer =>
  byteLength === 0 ? new ArrayBuffer(0) : new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength)).buffer;
