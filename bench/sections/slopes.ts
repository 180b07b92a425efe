/** How time grows with the length: N and 2N, alternating. */
import { type Context, openEngine, residentCall, type Row, type Section, timingCells } from "../context.js";
import { checkedError } from "../correctness.js";
import { measure } from "../measure.js";
import { type AttentionShape, FORWARD, LONG, windowed } from "../shapes.js";

const named = (name: string): AttentionShape => [...FORWARD, ...LONG].find((shape) => shape.name === name)!;

/** N and 2N, and the ratio of their operations. */
const PAIRS: readonly [AttentionShape, AttentionShape][] = [
  [named("12×1024×64 full"), named("12×2048×64 full")],
  [named("12×2048×64 full"), named("12×4096×64 full")],
  [named("12×1024×64 causal"), named("12×2048×64 causal")],
  [named("12×2048×64 causal"), named("12×4096×64 causal")],
  [windowed(2048), windowed(4096)],
  [windowed(4096), windowed(8192)],
];

export default {
  name: "slopes",
  title: "Time at N and 2N, one thread",
  async run({ builds, wants, progress }: Context): Promise<Row[]> {
    const rows: Row[] = [];
    for (const build of builds) {
      const engine = await openEngine(build);
      for (const pair of PAIRS.filter(([{ name }]) => wants(name))) {
        progress(`${build} ${pair[1].name}`);
        for (const shape of pair) checkedError(engine, shape);
        const calls = pair.map((shape) => residentCall(engine, shape));
        const [once, twice] = measure(calls.map((call) => call.run));
        for (const call of calls) call.dispose();
        rows.push({
          build,
          shape: pair[0].name,
          ...timingCells(once!),
          "ms at 2N": twice!.median,
          ratio: twice!.median / once!.median,
        });
      }
      engine.dispose();
    }
    return rows;
  },
} satisfies Section;
