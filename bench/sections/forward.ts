/** Whole calls on one thread, as a share of the peak. */
import { measureAgainstPeak } from "../ceilings/ceilings.js";
import { type Context, openEngine, residentCall, type Row, type Section, timingCells } from "../context.js";
import { checkedError } from "../correctness.js";
import { gigaPerSecond } from "../measure.js";
import { flopsOf, FORWARD, LONG } from "../shapes.js";

export default {
  name: "forward",
  title: "Attention, one thread, inputs and outputs in the engine's memory",
  async run({ builds, wants, progress }: Context): Promise<Row[]> {
    const rows: Row[] = [];
    for (const build of builds) {
      const engine = await openEngine(build);
      const medians = new Map<string, number>();
      for (const shape of [...FORWARD, ...LONG].filter(({ name }) => wants(name))) {
        progress(`${build} ${shape.name}`);
        const error = checkedError(engine, shape);
        const call = residentCall(engine, shape);
        const { timing, peak } = measureAgainstPeak(build, call.run);
        call.dispose();
        const gigaflops = gigaPerSecond(flopsOf(shape), timing);
        medians.set(shape.name, timing.median);
        const full = shape.causal ? medians.get(shape.name.replace("causal", "full")) : undefined;
        rows.push({
          build,
          shape: shape.name,
          ...timingCells(timing),
          "GFLOP/s": gigaflops,
          "peak GFLOP/s": peak,
          "% of peak": (100 * gigaflops) / peak,
          "causal / full": full && timing.median / full,
          "error, 1e-6": 1e6 * error,
        });
      }
      engine.dispose();
    }
    return rows;
  },
} satisfies Section;
