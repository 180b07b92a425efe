/** Engines on one thread and on several, of each build that this host can run. */
import { beforeEach, describe } from "vitest";
import { Engine } from "../../src/engine/engine.js";
import { openGiven, readEngineOptions } from "../../src/engine/openEngine.js";
import { answerAtOnce, take } from "../../src/runtime/steps.js";
import type { Build } from "../../src/runtime/builds.js";
import { startPool } from "../../src/runtime/pool.js";
import { host } from "#host";
import { poison } from "./attention.js";
import { binaryOf, canRun, onEveryBuild } from "./builds.js";

/** An engine whose threads share every call, however small, strip by strip: none begins before all have started. */
async function openThreaded(build: Build): Promise<Engine> {
  const plan = readEngineOptions("createEngine", { threads: host.threads }, "all");
  const { runtime, module } = take(openGiven("createEngine", plan, binaryOf(build)), answerAtOnce);
  const { pool, reason } = await startPool({ ...plan, module, memory: runtime.memory.object });
  if (pool?.threads !== host.threads) throw new Error(reason);
  pool.breakEven = 0;
  pool.gathers = true;
  runtime.pool = pool;
  return new Engine(runtime);
}

const threaded = new Map<Build, Engine>();
for (const build of host.builds) if (canRun(build) && host.threads > 1) threaded.set(build, await openThreaded(build));

/** The same suite on every build, on one thread and on several; before each test the engine's free memory is NaN. */
export function onEveryEngine(suite: (build: Build, engine: Engine) => void): void {
  onEveryBuild(suite);
  for (const [build, engine] of threaded) {
    describe(`${build}, ${host.threads} threads`, () => {
      beforeEach(() => poison(engine));
      suite(build, engine);
    });
  }
}
