/**
 * Frameworks wrap the objects of their state in proxies, on which private members cannot be reached. They leave ours alone: Vue
 * wraps only what calls itself an Object, Array, Map or Set, and Valtio only what has no iterator; MobX and Svelte only plain
 * objects.
 */
export function leaveUnproxied(prototype: object, name: string): void {
  Object.defineProperties(prototype, {
    [Symbol.toStringTag]: { value: name, configurable: true },
    [Symbol.iterator]: { value: undefined, configurable: true }, // there is none, but it is a property
  });
}
