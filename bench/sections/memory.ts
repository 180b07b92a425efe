/** Memory: the peak of a fresh process, against what inputs, outputs and the plan of the call predict. */
import { execFileSync } from "node:child_process";
import { type Context, type Row, type Section } from "../context.js";

/** At and above the length at which the scores of a single head take a GiB. */
const LENGTHS = [1024, 2048, 4096, 8192, 16384];
const MIB = 2 ** 20;

const script = (build: string, threads: number, seqLen: number): string => `
  const { createEngine } = await import(${JSON.stringify(new URL("../../../../dist/index.js", import.meta.url).href)});
  const engine = await createEngine({ build: ${JSON.stringify(build)}, threads: ${threads} });
  const small = { data: new Float32Array(64), dims: [1, 64] };
  for (let call = 0; call < 100; call++) engine.scaledDotProductAttention(small, small, small);
  const before = process.resourceUsage().maxRSS * 1024;
  const dims = [1, ${seqLen}, 12, 64];
  const [q, k, v, out] = [0, 1, 2, 3].map((seed) => {
    const tensor = engine.tensor(dims);
    const { data } = tensor;
    for (let i = 0; i < data.length; i++) data[i] = Math.sin(i * (seed + 1));
    return tensor;
  });
  const plan = engine.planAttention(q, k, v, { out });
  const start = performance.now();
  engine.scaledDotProductAttention(q, k, v, { out });
  const ms = performance.now() - start;
  console.log(JSON.stringify({
    ms, held: process.resourceUsage().maxRSS * 1024 - before, reserved: engine.info.memory.reserved, tensors: 4 * 4 * q.data.length,
    scratch: plan.scratchBytes,
  }));`;

interface Use {
  readonly ms: number;
  readonly held: number;
  readonly reserved: number;
  readonly tensors: number;
  readonly scratch: number;
}

export default {
  name: "memory",
  title: "Memory of one full call of 12 heads of 64, in a fresh process; MiB",
  run({ builds, threads, wants, progress }: Context): Row[] {
    const rows: Row[] = [];
    const build = builds.at(-1)!;
    for (const count of new Set([1, threads])) {
      let half = 0;
      for (const seqLen of LENGTHS) {
        if (!wants(`12×${seqLen}×64 full`)) continue;
        progress(`${build} memory of 12×${seqLen}×64 on ${count}`);
        const args = ["--input-type=module", "-e", script(build, count, seqLen)];
        const use = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as Use;
        rows.push({
          build,
          shape: `12×${seqLen}×64 full`,
          threads: count,
          "inputs, output": use.tensors / MIB,
          plan: use.scratch / MIB,
          "wasm memory": use.reserved / MIB,
          "process held": use.held / MIB,
          "of half the length": half && use.held / half,
          "first call, ms": use.ms,
        });
        half = use.held;
      }
    }
    return rows;
  },
} satisfies Section;
