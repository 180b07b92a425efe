/** Matrix products, as a share of the peak; those of one row also as a share of the read bandwidth. */
import type { EngineTensor, Engine, PackedMatrix } from "headwise";
import { measureAgainst, peakProbes, readProbe } from "../ceilings/ceilings.js";
import { type Context, openEngine, resident, type Row, type Section, timingCells } from "../context.js";
import { normal } from "../data.js";
import { gigaPerSecond } from "../measure.js";
import { MATMUL, type MatmulShape } from "../shapes.js";

/** Error per step of a sum: above all rounding, far below any wrong result, which would be off by √depth. */
const TOLERANCE = 2e-7;

export default {
  name: "matmul",
  title: "Matrix product, inputs and outputs in the engine's memory; packed: the right-hand side is packed in advance",
  async run({ builds, threads: several, wants, progress }: Context): Promise<Row[]> {
    const rows: Row[] = [];
    for (const build of builds) {
      const engines = [await openEngine(build), ...(several > 1 ? [await openEngine(build, several)] : [])];
      for (const shape of MATMUL.filter(({ name }) => wants(name))) {
        progress(`${build} ${shape.name}`);
        const products = engines.map((engine) => residentProduct(engine, shape));
        for (const { check } of products) check();
        const flops = 2 * shape.rows * shape.depth * shape.columns;
        const bytes = 4 * shape.depth * shape.columns;
        const [first, second] = products;
        const contestants = [first!.plain, first!.packed, ...(second ? [second.packed] : [])];
        const { timings, ceiling } = measureAgainst(peakProbes(build), contestants);
        const { ceiling: bandwidth } =
          shape.rows === 1 ? measureAgainst([readProbe(build, bytes)], [first!.packed]) : { ceiling: undefined };
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

interface Product {
  readonly plain: () => unknown;
  readonly packed: () => unknown;
  readonly check: () => void;
  readonly dispose: () => void;
}

function residentProduct(engine: Engine, { name, rows, depth, columns }: MatmulShape): Product {
  const [a, b] = [resident(engine, normal([rows, depth], 1)), resident(engine, normal([depth, columns], 2))];
  const [packed, out] = [engine.packMatrix(b), engine.tensor([rows, columns])];
  return {
    plain: () => engine.matmul(a, b, { out }),
    packed: () => engine.matmul(a, packed, { out }),
    check: () => {
      for (const right of [b, packed]) {
        engine.matmul(a, right, { out });
        const error = largestError(a, b, out);
        if (!(error <= TOLERANCE * Math.max(depth, 32))) {
          throw new Error(`${engine.info.build} ${name}: error ${error}, no speed is reported on a wrong result`);
        }
      }
    },
    dispose: () => {
      for (const kept of [a, b, packed, out] satisfies (EngineTensor | PackedMatrix)[]) kept.dispose();
    },
  };
}

/** Of one row in each quarter, in every 13th column. */
function largestError(a: EngineTensor<"float32">, b: EngineTensor<"float32">, out: EngineTensor<"float32">): number {
  const [rows, depth] = a.dims as [number, number];
  const columns = b.dims[1]!;
  let largest = 0;
  for (const quarter of [0, 0.25, 0.5, 0.75, 1]) {
    const i = Math.round((rows - 1) * quarter);
    for (let j = 0; j < columns; j += 13) {
      let sum = 0;
      for (let k = 0; k < depth; k++) sum += a.data[i * depth + k]! * b.data[k * columns + j]!;
      largest = Math.max(largest, Math.abs(sum - out.data[i * columns + j]!));
    }
  }
  return largest;
}
