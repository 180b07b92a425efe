/** One thread against several, alternating: with all tensors in the engine's memory, and with arrays that are copied in and out. */
import type { Engine } from "headwise";
import {
  type Context,
  openEngine,
  residentCall,
  type ResidentCall,
  resident,
  type Row,
  type Section,
  timingCells,
} from "../context.js";
import { checkedError } from "../correctness.js";
import { inputsOf, normal } from "../data.js";
import { gigaPerSecond, measure } from "../measure.js";
import { type AttentionShape, flopsOf, FORWARD, LONG, ONE_HEAD, optionsOf, SMALL_CALLS } from "../shapes.js";

interface Task {
  readonly name: string;
  /** Of one call; undefined where memory is the limit. */
  readonly flops?: number;
  readonly open: (engine: Engine) => ResidentCall;
}

const residentTask = (shape: AttentionShape): Task => ({
  name: shape.name,
  flops: flopsOf(shape),
  open(engine) {
    checkedError(engine, shape);
    return residentCall(engine, shape);
  },
});

const copiedTask = (shape: AttentionShape): Task => ({
  name: `${shape.name}, copied`,
  flops: flopsOf(shape),
  open(engine) {
    checkedError(engine, shape);
    const { q, k, v } = inputsOf(shape);
    return { run: () => engine.scaledDotProductAttention(q, k, v, optionsOf(shape)), dispose: () => undefined };
  },
});

const ROWS = normal([6144, 512], 1);

const SOFTMAX: readonly Task[] = [
  {
    name: "softmax [6144, 512]",
    open(engine) {
      const [x, out] = [resident(engine, ROWS), engine.tensor(ROWS.dims)];
      return {
        run: () => engine.softmax(x, { out }),
        dispose: () => {
          for (const tensor of [x, out]) tensor.dispose();
        },
      };
    },
  },
  {
    name: "softmax [6144, 512], copied",
    open: (engine) => ({ run: () => engine.softmax(ROWS), dispose: () => undefined }),
  },
  {
    name: "softmax [6144, 512], copied into a place",
    open(engine) {
      const out = { data: new Float32Array(ROWS.data.length), dims: ROWS.dims };
      return { run: () => engine.softmax(ROWS, { out }), dispose: () => undefined };
    },
  },
];

const TASKS: readonly Task[] = [
  ...[...ONE_HEAD.filter(({ headDim }) => headDim === 64), ...SMALL_CALLS.slice(2), ...FORWARD, ...LONG].map(residentTask),
  ...FORWARD.filter(({ causal }) => !causal).map(copiedTask),
  ...SOFTMAX,
];

export default {
  name: "threads",
  title: "Threads: the same call on one and on several",
  async run({ builds, threads: several, wants, progress }: Context): Promise<Row[]> {
    if (several < 2) return [];
    const rows: Row[] = [];
    for (const build of builds) {
      const engines = [await openEngine(build), await openEngine(build, several)];
      for (const { name, flops, open } of TASKS.filter((task) => wants(task.name))) {
        progress(`${build} ${several} threads ${name}`);
        const calls = engines.map(open);
        const [alone, shared] = measure(calls.map((call) => call.run));
        for (const call of calls) call.dispose();
        rows.push({
          build,
          shape: name,
          threads: several,
          "ms on 1": alone!.median,
          ...timingCells(shared!),
          "GFLOP/s": flops && gigaPerSecond(flops, shared!),
          "times as fast": alone!.median / shared!.median,
        });
      }
      for (const engine of engines) engine.dispose();
    }
    return rows;
  },
} satisfies Section;
