/**
 * Memory that objects own: given back when an owner is disposed of, or, as a backstop, when it was dropped without that and has been
 * collected.
 */
import type { Runtime } from "./runtime.js";

/** What an object holds as long as it lives. */
export interface Owned {
  release(): void;
}

const dropped = new FinalizationRegistry<Owned>((owned) => owned.release());

/** Releases `owned` once `owner` has been collected, unless it has let go of it before. */
export const own = (owner: object, owned: Owned): void => dropped.register(owner, owned, owner);

/** Ends what `own` began; the owner releases by itself. */
export const disown = (owner: object): void => {
  dropped.unregister(owner);
};

/** A span of the arena that several may use; it is freed with the last of them. */
export class Span implements Owned {
  readonly runtime: Runtime;
  readonly ptr: number;
  #users = 1;

  /** @throws {RangeError} not enough memory */
  constructor(runtime: Runtime, operation: string, bytes: number) {
    this.runtime = runtime;
    this.ptr = runtime.arena.allocate(operation, bytes);
  }

  get users(): number {
    return this.#users;
  }

  /** The same span, for one user more. */
  share(): this {
    this.#users++;
    return this;
  }

  /** One user less. */
  release(): void {
    this.#users--;
    if (this.#users === 0 && !this.runtime.isDisposed) this.runtime.arena.free(this.ptr);
  }
}
