/**
 * The worker of an engine for attention. Its source text is built from this module, so that callers who only need attention
 * download no more.
 */
import { wrongMoment } from "../check.js";
import { serveEngine } from "./serveEngine.js";

serveEngine(() => Promise.reject(wrongMoment("createWorkerEngine", "this worker has only the operations of attention")));
