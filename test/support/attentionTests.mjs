/** Where breaks of attention and of what surrounds an engine are noticed. */
// prettier-ignore
export const ATTENTION_TESTS = [
  "parity", "properties", "extremes", "invisible", "golden", "determinism", "sequences", "errors", "tensors", "engine", "work", "exp",
  "threads", "kvCache", "kvCacheOperations", "package",
];
