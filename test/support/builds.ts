/** The builds that this host can run, each with an engine on one thread and one on several; and by name those that it can't. */
import { readFileSync } from "node:fs";
import { beforeEach, describe, test } from "vitest";
import { Engine } from "../../src/engine.js";
import { openRuntime, readOptions } from "../../src/openEngine.js";
import { type Build, BUILDS } from "../../src/runtime/builds.js";
import { hasRelaxedSimd } from "../../src/runtime/features.js";
import { startPool } from "../../src/runtime/pool.js";
import { poison } from "./attention.js";

export const canRun = (build: Build): boolean => build !== "relaxed" || hasRelaxedSimd();

/** The binary of a build as the compiler wrote it. */
export const binaryOf = (build: Build): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(new URL(`../../build/${build}.wasm`, import.meta.url)));

export const openBuild = (build: Build): Engine =>
  new Engine(openRuntime("createEngine", readOptions("createEngine", {}), binaryOf(build)).runtime);

/** Not a power of two, and more than most machines that run tests have to spare. */
const THREADS = 3;

/** An engine whose threads share every call, however small, strip by strip: none begins before all are there. */
async function openThreaded(build: Build): Promise<Engine> {
  const plan = readOptions("createEngine", { threads: THREADS });
  const { runtime, module } = openRuntime("createEngine", plan, binaryOf(build));
  const { pool, reason } = await startPool({ ...plan, module, memory: runtime.memory.object });
  if (pool?.threads !== THREADS) throw new Error(reason);
  pool.breakEven = 0;
  pool.gathers = true;
  runtime.pool = pool;
  return new Engine(runtime);
}

const threaded = new Map<Build, Engine>();
for (const build of BUILDS) if (canRun(build)) threaded.set(build, await openThreaded(build));

/** The same suite on every build, on one thread and on several; before each test the engine's free memory is NaN. */
export function onEveryBuild(suite: (build: Build, engine: Engine) => void): void {
  for (const build of BUILDS) {
    describe(build, () => {
      if (!canRun(build)) {
        test.skip("not run: this host does not validate relaxed SIMD", () => undefined);
        return;
      }
      const engine = openBuild(build);
      beforeEach(() => poison(engine));
      suite(build, engine);
    });
  }
}

/** The same suite also on several threads: for what runs through an engine. */
export function onEveryEngine(suite: (build: Build, engine: Engine) => void): void {
  onEveryBuild(suite);
  for (const [build, engine] of threaded) {
    describe(`${build}, ${THREADS} threads`, () => {
      beforeEach(() => poison(engine));
      suite(build, engine);
    });
  }
}
