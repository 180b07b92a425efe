/** The builds that this host can run, each with an engine; and by name those that it can't. */
import { readFileSync } from "node:fs";
import { describe, test } from "vitest";
import { openEngine, readOptions } from "../../src/openEngine.js";
import type { Engine } from "../../src/engine.js";
import { hasRelaxedSimd } from "../../src/runtime/features.js";
import { type Build, BUILDS } from "../../src/runtime/builds.js";

export const canRun = (build: Build): boolean => build !== "relaxed" || hasRelaxedSimd();

/** The binary of a build as the compiler wrote it. */
export const binaryOf = (build: Build): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(new URL(`../../build/${build}.wasm`, import.meta.url)));

export const openBuild = (build: Build): Engine => openEngine("createEngine", readOptions("createEngine", {}), binaryOf(build));

/** The same suite on every build. */
export function onEveryBuild(suite: (build: Build, engine: Engine) => void): void {
  for (const build of BUILDS) {
    if (canRun(build)) describe(build, () => suite(build, openBuild(build)));
    else describe(build, () => test.skip("not run: this host does not validate relaxed SIMD", () => undefined));
  }
}
