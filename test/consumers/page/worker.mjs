/** A worker of the page's own that makes an engine. */
import { createEngine } from "headwise";
import * as reference from "headwise/reference";
import { check } from "./check.mjs";

addEventListener("message", async ({ data }) => postMessage(await check({ createEngine, reference }, data)));
