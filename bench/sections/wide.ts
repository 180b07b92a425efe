/**
 * Build "wide" beside "relaxed" and native onnxruntime-node, each in a process of its own, in turn: the flag that "wide" turns on
 * changes what V8 makes of "relaxed" too.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { whyNotWide } from "../../src/runtime/wide.js";
import { type Context, type Row, type Section, timingCells } from "../context.js";
import type { Timing } from "../measure.js";
import { type AttentionShape, FORWARD } from "../shapes.js";

const ROUNDS = 5;
const LIMIT_MS = 5000;

/** What `bench/rivals` offers, which is JavaScript. */
interface Rivals {
  readonly CONTESTANTS: readonly { readonly name: string; readonly threads: readonly number[] }[];
  readonly race: (
    shape: AttentionShape,
    io: "resident",
    entrants: readonly { readonly name: string; readonly threads: number }[],
    options: { rounds: number; limit: number; progress: (text: string) => void },
  ) => Promise<{ rows: readonly RaceRow[]; absent: readonly { entrant: string; reason: string }[] }>;
}

interface RaceRow {
  readonly contestant: string;
  readonly version: string;
  readonly threads: number;
  readonly timing: Timing;
  readonly gigaflops: number;
  readonly error: number;
}

const rivals = new URL("../../../../bench/rivals/", import.meta.url);

async function loadRivals(): Promise<Rivals> {
  const load = async (file: string): Promise<Partial<Rivals>> => (await import(new URL(file, rivals).href)) as Partial<Rivals>;
  return { ...(await load("contestants.mjs")), ...(await load("race.mjs")) } as Rivals;
}

/** GFLOP/s at most, on one thread, of each contestant's build. */
const peakOf = (build: string): number =>
  Number(execFileSync(process.execPath, [fileURLToPath(new URL("widePeak.js", import.meta.url)), build], { encoding: "utf8" }));

export const wide: Section = {
  name: "wide",
  title: 'Build "wide" beside "relaxed" and native onnxruntime-node; the peak is that of the build on one thread',
  async run({ builds, threads, wants, progress }: Context): Promise<Row[]> {
    const shapes = FORWARD.filter(({ name }) => wants(name));
    if (shapes.length === 0) return [];
    const reason = builds.includes("relaxed") ? whyNotWide() : 'it stands beside build "relaxed"';
    if (reason !== undefined) {
      console.log(`wide: not run, ${reason}`);
      return [];
    }
    if (!existsSync(new URL("node_modules", rivals))) {
      console.log("wide: without onnxruntime-node, which is installed by npm ci --ignore-scripts --prefix bench/rivals");
    }
    const { CONTESTANTS, race } = await loadRivals();
    const entrants = CONTESTANTS.filter(({ name }) => ["headwise", "headwise wide", "onnxruntime-node"].includes(name)).flatMap(
      (contestant) => contestant.threads.filter((count) => count <= threads).map((count) => ({ ...contestant, threads: count })),
    );
    const rows: Row[] = [];
    for (const shape of shapes) {
      progress(`wide ${shape.name}: peaks`);
      const peaks = new Map([
        ["headwise", peakOf("relaxed")],
        ["headwise wide", peakOf("wide")],
      ]);
      const { rows: raced, absent } = await race(shape, "resident", entrants, { rounds: ROUNDS, limit: LIMIT_MS, progress });
      for (const { entrant, reason: why } of absent) console.log(`${shape.name}: ${entrant}: ${why}`);
      for (const { contestant, version, threads: count, timing, gigaflops, error } of raced) {
        const peak = count === 1 ? peaks.get(contestant) : undefined;
        const native = raced.find((row) => row.contestant === "onnxruntime-node" && row.threads === threads);
        rows.push({
          ...{ shape: shape.name, contestant, version, threads: count },
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
};
