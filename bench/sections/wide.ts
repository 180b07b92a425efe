/**
 * Build "wide" next to "relaxed" and native onnxruntime-node, alternating, each in its own process: the flag that "wide" turns on
 * also changes what V8 generates for "relaxed".
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { whyNotWide } from "../../src/runtime/wide.js";
import { type Context, type Row, type Section, timingCells } from "../context.js";
import { areInstalled, raceOn, type RaceShape } from "../rivals.js";
import { FORWARD, MATMUL } from "../shapes.js";

const CONTESTANTS = ["headwise", "headwise wide", "onnxruntime-node"];

const SHAPES: readonly RaceShape[] = [
  ...FORWARD.map((shape) => ({ kind: "attention", ...shape }) as const),
  ...MATMUL.filter(({ rows, depth, columns }) => rows >= 512 && rows === depth && depth === columns).map(
    (shape) => ({ kind: "matmul", ...shape, name: `matmul ${shape.name}` }) as const,
  ),
];

/** GFLOP/s at most, on one thread, of each contestant's build. */
const peakOf = (build: string): number =>
  Number(execFileSync(process.execPath, [fileURLToPath(new URL("../widePeak.js", import.meta.url)), build], { encoding: "utf8" }));

export default {
  name: "wide",
  title: 'Build "wide" next to "relaxed" and native onnxruntime-node; the peak is that of the build on one thread',
  async run({ builds, threads, wants, progress }: Context): Promise<Row[]> {
    const shapes = SHAPES.filter(({ name }) => wants(name));
    if (shapes.length === 0) return [];
    const reason = builds.includes("relaxed") ? whyNotWide() : 'it is compared with build "relaxed"';
    if (reason !== undefined) {
      console.log(`wide: not run, ${reason}`);
      return [];
    }
    areInstalled();
    const rows: Row[] = [];
    for (const shape of shapes) {
      progress(`wide ${shape.name}: peaks`);
      const peaks = new Map([
        ["headwise", peakOf("relaxed")],
        ["headwise wide", peakOf("wide")],
      ]);
      const raced = await raceOn(shape, CONTESTANTS, threads, progress);
      for (const { contestant, version, threads: count, timing, gigaflops, error } of raced) {
        const peak = count === 1 ? peaks.get(contestant) : undefined;
        const native = raced.find((row) => row.contestant === "onnxruntime-node" && row.threads === threads);
        rows.push({
          shape: shape.name,
          contestant,
          version,
          threads: count,
          ...timingCells(timing),
          "GFLOP/s": gigaflops,
          "peak GFLOP/s": peak,
          "% of peak": peak && (100 * gigaflops) / peak,
          [`× native, ${threads} threads`]: native && native.timing.median / timing.median,
          "error, 1e-6": 1e6 * error,
        });
      }
    }
    return rows;
  },
} satisfies Section;
