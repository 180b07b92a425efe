import { MAKER, thisCopy } from "../check.js";

/**
 * Marks a class whose instances have private members, which neither a proxy nor another copy of the package can reach.
 *
 * Frameworks wrap the objects of their state in proxies. They leave ours alone: Vue wraps only what calls itself an Object, Array,
 * Map or Set, and Valtio only what has no iterator; MobX and Svelte only plain objects.
 *
 * @param name  what instances call themselves, also in errors
 */
export function markClass(prototype: object, name: string): void {
  Object.defineProperties(prototype, {
    [Symbol.toStringTag]: { value: name, configurable: true },
    [Symbol.iterator]: { value: undefined, configurable: true }, // there is none, but it is a property
    [MAKER]: { value: thisCopy },
  });
}
