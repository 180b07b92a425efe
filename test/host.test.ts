/** The title of this test names the host in which the suite runs, its builds and its number of threads. */
import { expect, test } from "vitest";
import { BUILDS } from "../src/runtime/abi.generated.js";
import { whyNoThreads } from "../src/runtime/features.js";
import { host } from "#host";
import { canRun } from "./support/builds.js";

const run = host.builds.filter(canRun);
const rest = BUILDS.filter((build) => !host.builds.includes(build));

const threads = host.threads > 1 ? `1 and ${host.threads} threads` : "1 thread";
const elsewhere = rest.length > 0 ? ` › ${rest.join(" and ")} only in Node` : "";

test(`${host.name} › builds ${run.join(", ")} › ${threads}${elsewhere}`, () => {
  expect(run).not.toEqual([]);
  expect(whyNoThreads()).toBeUndefined();
});

if (typeof window === "object") {
  const builds = host.name === "WebKitGTK" ? ["simd"] : ["simd", "relaxed"]; // it has no relaxed SIMD yet
  test(`an isolated page with ${builds.join(" and ")}, which is not Node`, () => {
    expect(run).toEqual(builds);
    expect(globalThis.crossOriginIsolated).toBe(true);
    expect(typeof process === "object" && "getBuiltinModule" in process).toBe(false);
  });
}
