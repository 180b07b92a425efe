/** Node, Deno and Bun: takes options as JSON, prints the result as JSON. */
import { createEngine } from "headwise";
import { createEngine as createAttentionEngine } from "headwise/attention";
import * as reference from "headwise/reference";
import { check } from "./check.mjs";

const { entry, ...options } = JSON.parse(process.argv[2] ?? "{}");
const create = entry === "attention" ? createAttentionEngine : createEngine;
console.log(JSON.stringify(await check({ createEngine: create, reference }, options)));
