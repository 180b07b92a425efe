/** Linear attention: its share of the peak, how its time grows, and the length from which it beats softmax attention. */
import type { Engine, LinearOptions, PackagedBuild } from "headwise";
import { linearAttention as reference } from "headwise/reference";
import { measureAgainst, peakProbes } from "../ceilings/ceilings.js";
import { type Context, openEngine, resident, type Row, type Section, timingCells } from "../context.js";
import { TOLERANCE } from "../correctness.js";
import { normal, type Tensor } from "../data.js";
import { gigaPerSecond, measure } from "../measure.js";

const HEADS = 12;
const DIM = 64;
/** Keys in a chunk, the default of the option. */
const CHUNK = 48;

/** The length that is measured, and half of it for the slope. */
const LENGTH = 16384;
/** Lengths at which it is compared with softmax attention. */
const LENGTHS = [64, 128, 256, 512, 1024, 2048, 4096];

interface Kind {
  readonly name: string;
  readonly options: LinearOptions;
  /** Floating-point operations per row and head, at that chunk size. */
  readonly flops: number;
}

const sums = 4 * DIM * DIM; // into the state, and out of it
const inChunk = 2 * DIM * CHUNK; // half of q·k, and of p·v
const KINDS: readonly Kind[] = [
  { name: "full", options: {}, flops: sums },
  { name: "causal", options: { causal: true }, flops: sums + inChunk },
];
/** The rules, in addition to the kernel form. */
const RULES: readonly Kind[] = [
  { name: "linear", options: { rule: "linear" }, flops: sums + inChunk },
  { name: "gated", options: { rule: "gated" }, flops: sums + inChunk },
  { name: "gated by channel", options: { rule: "gated" }, flops: sums + DIM * DIM },
  { name: "delta", options: { rule: "delta" }, flops: 1.5 * sums + 2 * inChunk },
  { name: "gated_delta", options: { rule: "gated_delta" }, flops: 1.5 * sums + 2 * inChunk },
];

const LAYOUTS = ["bshd", "bhsd"] as const;
type Layout = (typeof LAYOUTS)[number];

/** Inputs of a length, in the engine's memory, with calls on them. */
function inputsOf(engine: Engine, length: number, layout: Layout) {
  const dims = layout === "bshd" ? [1, length, HEADS, DIM] : [1, HEADS, length, DIM];
  const gate = dims.slice(0, 3);
  const scaled = ({ data, dims: sizes }: Tensor, change: (x: number) => number): Tensor => ({
    data: data.map(change),
    dims: sizes,
  });
  const tensors = {
    q: resident(engine, normal(dims, 1)),
    k: resident(
      engine,
      scaled(normal(dims, 2), (x) => x / DIM),
    ), // short, as delta rules require keys to be
    v: resident(engine, normal(dims, 3)),
    out: engine.tensor(dims),
    decay: resident(
      engine,
      scaled(normal(gate, 4), (x) => -Math.abs(x) / 20),
    ),
    channelDecay: resident(
      engine,
      scaled(normal(dims, 5), (x) => -Math.abs(x) / 20),
    ),
    beta: resident(
      engine,
      scaled(normal(gate, 6), (x) => 1 / (1 + Math.exp(-x))),
    ),
  };
  const { q, k, v, out } = tensors;
  const linear = ({ name, options }: Kind): (() => unknown) => {
    const gates = {
      ...(options.rule?.startsWith("gated") && { decay: name.endsWith("channel") ? tensors.channelDecay : tensors.decay }),
      ...(options.rule?.endsWith("delta") && { beta: tensors.beta }),
    };
    return () => engine.linearAttention(q, k, v, { ...options, ...gates, layout, out });
  };
  const softmax = (causal: boolean) => () => engine.scaledDotProductAttention(q, k, v, { causal, layout, out });
  return {
    linear,
    softmax,
    dispose: () => {
      for (const tensor of Object.values(tensors)) tensor.dispose();
    },
  };
}

/** Largest error of a call of 1000 rows of two heads. */
function checkedError(engine: Engine, options: LinearOptions): number {
  const dims = [1, 1000, 2, DIM];
  const [q, k, v] = [normal(dims, 1), normal(dims, 2), normal(dims, 3)];
  const truth = reference(q, k, v, options as object).data;
  const found = engine.linearAttention(q, k, v, options).data;
  const error = truth.reduce((largest, x, index) => Math.max(largest, Math.abs(x - found[index]!)), 0);
  if (error <= TOLERANCE) return error;
  throw new Error(`linear attention: error ${error}, no speed is reported on a wrong result`);
}

/** 16384 rows against the peak, and against half as many rows, on one thread and on several. */
async function speedRows(build: PackagedBuild, { threads, wants, progress }: Context): Promise<Row[]> {
  const rows: Row[] = [];
  const counts = threads > 1 ? [1, threads] : [1];
  const engines = await Promise.all(counts.map(async (count) => openEngine(build, count)));
  for (const layout of LAYOUTS) {
    const inputs = engines.map((engine) => inputsOf(engine, LENGTH, layout));
    const half = inputsOf(engines[0]!, LENGTH / 2, layout);
    for (const kind of [...KINDS, ...(layout === "bshd" ? RULES : [])]) {
      const shape = `${HEADS}×${LENGTH}×${DIM} ${kind.name}`;
      if (!wants(shape)) continue;
      progress(`${build} linear ${shape} ${layout}`);
      const error = kind.options.rule ? undefined : checkedError(engines[0]!, kind.options);
      const { timings, ceiling } = measureAgainst(
        peakProbes(build),
        [...inputs, half].map(({ linear }) => linear(kind)),
      );
      const [once, twice] = [timings.at(-1)!, timings[0]!];
      for (const [index, count] of counts.entries()) {
        const rate = gigaPerSecond(HEADS * LENGTH * kind.flops, timings[index]!);
        rows.push({
          build,
          shape,
          layout,
          threads: count,
          ...timingCells(timings[index]!),
          "GFLOP/s": rate,
          "peak GFLOP/s": ceiling,
          "% of peak": count === 1 ? (100 * rate) / ceiling : undefined,
          "× half the length": count === 1 ? twice.median / once.median : undefined,
          "× 1 thread": index === 0 ? undefined : timings[0]!.median / timings[index]!.median,
          "error, 1e-6": error === undefined ? undefined : 1e6 * error,
        });
      }
    }
    for (const { dispose } of [...inputs, half]) dispose();
  }
  for (const engine of engines) engine.dispose();
  return rows;
}

/** By length, next to softmax attention: from which length it is faster. */
async function lengthRows(build: PackagedBuild, { wants, progress }: Context): Promise<Row[]> {
  const rows: Row[] = [];
  const engine = await openEngine(build);
  for (const kind of KINDS) {
    for (const length of LENGTHS) {
      const shape = `${HEADS}×${length}×${DIM} ${kind.name}`;
      if (!wants(shape)) continue;
      progress(`${build} linear and softmax ${shape}`);
      const inputs = inputsOf(engine, length, "bshd");
      const [linear, softmax] = measure([inputs.linear(kind), inputs.softmax(kind.name === "causal")]);
      inputs.dispose();
      rows.push({
        build,
        shape,
        layout: "bshd",
        threads: 1,
        ...timingCells(linear!),
        "softmax attention, ms": softmax!.median,
        "× softmax": softmax!.median / linear!.median,
      });
    }
  }
  engine.dispose();
  return rows;
}

export default {
  name: "linear",
  title: "Linear attention: elu+1, rules, and next to softmax attention; operations are those of chunks of 48",
  async run(context: Context): Promise<Row[]> {
    const rows: Row[] = [];
    for (const build of context.builds) rows.push(...(await speedRows(build, context)), ...(await lengthRows(build, context)));
    return rows;
  },
} satisfies Section;
