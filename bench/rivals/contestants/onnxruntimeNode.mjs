/** The native library, with instructions that WebAssembly does not have (AVX2, AVX-512). */
import ort from "onnxruntime-node";
import { prepareSession } from "./onnxruntime.mjs";

export const prepare = (task) =>
  prepareSession(ort, { executionProviders: ["cpu"], intraOpNumThreads: task.threads, interOpNumThreads: 1 }, task);
