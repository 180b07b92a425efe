/** The tests that notice breaks of attention and of the engine around it. */
// prettier-ignore
export const ATTENTION_TESTS = [
  "parity", "properties", "extremes", "invisible", "golden", "determinism", "sequences", "errors", "tensors", "engine", "work", "exp",
  "threads", "kvCache", "kvCacheOperations", "package",
];
