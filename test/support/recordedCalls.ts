/** The calls that the bits cases make of an engine's operations, to be made again on another engine. */
import type { Engine } from "headwise";
import type { BitsCase } from "../bits/case.js";
import { inputsOf } from "../bits/compute.js";
import { CLASSES } from "../../src/workerEngine/methods.js";

/** Operations that hand back results only: their calls need no object of the engine but those in their arguments. */
const METHODS = Object.entries(CLASSES.Engine.methods)
  .filter(([, { places, isPlan }]) => places !== undefined && !isPlan)
  .map(([name]) => name);

/** Whether any engine can take it: numbers, words, arrays and tensors of the caller's. */
function isPlain(value: unknown): boolean {
  if (typeof value === "function") return false;
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return true;
  if (Array.isArray(value)) return value.every(isPlain);
  return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isPlain);
}

/** The arguments of each call that any engine can make, by operation. */
export function recordedCalls(engine: Engine, cases: readonly BitsCase[]): Map<string, unknown[][]> {
  const calls = new Map<string, unknown[][]>(METHODS.map((method) => [method, []]));
  const recorder = new Proxy(engine, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      const record = (...args: unknown[]): unknown => {
        if (args.every(isPlain)) calls.get(String(name))?.push(structuredClone(args));
        return Reflect.apply(member, target, args);
      };
      return Object.assign(record, member); // with the functions attached to it
    },
  });
  for (const each of cases) each.run(recorder, inputsOf(each));
  return calls;
}
