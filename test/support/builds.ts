/** The builds that this host can run, each with an engine on one thread; and by name those that it can't. */
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { beforeEach, describe, test } from "vitest";
import { FullEngine } from "../../src/fullEngine.js";
import { openRuntime, readOptions } from "../../src/openEngine.js";
import { type Build, BUILDS } from "../../src/runtime/builds.js";
import { hasRelaxedSimd } from "../../src/runtime/features.js";
import { enableWide, whyNotWide } from "../../src/runtime/wide.js";
import { poison } from "./attention.js";

/** Builds that alone are wanted, all if none is named. */
const wanted = (process.env["HEADWISE_TEST_BUILDS"] ?? "").split(",").filter((name) => name !== "");

/** Why a build is not run, or undefined. Build "wide" runs wherever "relaxed" does, if not as fast. */
function whyNot(build: Build): string | undefined {
  if (wanted.length > 0 && !wanted.includes(build)) return `only ${wanted.join(" and ")} wanted`;
  return (build === "relaxed" || build === "wide") && !hasRelaxedSimd() ? "this host does not validate relaxed SIMD" : undefined;
}

export const canRun = (build: Build): boolean => whyNot(build) === undefined;

// Optimized at once, so that what runs is what the revectorizer made of it; it says nothing where it can't.
if (whyNotWide() === undefined) {
  enableWide("test");
  setFlagsFromString("--no-liftoff");
}

const read = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(new URL(`../../build/${name}.wasm`, import.meta.url)));

/** The binary of a build as the compiler wrote it, with all operations. */
export const binaryOf = (build: Build): Uint8Array<ArrayBuffer> => read(build);
/** The same for attention alone. */
export const attentionBinaryOf = (build: Build): Uint8Array<ArrayBuffer> => read(`attention-${build}`);

export const openBuild = (build: Build): FullEngine =>
  new FullEngine(openRuntime("createEngine", readOptions("createEngine", {}), binaryOf(build)).runtime);

/** The same suite on every build; before each test the engine's free memory is NaN. */
export function onEveryBuild(suite: (build: Build, engine: FullEngine) => void): void {
  for (const build of BUILDS) {
    describe(build, () => {
      if (!canRun(build)) {
        test.skip(`not run: ${whyNot(build)}`, () => undefined);
        return;
      }
      const engine = openBuild(build);
      beforeEach(() => poison(engine));
      suite(build, engine);
    });
  }
}
