/** Errors and texts of the sources that no message of `messages.txt` shows, by a part of their text, and why. */
export const UNREACHED: Readonly<Record<string, string>> = {
  "a steep softmax gave wrong numbers": "of the self-test, see engine.test.ts",
  "a lookup among ": "of the self-test, see engine.test.ts",
  " keys missed": "of the self-test, see engine.test.ts",
  'wrongMoment("createWorkerEngine", this.#end)': "a worker that ends between two steps of opening; the other place says the same",
  "throw signal.reason": "the caller's own reason",
  'wrongKind(operation, `"data" must be a ${expected}': "thrown in the worker: see the calls of write",
  'wrongValue(operation, `"data" holds ${counted(length': "thrown in the worker: see the calls of write",
};
