/** Encodes the result of a call for the calling thread: arrays are moved, objects that stay get a number. */
import { isShared, wrongMoment } from "../check.js";
import type { Encoded } from "./messages.js";
import { type ClassName, factsOf } from "./methods.js";
import type { Objects } from "./objects.js";

export class ResultEncoder {
  readonly #objects: Objects;
  readonly #given: ReadonlyMap<object, number>;
  readonly #makes: ClassName | undefined;
  /** The buffers of the arrays, to be moved. */
  readonly buffers: ArrayBuffer[] = [];
  /** Numbers of objects that are new. */
  readonly made: number[] = [];

  /**
   * @param given  the objects that represent the caller's places, and their numbers
   * @param makes  the class of the object that the method makes, if it stays
   */
  constructor(objects: Objects, given: ReadonlyMap<object, number>, makes: ClassName | undefined) {
    this.#objects = objects;
    this.#given = given;
    this.#makes = makes;
  }

  readonly encode = (value: unknown): Encoded => {
    if (typeof value !== "object" || value === null) return value as Encoded;
    const given = this.#given.get(value);
    if (given !== undefined) return { kind: "given", given };
    if (ArrayBuffer.isView(value)) return this.#array(value as Float32Array);
    if (Array.isArray(value)) return { kind: "list", items: value.map(this.encode) };
    const id = this.#objects.idOf(value);
    if (id !== undefined) return { kind: "remote", id };
    if (Object.getPrototypeOf(value) === Object.prototype) {
      return { kind: "object", tag: "Object", entries: this.#entries(Object.entries(value)) };
    }
    if (this.#makes !== undefined) return this.#made(this.#makes, value);
    throw wrongMoment("createWorkerEngine", "the class of a result cannot leave the worker");
  };

  #entries(entries: readonly (readonly [string, unknown])[]): (readonly [string, Encoded])[] {
    return entries.map(([name, value]) => [name, this.encode(value)] as const);
  }

  /** Moved if it spans its whole buffer, otherwise copied; never a view of the engine's memory. */
  #array(array: Float32Array | Uint8Array): Encoded {
    const type = array instanceof Float32Array ? "Float32Array" : "Uint8Array";
    const isAlone = !isShared(array.buffer) && array.byteLength === array.buffer.byteLength;
    const copied = (): Float32Array | Uint8Array =>
      array instanceof Float32Array ? new Float32Array(array) : new Uint8Array(array);
    const buffer = (isAlone ? array : copied()).buffer as ArrayBuffer;
    if (!this.buffers.includes(buffer)) this.buffers.push(buffer);
    return { kind: "array", type, buffer: this.buffers.indexOf(buffer), offset: 0, length: array.length };
  }

  #made(type: ClassName, object: object): Encoded {
    const id = this.#objects.add(type, object);
    this.made.push(id);
    const facts = factsOf(type).map((name) => [name, (object as Readonly<Record<string, unknown>>)[name]] as const);
    return { kind: "remote", id, facts: this.#entries(facts) };
  }
}
