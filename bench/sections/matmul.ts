/** Matrix products, as a share of the peak; those of one row also as a share of the read bandwidth. */
import type { Engine } from "headwise";
import { measureAgainst, peakProbes, readProbe } from "../ceilings/ceilings.js";
import { type Context, openEngine, type Row, type Section, timingCells } from "../context.js";
import { gigaPerSecond } from "../measure.js";
import { residentProduct } from "../products.js";
import { MATMUL } from "../shapes.js";

export default {
  name: "matmul",
  title: "Matrix product, inputs and outputs in the engine's memory; packed: the right-hand side is packed in advance",
  async run({ builds, threads: several, wants, progress }: Context): Promise<Row[]> {
    const rows: Row[] = [];
    for (const build of builds) {
      const engines = [await openEngine(build), ...(several > 1 ? [await openEngine(build, several)] : [])];
      for (const shape of MATMUL.filter(({ name }) => wants(name))) {
        progress(`${build} ${shape.name}`);
        const [one, ...others] = engines as [Engine, ...Engine[]];
        const products = [
          residentProduct(one, shape, false),
          residentProduct(one, shape, true),
          ...others.map((engine) => residentProduct(engine, shape, true)),
        ];
        const error = Math.max(...products.map(({ check }) => check()));
        const flops = 2 * shape.rows * shape.depth * shape.columns;
        const bytes = 4 * shape.depth * shape.columns;
        const { timings, ceiling } = measureAgainst(
          peakProbes(build),
          products.map(({ run }) => run),
        );
        const { ceiling: bandwidth } =
          shape.rows === 1 ? measureAgainst([readProbe(build, bytes)], [products[1]!.run]) : { ceiling: undefined };
        const [plain, packed, shared] = timings;
        for (const [name, timing] of [
          ["as it lies", plain!],
          ["packed", packed!],
        ] as const) {
          rows.push({
            build,
            shape: shape.name,
            "right-hand side": name,
            ...timingCells(timing),
            "GFLOP/s": gigaPerSecond(flops, timing),
            "% of peak": (100 * gigaPerSecond(flops, timing)) / ceiling,
            "% of reading": bandwidth && (100 * gigaPerSecond(bytes, timing)) / bandwidth,
            "max abs error": error.toExponential(1),
            [`times as fast on ${several}`]: shared && name === "packed" ? timing.median / shared.median : undefined,
          });
        }
        for (const { dispose } of products) dispose();
      }
      for (const engine of engines) engine.dispose();
    }
    return rows;
  },
} satisfies Section;
