/** The worker of an engine for attention, see `worker.ts`. */
import { AttentionEngine } from "../engine/attentionEngine.js";
import { serveEngine } from "./serveEngine.js";

serveEngine(AttentionEngine);
