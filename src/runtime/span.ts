/**
 * Memory that objects own: freed when its owner is disposed of, or, as a backstop, when the owner was dropped without that and
 * has been collected.
 */
import type { Runtime } from "./runtime.js";

/** A resource that an object holds as long as it lives. */
export interface Owned {
  release(): void;
}

const dropped = new FinalizationRegistry<Owned>((owned) => owned.release());

/** Releases `owned` once `owner` has been collected, unless `disown` was called before. */
export const own = (owner: object, owned: Owned): void => dropped.register(owner, owned, owner);

/** Undoes `own`; the owner releases its resources itself. */
export const disown = (owner: object): void => {
  dropped.unregister(owner);
};

/** A span of the arena that may have several users; it is freed with the last of them. */
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

  /** The same span, with one more user. */
  share(): this {
    this.#users++;
    return this;
  }

  /** Removes one user. */
  release(): void {
    this.#users--;
    if (this.#users === 0 && !this.runtime.isDisposed) this.runtime.arena.free(this.ptr);
  }
}
