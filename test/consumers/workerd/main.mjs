/** Two engines for the module, and one for each request, with options as JSON in its address. */
import { createEngine } from "headwise";
import { createEngine as createAttentionEngine } from "headwise/attention";
import { createEngineSync } from "headwise/sync";
import * as reference from "headwise/reference";
import { check } from "./check.mjs";

const early = await check({ createEngine, reference });
const earlySync = await check({ createEngine: createEngineSync, reference });

export default {
  async fetch(request) {
    const { pathname, search } = new URL(request.url);
    const options = JSON.parse(decodeURIComponent(search.slice(1)) || "{}");
    if (pathname === "/early") return Response.json(early);
    if (pathname === "/early-sync") return Response.json(earlySync);
    const maker = { "/sync": createEngineSync, "/attention": createAttentionEngine }[pathname] ?? createEngine;
    return Response.json(await check({ createEngine: maker, reference }, options));
  },
};
