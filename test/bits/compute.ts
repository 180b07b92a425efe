/** Runs the cases on one engine: the results of each as hashes. */
import type { Engine } from "headwise";
import type { BitsCase } from "./case.js";
import { type Hashes, hashesOf } from "./hash.js";
import { Inputs } from "./inputs.js";

/** Hashes by case. */
export type Bits = Readonly<Record<string, Hashes>>;

/** The seed of a case, independent of the other cases (FNV-1a over the name). */
function seedOf(name: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

export const inputsOf = ({ name }: BitsCase, seed = 0): Inputs => new Inputs(seedOf(name, seed));

/** Lets the threads of an engine share every call, however small, unit by unit. */
export function shareEverything(engine: Engine): void {
  const { runtime } = engine as unknown as { runtime: { pool: { breakEven: number; gathers: boolean } } };
  Object.assign(runtime.pool, { breakEven: 0, gathers: true });
}

/** @param before  called before each case */
export async function computeBits(engine: Engine, cases: readonly BitsCase[], seed = 0, before?: () => void): Promise<Bits> {
  const bits: Record<string, Hashes> = {};
  for (const each of cases) {
    before?.();
    bits[each.name] = await hashesOf(each.run(engine, inputsOf(each, seed)));
  }
  return bits;
}

/** Names of outputs that are not as expected, by case; all of them for a case that one side lacks. */
export function differences(found: Bits, expected: Bits): Map<string, string[]> {
  const differing = new Map<string, string[]>();
  for (const name of new Set([...Object.keys(expected), ...Object.keys(found)])) {
    const [mine, theirs] = [found[name] ?? {}, expected[name] ?? {}];
    const outputs = [...new Set([...Object.keys(theirs), ...Object.keys(mine)])].filter(
      (output) => mine[output] !== theirs[output],
    );
    if (outputs.length > 0) differing.set(name, outputs);
  }
  return differing;
}
