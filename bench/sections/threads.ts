/** One thread against several, alternating. */
import { type Context, openEngine, residentCall, type Row, type Section, timingCells } from "../context.js";
import { checkedError } from "../correctness.js";
import { gigaPerSecond, measure } from "../measure.js";
import { flopsOf, FORWARD, LONG, ONE_HEAD, SMALL_CALLS } from "../shapes.js";

const SHAPES = [...ONE_HEAD.filter(({ headDim }) => headDim === 64), ...SMALL_CALLS.slice(2), ...FORWARD, ...LONG];

export default {
  name: "threads",
  title: "Threads: the same call on one and on several",
  async run({ builds, threads: several, wants, progress }: Context): Promise<Row[]> {
    if (several < 2) return [];
    const rows: Row[] = [];
    for (const build of builds) {
      const engines = [await openEngine(build), await openEngine(build, several)];
      for (const shape of SHAPES.filter(({ name }) => wants(name))) {
        progress(`${build} ${several} threads ${shape.name}`);
        for (const engine of engines) checkedError(engine, shape);
        const calls = engines.map((engine) => residentCall(engine, shape));
        const [alone, shared] = measure(calls.map((call) => call.run));
        for (const call of calls) call.dispose();
        rows.push({
          build,
          shape: shape.name,
          threads: several,
          "ms on 1": alone!.median,
          ...timingCells(shared!),
          "GFLOP/s": gigaPerSecond(flopsOf(shape), shared!),
          "times as fast": alone!.median / shared!.median,
        });
      }
      for (const engine of engines) engine.dispose();
    }
    return rows;
  },
} satisfies Section;
