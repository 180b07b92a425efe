import { createEngine } from "headwise";
import * as reference from "headwise/reference";
import { check } from "../../check.mjs";

const ISOLATION = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

/** What the server computes for each request, on two threads. */
export async function load({ setHeaders }) {
  setHeaders(ISOLATION);
  return { onServer: await check({ createEngine, reference }, { threads: 2 }) };
}
