/** One attention layer of three known models: time, share of the peak, speed-up over plain JavaScript, and error. */
import { cpus } from "node:os";
import type { Engine, PackagedBuild } from "headwise";
import { scaledDotProductAttention as baseline } from "headwise/baseline";
import { scaledDotProductAttention as reference } from "headwise/reference";
import { inputsOf } from "../../bench/data.js";
import { gigaPerSecond } from "../../bench/measure.js";
import { measureAgainstPeak } from "../../bench/ceilings/ceilings.js";
import { type AttentionShape, flopsOf, MODEL_LAYERS } from "../../bench/shapes.js";

/** Rows of the reference between two progress reports. */
const ROWS_A_STEP = 64;
/** 4 ulp of 1. */
const FLOOR = 4 * 2 ** -23;

/** Lets V8 compile the plain JavaScript before its one call is timed. */
const WARMUP: AttentionShape = { name: "warm-up", numHeads: 12, numKvHeads: 12, seqLen: 192, headDim: 64, causal: false };

/** Progress: one line that is rewritten in a terminal, one line per step elsewhere. */
class Progress {
  readonly #start = performance.now();
  #isOpen = false;

  step(text: string): void {
    const line = `${((performance.now() - this.#start) / 1000).toFixed(0).padStart(4)} s  ${text}`;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
    else process.stderr.write(`${line}\n`);
    this.#isOpen = process.stderr.isTTY;
  }

  /** A part of a step, which only a terminal shows. */
  share(text: string, done: number): void {
    if (process.stderr.isTTY) this.step(`${text} ${(100 * done).toFixed(0)} %`);
  }

  end(): void {
    if (this.#isOpen) process.stderr.write("\r\x1b[K");
  }
}

/** Prints the table; returns whether every error is within its bound. */
export function attendLayers(engine: Engine): boolean {
  const progress = new Progress();
  progress.step("warming plain JavaScript up");
  const warmup = inputsOf(WARMUP);
  for (const causal of [false, true]) baseline(warmup.q, warmup.k, warmup.v, { causal });

  const rows = MODEL_LAYERS.map((layer) => attendLayer(engine, layer, progress));
  progress.end();
  console.log(`one attention layer, float32, one thread, ${cpus()[0]?.model ?? "unknown processor"}`);
  console.table(
    Object.fromEntries(
      rows.map(({ name, milliseconds, plain, gigaflops, peak, error, bound }) => [
        name,
        {
          ms: round(milliseconds, 1),
          "plain JS, ms": round(plain, 0),
          "speed-up": round(plain / milliseconds, 1),
          "GFLOP/s": round(gigaflops, 1),
          "% of peak": round((100 * gigaflops) / peak, 0),
          "error, 1e-6": round(error * 1e6, 2),
          "bound, 1e-6": round(bound * 1e6, 2),
        },
      ]),
    ),
  );
  console.log("ms: median, arrays in and out. peak: multiply-adds of this build, measured in the same run on the same thread.");
  console.log(
    "error: against the float64 reference; bound: twice the error of plain float32 JavaScript, plus 4 ulp of the largest output.",
  );
  return rows.every(({ error, bound }) => error <= bound);
}

function attendLayer(engine: Engine, layer: AttentionShape, progress: Progress) {
  const { name, causal } = layer;
  const { q, k, v } = inputsOf(layer);

  progress.step(`${name}: plain JavaScript`);
  const start = performance.now();
  const plainOut = baseline(q, k, v, { causal });
  const plain = performance.now() - start;

  progress.step(`${name}: headwise`);
  const out = engine.scaledDotProductAttention(q, k, v, { causal });
  const { timing, peak } = measureAgainstPeak(engine.info.build as PackagedBuild, () =>
    engine.scaledDotProductAttention(q, k, v, { causal }),
  );

  progress.step(`${name}: float64 reference`);
  const errors = { engine: 0, plain: 0 };
  let largestOutput = 1;
  const row = layer.numHeads * layer.headDim;
  for (let first = 0; first < layer.seqLen; first += ROWS_A_STEP) {
    progress.share(`${name}: float64 reference`, first / layer.seqLen);
    const count = Math.min(ROWS_A_STEP, layer.seqLen - first);
    const rows = { data: q.data.subarray(first * row, (first + count) * row), dims: [1, count, layer.numHeads, layer.headDim] };
    const truth = reference(rows, k, v, { causal, queryOffset: first });
    for (const [index, value] of truth.data.entries()) {
      largestOutput = Math.max(largestOutput, Math.abs(value));
      errors.engine = larger(errors.engine, Math.abs(out.data[first * row + index]! - value));
      errors.plain = larger(errors.plain, Math.abs(plainOut.data[first * row + index]! - value));
    }
  }
  return {
    name,
    milliseconds: timing.median,
    plain,
    gigaflops: gigaPerSecond(flopsOf(layer), timing),
    peak,
    error: errors.engine,
    bound: 2 * errors.plain + FLOOR * largestOutput,
  };
}

/** The larger of two errors; NaN is the largest. */
const larger = (a: number, b: number): number => (b <= a ? a : Number.isNaN(b) ? Infinity : b);

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
