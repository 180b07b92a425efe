/** Node, Deno and Bun: takes options as JSON, prints the result as JSON. */
import { createEngine } from "headwise";
import * as reference from "headwise/reference";
import { check } from "./check.mjs";

const options = JSON.parse(process.argv[2] ?? "{}");
console.log(JSON.stringify(await check({ createEngine, reference }, options)));
