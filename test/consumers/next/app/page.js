/** A server component that makes an engine, and a client component that makes another. */
import { createEngine } from "headwise";
import * as reference from "headwise/reference";
import { check } from "../check.mjs";
import { Client } from "./client.js";

export default async function Page() {
  return <Client onServer={await check({ createEngine, reference })} />;
}
