import type { KnownOptions } from "./readOptions.js";

/** The description of an operation, once: checks of options, the engine in a worker and the tests of the docs read it here. */
export interface Operation extends KnownOptions {
  /** Its parameters, where these are an argument of their own. */
  readonly parameters?: readonly string[];
  /** The options and parameters that receive results. */
  readonly places: readonly string[];
  /** The option with which it reads its places before it writes them. */
  readonly reads?: "accumulate";
}
