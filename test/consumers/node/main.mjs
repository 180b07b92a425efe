/** Node, Deno and Bun: the options come as JSON, the result goes out as JSON. */
import { createEngine } from "headwise";
import * as reference from "headwise/reference";
import { check } from "./check.mjs";

const options = JSON.parse(process.argv[2] ?? "{}");
console.log(JSON.stringify(await check({ createEngine, reference }, options)));
