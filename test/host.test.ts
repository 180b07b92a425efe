/** Where the suite runs: its title says which host, which builds and on how many threads. */
import { expect, test } from "vitest";
import { BUILDS } from "../src/runtime/builds.js";
import { whyNoThreads } from "../src/runtime/features.js";
import { host } from "#host";
import { canRun } from "./support/builds.js";

const run = host.builds.filter(canRun);
const rest = BUILDS.filter((build) => !host.builds.includes(build));

test(`${host.name} › ${run.join(", ")} › on 1 and ${host.threads} threads${rest.length > 0 ? ` › ${rest.join(", ")} only in Node` : ""}`, () => {
  expect(run).not.toEqual([]);
  expect(whyNoThreads()).toBeUndefined();
});

test.runIf(typeof window === "object")("a page, isolated, whose host has relaxed SIMD and is not Node", () => {
  expect(run).toEqual(["simd", "relaxed"]);
  expect(globalThis.crossOriginIsolated).toBe(true);
  expect(typeof process === "object" && "getBuiltinModule" in process).toBe(false);
});
