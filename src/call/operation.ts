/** What is said once of an operation: checks of options, the engine in a worker and the tests of the docs read it here. */
export interface Operation {
  /** As errors give it: `matmul`, `KVCache.attend`. */
  readonly name: string;
  /** Its options, in the order in which errors list them. */
  readonly options: readonly string[];
  /** The options that receive results. */
  readonly places: readonly string[];
  /** The option with which it reads first what its places hold. */
  readonly reads?: "accumulate";
}
