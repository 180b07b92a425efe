/** The worker of an engine with any operations. Its source text and the file for `createWorker` are built from this module. */
import { serveEngine } from "./serveEngine.js";

serveEngine(async () => (await import("../engine/fullEngine.js")).FullEngine);
