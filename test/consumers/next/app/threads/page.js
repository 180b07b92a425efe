/** A server component that makes an engine with two threads. */
import { Suspense } from "react";
import { createEngine } from "headwise";
import * as reference from "headwise/reference";
import { check } from "../../check.mjs";
import { Client } from "../client.js";

async function Threads() {
  return <Client onServer={await check({ createEngine, reference }, { threads: 2 })} />;
}

export default function Page() {
  return (
    <Suspense fallback={<p>…</p>}>
      <Threads />
    </Suspense>
  );
}
