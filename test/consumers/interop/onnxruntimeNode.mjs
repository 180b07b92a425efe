import ort from "onnxruntime-node";
import { report } from "./common.mjs";
import { onnxruntime } from "./onnxruntime.mjs";

report(await onnxruntime(ort));
