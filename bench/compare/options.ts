/** The options of the command line. */
import { parseArgs } from "node:util";
import type { PackagedBuild } from "headwise";
import { CALLS, type ComparedCall } from "./calls.js";

export const USAGE = `npm run bench:compare -- REF [options]

  REF            the commit to compare the working tree with, such as HEAD, main~3 or v0.1.0

  --only TEXT    calls whose shape contains the text, such as "1024", "causal" or "decode"
  --build NAME   simd or relaxed; default: what an engine chooses on this host
  --threads N    threads of each engine; default 1
  --rounds N     rounds in which both are timed; default 20
  --json         print one JSON document instead of a table
  --help         this text

The verdict is about one process. On calls of microseconds the same code differs by 1 % from one process to the next, and may be
called faster or slower than itself: run it more than once before you believe a difference of that size.`;

export interface Options {
  /** As it was given. */
  readonly ref: string;
  readonly calls: readonly ComparedCall[];
  readonly build: PackagedBuild | undefined;
  readonly threads: number | undefined;
  readonly rounds: number;
  readonly json: boolean;
}

const count = (name: string, text: string): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new TypeError(`--${name} ${text}: not a positive integer`);
};

/**
 * Undefined when help is requested.
 * @throws {TypeError} an argument is wrong
 */
export function readOptions(): Options | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: "string", default: "" },
      build: { type: "string" },
      threads: { type: "string" },
      rounds: { type: "string", default: "20" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const { only, build, threads, rounds, json } = values;
  if (values.help) return undefined;
  const [ref, ...others] = positionals;
  if (ref === undefined || others.length > 0) throw new TypeError(`one REF is needed, got ${positionals.join(" ") || "none"}`);
  if (build !== undefined && build !== "simd" && build !== "relaxed") throw new TypeError(`--build ${build}: not simd or relaxed`);
  const calls = CALLS.filter(({ shape }) => shape.includes(only));
  if (calls.length === 0)
    throw new TypeError(`--only ${only}: no shape has that in its name (${CALLS.map(({ shape }) => shape).join(", ")})`);
  return {
    ref,
    calls,
    build,
    json,
    threads: threads === undefined ? undefined : count("threads", threads),
    rounds: count("rounds", rounds),
  };
}
