/** A case: one use of the package on seeded inputs, whose results have the same bits on every host. */
import type { Engine } from "headwise";
import type { Inputs } from "./inputs.js";

/** The results of a case, by name. */
export type Outputs = Readonly<Record<string, Float32Array | Uint8Array>>;

export interface BitsCase {
  /** What it shows; no other case has the name. */
  readonly name: string;
  /** Public operations that it uses: functions of the package, `Class.method`, and `Class.method.property`. */
  readonly covers: readonly string[];
  readonly run: (engine: Engine, inputs: Inputs) => Outputs;
}

/** Makes cases of some operations; their names share a prefix. */
export const casesOf =
  (prefix: string, ...covers: readonly string[]) =>
  (name: string, run: BitsCase["run"], ...alsoCovers: readonly string[]): BitsCase => ({
    name: `${prefix}: ${name}`,
    covers: [...covers, ...alsoCovers],
    run,
  });
