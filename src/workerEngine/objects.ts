/** The objects in the worker that the calling thread knows, by number. */
import type { AttentionEngine } from "../engine/attentionEngine.js";
import { ENGINE } from "./messages.js";
import type { ClassName } from "./methods.js";

export interface Known {
  readonly type: ClassName;
  readonly object: object;
}

export class Objects {
  readonly #known = new Map<number, Known>();
  readonly #ids = new Map<object, number>();
  #last = ENGINE;

  constructor(engine: AttentionEngine, type: "Engine" | "AttentionEngine") {
    this.#known.set(ENGINE, { type, object: engine });
  }

  at(id: number): Known {
    return this.#known.get(id)!;
  }

  /** Gives an object a number. */
  add(type: ClassName, object: object): number {
    this.#last++;
    this.#known.set(this.#last, { type, object });
    this.#ids.set(object, this.#last);
    return this.#last;
  }

  /** The number of an object that has one. */
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
