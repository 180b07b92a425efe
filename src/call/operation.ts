/** The description of an operation, once: checks of options, the engine in a worker and the tests of the docs read it here. */
export interface Operation {
  /** The name in errors: `matmul`, `KVCache.attend`. */
  readonly name: string;
  /** Its options, in the order in which errors list them. */
  readonly options: readonly string[];
  /** The options that receive results. */
  readonly places: readonly string[];
  /** The option with which it reads its places before it writes them. */
  readonly reads?: "accumulate";
}
