/** The worker of an engine for attention: what its source text is made of, so that who needs no more does not download more. */
import { wrongMoment } from "../check.js";
import { serveEngine } from "./serveEngine.js";

serveEngine(() => Promise.reject(wrongMoment("createWorkerEngine", "this worker has only the operations of attention")));
