/** The WebAssembly build; of those in the package, the plain one is what its entry for Node loads. */
import * as ort from "onnxruntime-web";
import { prepareSession } from "./onnxruntime.mjs";

export function prepare(task) {
  ort.env.wasm.numThreads = task.threads;
  return prepareSession(ort, { executionProviders: ["wasm"] }, task);
}
