/** The objects in the worker that the calling thread knows, by number. */
import type { Engine } from "../engine/engine.js";
import { ENGINE } from "./messages.js";

export interface Known {
  /** Name of its class. */
  readonly type: string;
  readonly object: object;
}

export class Objects {
  readonly #known = new Map<number, Known>();
  readonly #ids = new Map<object, number>();
  readonly #kinds: readonly (readonly [type: string, prototype: object])[];
  #last = ENGINE;

  /** @param kinds  the classes whose objects stay, by name */
  constructor(engine: Engine, kinds: Readonly<Record<string, { readonly prototype: object }>>) {
    this.#kinds = Object.entries(kinds).map(([type, { prototype }]) => [type, prototype] as const);
    this.#known.set(ENGINE, { type: "Engine", object: engine });
  }

  at(id: number): Known {
    return this.#known.get(id)!;
  }

  /** The name of the class where objects of it stay in the worker. */
  typeOf(object: object): string | undefined {
    return this.#kinds.find(([, prototype]) => Object.prototype.isPrototypeOf.call(prototype, object))?.[0];
  }

  /** Gives an object a number. */
  add(type: string, object: object): number {
    this.#last++;
    this.#known.set(this.#last, { type, object });
    this.#ids.set(object, this.#last);
    return this.#last;
  }

  /** The number that an object has already. */
  idOf(object: object): number | undefined {
    return this.#ids.get(object);
  }

  /** Forgets an object, and frees its memory. */
  release(id: number): void {
    const { object } = this.at(id);
    this.#known.delete(id);
    this.#ids.delete(object);
    (object as { dispose(): void }).dispose();
  }
}
