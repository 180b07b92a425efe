/** The page's own worker, which creates an engine; import maps do not apply in workers. */
import { createEngine } from "./node_modules/headwise/dist/standalone.js";
import * as reference from "./node_modules/headwise/dist/reference/index.js";
import { check } from "./check.mjs";

addEventListener("message", async ({ data }) => postMessage(await check({ createEngine, reference }, data)));
