/** Cold start: from just before the import to the first result, in fresh processes. */
import { execFileSync } from "node:child_process";
import { type Context, type Row, type Section, timingCells } from "../context.js";
import { summarise } from "../measure.js";

const PROCESSES = 9;

const script = (build: string): string => `
  const dims = [1, 128, 12, 64];
  const tensor = () => ({ data: Float32Array.from({ length: 128 * 768 }, (_, i) => Math.sin(i)), dims });
  const [q, k, v] = [tensor(), tensor(), tensor()];
  const start = performance.now();
  const { createEngine } = await import(${JSON.stringify(new URL("../../../../dist/index.js", import.meta.url).href)});
  const imported = performance.now();
  const engine = await createEngine({ build: ${JSON.stringify(build)} });
  const created = performance.now();
  engine.scaledDotProductAttention(q, k, v);
  const done = performance.now();
  console.log(JSON.stringify({ total: done - start, import: imported - start, createEngine: created - imported, call: done - created }));`;

interface Start {
  readonly total: number;
  readonly import: number;
  readonly createEngine: number;
  readonly call: number;
}

export default {
  name: "cold",
  title: "Cold start: import, engine with its self-test, first call of 12×128×64, in a fresh process",
  run({ builds, progress }: Context): Row[] {
    return builds.map((build) => {
      progress(`${build} cold start`);
      const starts = Array.from({ length: PROCESSES }, () => {
        const output = execFileSync(process.execPath, ["--input-type=module", "-e", script(build)], { encoding: "utf8" });
        return JSON.parse(output) as Start;
      });
      const median = (part: keyof Start): number => summarise(starts.map((start) => start[part])).median;
      return {
        build,
        ...timingCells(summarise(starts.map(({ total }) => total))),
        "import, ms": median("import"),
        "createEngine, ms": median("createEngine"),
        "first call, ms": median("call"),
      };
    });
  },
} satisfies Section;
