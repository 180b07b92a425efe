import * as ort from "onnxruntime-web";
import { report } from "./common.mjs";
import { onnxruntime } from "./onnxruntime.mjs";

ort.env.wasm.numThreads = 1;
report(await onnxruntime(ort));
