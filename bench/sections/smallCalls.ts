/** Small calls, with copies and in the engine's memory, next to plain JavaScript. */
import { scaledDotProductAttention as baseline } from "headwise/baseline";
import { measureAgainst, peakProbes } from "../ceilings/ceilings.js";
import { type Context, openEngine, residentCall, type Row, type Section, timingCells } from "../context.js";
import { checkedError } from "../correctness.js";
import { inputsOf } from "../data.js";
import { gigaPerSecond, type Timing } from "../measure.js";
import { flopsOf, ONE_HEAD } from "../shapes.js";

/** Calls per turn: a single one is too short for the clock. */
const CALLS = 50;
const each = (run: () => unknown) => () => {
  for (let call = 0; call < CALLS; call++) run();
};
const perCall = ({ median, spread: [low, high], calls }: Timing): Timing => ({
  median: median / CALLS,
  spread: [low / CALLS, high / CALLS],
  calls: calls * CALLS,
});

export default {
  name: "small",
  title: "Small calls, one head, one thread: arrays in and a new array out",
  async run({ builds, wants, progress }: Context): Promise<Row[]> {
    const rows: Row[] = [];
    for (const build of builds) {
      const engine = await openEngine(build);
      for (const shape of ONE_HEAD.filter(({ name }) => wants(name))) {
        progress(`${build} ${shape.name}`);
        const error = checkedError(engine, shape);
        const { q, k, v } = inputsOf(shape);
        const call = residentCall(engine, shape);
        const { timings, ceiling } = measureAgainst(peakProbes(build), [
          each(() => engine.scaledDotProductAttention(q, k, v)),
          each(call.run),
          each(() => baseline(q, k, v)),
        ]);
        call.dispose();
        const [copied, resident, plain] = timings.map(perCall);
        const gigaflops = gigaPerSecond(flopsOf(shape), resident!);
        rows.push({
          build,
          shape: shape.name,
          ...timingCells(copied!, "µs"),
          "in the engine's memory, µs": 1000 * resident!.median,
          "GFLOP/s there": gigaflops,
          "% of peak there": (100 * gigaflops) / ceiling,
          "plain JavaScript, µs": 1000 * plain!.median,
          "times as fast": plain!.median / copied!.median,
          "error, 1e-6": 1e6 * error,
        });
      }
      engine.dispose();
    }
    return rows;
  },
} satisfies Section;
