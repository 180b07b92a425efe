/** `npm run bench`: the speed of attention as a share of the peak that the same build reaches on the same thread in the same run. */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { createEngine, type Engine, type EngineTensor, type PackagedBuild } from "headwise";
import { scaledDotProductAttention as baseline } from "headwise/baseline";
import { scaledDotProductAttention as reference } from "headwise/reference";
import { instantiate } from "../src/runtime/instantiate.js";
import { hasRelaxedSimd } from "../src/runtime/features.js";
import { Runtime } from "../src/runtime/runtime.js";
import { selfTest } from "../src/selfTest.js";
import { inputsOf, type Tensor } from "./data.js";
import { gigaPerSecond, measure, type Timing } from "./measure.js";
import { binaryOf, measureAgainstPeak } from "./peak/peak.js";
import { type AttentionShape, flopsOf, FORWARD } from "./shapes.js";

const USAGE = `npm run bench -- [--only TEXT] [--build simd|relaxed] [--json]

  --only TEXT    shapes whose name contains the text, such as "1024" or "causal"
  --build NAME   one build; default: each that this host validates
  --json         print one JSON document instead of tables`;

interface Row {
  build: PackagedBuild;
  shape: string;
  milliseconds: Timing;
  gigaflops: number;
  peak: number;
  share: number;
  error: number;
  /** Time as a share of the same shape without a causal mask. */
  ofFull?: number;
}

/** Milliseconds that the first engine of a process takes to instantiate and to test itself. */
function coldStart(build: PackagedBuild): { instantiate: number; selfTest: number } {
  const bytes = binaryOf(build);
  const start = performance.now();
  const instance = instantiate("bench", bytes, 2 ** 20, 2 ** 32);
  const instantiated = performance.now();
  const failure = selfTest(new Runtime(instance, 2 ** 32));
  const tested = performance.now();
  if (failure) throw new Error(failure);
  return { instantiate: instantiated - start, selfTest: tested - instantiated };
}

const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
};

/** Largest error of the rows from 8 before each quarter of the sequence on, in all heads: a speed of wrong numbers is worth nothing. */
function largestError(engine: Engine, shape: AttentionShape): number {
  const { q, k, v } = inputsOf(shape);
  const { data } = engine.scaledDotProductAttention(q, k, v, { causal: shape.causal });
  const row = shape.numHeads * shape.headDim;
  let largest = 0;
  for (const quarter of [0.25, 0.5, 0.75, 1]) {
    const first = Math.floor(shape.seqLen * quarter) - 8;
    const rows = { data: q.data.subarray(first * row, (first + 8) * row), dims: [1, 8, shape.numHeads, shape.headDim] };
    const truth = reference(rows, k, v, { causal: shape.causal, queryOffset: first });
    for (const [index, value] of truth.data.entries()) largest = Math.max(largest, Math.abs(data[first * row + index]! - value));
  }
  return largest;
}

/** Absolute, for values of about 1: far below any wrong result, above every rounding. */
const TOLERANCE = 5e-6;

async function benchBuild(build: PackagedBuild, shapes: readonly AttentionShape[]): Promise<Row[]> {
  const engine = await createEngine({ build });
  const rows: Row[] = [];
  for (const shape of shapes) {
    progress(`${build} ${shape.name}`);
    const error = largestError(engine, shape);
    if (!(error <= TOLERANCE)) throw new Error(`${build} ${shape.name}: error ${error}, no speed is reported on a wrong result`);
    const place = ({ data, dims }: Tensor): EngineTensor<"float32"> => {
      const tensor = engine.tensor(dims);
      tensor.data.set(data);
      return tensor;
    };
    const inputs = inputsOf(shape);
    const [q, k, v, out] = [place(inputs.q), place(inputs.k), place(inputs.v), engine.tensor(inputs.q.dims)];
    const { timing, peak } = measureAgainstPeak(build, () =>
      engine.scaledDotProductAttention(q, k, v, { causal: shape.causal, out }),
    );
    const gigaflops = gigaPerSecond(flopsOf(shape), timing);
    rows.push({ build, shape: shape.name, milliseconds: timing, gigaflops, peak, share: gigaflops / peak, error });
    for (const tensor of [q, k, v, out]) tensor.dispose();
  }
  for (const row of rows) {
    const full = rows.find(({ shape }) => shape === row.shape.replace("causal", "full"));
    if (full && full !== row) row.ofFull = row.milliseconds.median / full.milliseconds.median;
  }
  engine.dispose();
  return rows;
}

/** The plain JavaScript baseline once, for scale. */
function benchBaseline(shape: AttentionShape): { shape: string; milliseconds: Timing } {
  progress(`plain JavaScript ${shape.name}`);
  const { q, k, v } = inputsOf(shape);
  const [timing] = measure([() => baseline(q, k, v, { causal: shape.causal })], { rounds: 3, turn: 1, warmups: 1 });
  return { shape: shape.name, milliseconds: timing! };
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

const timingCells = ({ median, spread: [low, high] }: Timing) => ({
  ms: round(median, 2),
  "1st quartile": round(low, 2),
  "3rd quartile": round(high, 2),
});

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: "" },
      build: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  if (values.build !== undefined && values.build !== "simd" && values.build !== "relaxed")
    throw new TypeError(`--build ${values.build}: not simd or relaxed`);

  const shapes = FORWARD.filter(({ name }) => name.includes(values.only));
  if (shapes.length === 0)
    throw new TypeError(`--only ${values.only}: no shape has that in its name (${FORWARD.map(({ name }) => name).join(", ")})`);
  const cold = coldStart(hasRelaxedSimd() ? "relaxed" : "simd");
  const canRelax = (await createEngine()).info.build === "relaxed";
  const builds: PackagedBuild[] = values.build ? [values.build] : canRelax ? ["simd", "relaxed"] : ["simd"];
  const machine = { cpu: cpus()[0]?.model ?? "unknown", node: process.version, v8: process.versions.v8, threads: 1 };
  if (!values.json)
    console.log(`${machine.cpu}, Node ${machine.node} (V8 ${machine.v8}), one thread, inputs and outputs in the engine's memory`);

  const rows: Row[] = [];
  for (const build of builds) rows.push(...(await benchBuild(build, shapes)));
  const plain = shapes.filter(({ seqLen }) => seqLen <= 1024).map(benchBaseline);
  progress("");
  if (values.json) {
    console.log(JSON.stringify({ machine, cold, rows, plain }, null, 2));
    return;
  }

  console.table(
    rows.map(({ build, shape, milliseconds, gigaflops, peak, share, ofFull, error }) => ({
      build,
      shape,
      ...timingCells(milliseconds),
      "GFLOP/s": round(gigaflops, 1),
      "peak GFLOP/s": round(peak, 1),
      "% of peak": round(100 * share, 1),
      "causal / full": ofFull === undefined ? undefined : round(ofFull, 3),
      "error, 1e-6": round(1e6 * error, 2),
    })),
  );
  console.log(
    `first engine of the process: instantiate ${cold.instantiate.toFixed(1)} ms, self-test ${cold.selfTest.toFixed(1)} ms`,
  );
  console.log("plain JavaScript (headwise/baseline)");
  console.table(plain.map(({ shape, milliseconds }) => ({ shape, ...timingCells(milliseconds) })));
  if (!canRelax) console.log("relaxed: not run, this host does not validate relaxed SIMD");
}

main().catch((error: unknown) => {
  console.error(error instanceof TypeError ? `${error.message}\n\n${USAGE}` : error);
  process.exitCode = error instanceof TypeError ? 2 : 1;
});
