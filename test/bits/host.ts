/**
 * The program that a host runs: every case on the simd build, on one thread and on two. Bundled into one file with the package, it
 * leaves its answer at `globalThis.result`, and prints it where there is no page.
 */
import { createEngine } from "headwise";
import { CASES } from "#cases"; // found by `bundle`
import { type Bits, computeBits, shareEverything } from "./compute.js";

/** A host's answer, as JSON. */
export interface Answer {
  /** Its JavaScript engine, as it identifies itself. */
  readonly engine: string;
  readonly bits?: Bits;
  /** On two threads. */
  readonly shared?: Bits;
  /** Why two threads are missing. */
  readonly sharedReason?: string | undefined;
  /** What went wrong. */
  readonly problem?: string;
}

interface Host {
  result?: Answer;
  Deno?: { version: { v8: string } };
  navigator?: { userAgent: string };
}
const host = globalThis as Host;

function engineOfHost(): string {
  if (host.Deno) return `V8 ${host.Deno.version.v8}`;
  if (typeof process === "object") {
    const { v8, webkit } = process.versions as Record<string, string | undefined>;
    return webkit === undefined ? `V8 ${v8}` : `JavaScriptCore ${webkit.slice(0, 8)}`;
  }
  const agent = host.navigator?.userAgent ?? "";
  const [, chrome] = /Chrome\/(\d+)/.exec(agent) ?? [];
  if (chrome !== undefined) return `V8 of Chrome ${chrome}`;
  const [, firefox] = /Firefox\/(\d+)/.exec(agent) ?? [];
  if (firefox !== undefined) return `SpiderMonkey of Firefox ${firefox}`;
  return agent.includes("AppleWebKit") ? "JavaScriptCore" : "unknown";
}

async function answer(): Promise<Answer> {
  const engine = engineOfHost();
  try {
    const alone = await createEngine({ build: "simd" });
    const bits = await computeBits(alone, CASES);
    alone.dispose();
    const together = await createEngine({ build: "simd", threads: 2 });
    const { threads, threadsReason } = together.info;
    if (threads < 2) return { engine, bits, sharedReason: threadsReason };
    shareEverything(together);
    const shared = await computeBits(together, CASES);
    together.dispose();
    return { engine, bits, shared };
  } catch (error) {
    return { engine, problem: String((error as Error).stack ?? error) };
  }
}

host.result = await answer();
if (typeof document !== "object") console.log(JSON.stringify(host.result));
