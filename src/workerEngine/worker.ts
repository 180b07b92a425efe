/** The worker of an engine with any operations: what its source text is made of, and its file for `createWorker`. */
import { serveEngine } from "./serveEngine.js";

serveEngine(async () => (await import("../engine/fullEngine.js")).FullEngine);
