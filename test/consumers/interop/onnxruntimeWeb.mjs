import * as ort from "onnxruntime-web";
import { report } from "./common.mjs";
import { onnxruntime } from "./onnxruntime.mjs";

ort.env.wasm.numThreads = 1;
if (typeof document === "object") ort.env.wasm.wasmPaths = new URL("./node_modules/onnxruntime-web/dist/", document.baseURI).href;
report(await onnxruntime(ort));
