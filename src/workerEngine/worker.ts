/** The worker of an engine with every operation. Its source text and the file for `createWorker` are built from this module. */
import { Engine } from "../engine/engine.js";
import { serveEngine } from "./serveEngine.js";

serveEngine(Engine);
