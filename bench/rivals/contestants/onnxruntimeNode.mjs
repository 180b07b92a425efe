/** The native library, with instructions that WebAssembly does not have (AVX2, AVX-512). */
import ort from "onnxruntime-node";
import { prepareSession } from "./onnxruntime.mjs";

export const prepare = (call) =>
  prepareSession(ort, { executionProviders: ["cpu"], intraOpNumThreads: call.threads, interOpNumThreads: 1 }, call);
