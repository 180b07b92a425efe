/** The page's own worker, which creates an engine. */
import { createEngine } from "headwise";
import * as reference from "headwise/reference";
import { check } from "./check.mjs";

addEventListener("message", async ({ data }) => postMessage(await check({ createEngine, reference }, data)));
