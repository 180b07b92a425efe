/** The cost of sharing a call of a few microseconds: on one thread, shared back to back, and shared after workers have parked. */
import { setTimeout as sleep } from "node:timers/promises";
import { openGiven, readEngineOptions } from "../../src/engine/openEngine.js";
import { answerAtOnce, take } from "../../src/runtime/steps.js";
import { scaledDotProductAttention } from "../../src/attention/scaledDotProductAttention.js";
import { startPool } from "../../src/runtime/pool.js";
import { createTensor } from "../../src/call/tensor.js";
import { binaryOf } from "../ceilings/ceilings.js";
import { type Context, type Row, type Section, timingCells } from "../context.js";
import { inputsOf } from "../data.js";
import { summarise } from "../measure.js";
import { ONE_HEAD } from "../shapes.js";

const SHAPE = ONE_HEAD.find(({ name }) => name === "1×32×64 full")!;
const CALLS = 400;
const PAUSE_MILLISECONDS = 2;

/** Milliseconds of each call, `pause` milliseconds apart. */
async function timed(run: () => unknown, pause: number): Promise<number[]> {
  const samples: number[] = [];
  for (let call = 0; call < CALLS; call++) {
    if (pause > 0) await sleep(pause);
    const start = performance.now();
    run();
    samples.push(performance.now() - start);
  }
  return samples;
}

export default {
  name: "dispatch",
  title: `Sharing ${SHAPE.name}, far below the size from which calls are shared`,
  async run({ builds, threads, wants, progress }: Context): Promise<Row[]> {
    if (threads < 2 || !wants(SHAPE.name)) return [];
    const rows: Row[] = [];
    for (const build of builds) {
      progress(`${build} dispatch`);
      const plan = readEngineOptions("createEngine", { build, threads }, "all");
      const { runtime, module } = take(openGiven("createEngine", plan, binaryOf(build)), answerAtOnce);
      const { pool } = await startPool({ ...plan, module, memory: runtime.memory.object });
      runtime.pool = pool;
      const { q, k, v } = inputsOf(SHAPE);
      const out = createTensor(runtime, q.dims, "float32");
      const run = (): unknown => scaledDotProductAttention(runtime, q, k, v, { out });
      const states = [
        { name: "alone", breakEven: Infinity, pause: 0 },
        { name: "shared, one after the other", breakEven: 0, pause: 0 },
        { name: "alone, after a pause", breakEven: Infinity, pause: PAUSE_MILLISECONDS },
        { name: "shared, after a pause", breakEven: 0, pause: PAUSE_MILLISECONDS },
      ];
      for (let warmup = 0; warmup < CALLS; warmup++) run();
      for (const { name, breakEven, pause } of states) {
        if (pool) pool.breakEven = breakEven;
        rows.push({ build, threads, call: name, ...timingCells(summarise(await timed(run, pause)), "µs") });
      }
      runtime.dispose();
    }
    return rows;
  },
} satisfies Section;
