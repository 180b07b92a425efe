/** The WebAssembly build. The package has several; its entry for Node loads the plain one. */
import * as ort from "onnxruntime-web";
import { prepareSession } from "./onnxruntime.mjs";

export function prepare(task) {
  ort.env.wasm.numThreads = task.threads;
  return prepareSession(ort, { executionProviders: ["wasm"] }, task);
}
