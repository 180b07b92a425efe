/**
 * What this host can do at most, on one thread, in a build's instructions.
 *
 * The peak of multiply-adds is the best of two: a probe with as many accumulators as the tallest tile and fewer loads, and the kernels'
 * own register tiles on data in L1. The bandwidth is that of a plain loop that reads, or that adds two arrays. Divisions go in eight chains
 * at once. A ceiling is what the faster quarter of a probe's runs reached: otherwise noise could lift a share above 100 %.
 */
import { readFileSync } from "node:fs";
import { instantiate } from "../../src/runtime/instantiate.js";
import type { PackagedBuild } from "headwise";
import { measure, type Timing } from "../measure.js";

/** A binary of the build folder. */
export const binaryOf = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(new URL(`../../../${name}.wasm`, import.meta.url)));

/** Something to time, and what one run of it does: floating-point operations, or bytes. */
export interface Probe {
  readonly run: () => unknown;
  readonly amount: number;
}

const STEPS = 100_000;

/** Panels in one run of a tile: 8 keys of 256 channels are 8 KiB. */
const HEAD_DIM = 256;
const PANELS = 2;
const REPEATS = 200;

interface Ceilings {
  readonly memory: WebAssembly.Memory;
  readonly multiplyAdds: (steps: number) => number;
  readonly divisions: (steps: number) => number;
  readonly readAll: (ptr: number, bytes: number) => number;
  readonly addAll: (a: number, aStep: number, b: number, bStep: number, out: number, bytes: number) => void;
}

const ceilingsOf = (build: PackagedBuild): Ceilings =>
  new WebAssembly.Instance(new WebAssembly.Module(binaryOf(`ceilings-${build === "wide" ? "relaxed" : build}`)))
    .exports as unknown as Ceilings;

/** Multiply-adds at full speed; the fastest probe counts. */
export function peakProbes(build: PackagedBuild): Probe[] {
  const { multiplyAdds } = ceilingsOf(build);
  const { kernels, memory } = instantiate("ceilings", binaryOf(build), { initialBytes: 2 ** 17, maximumBytes: 2 ** 17 });
  const q = 2 ** 15;
  memory.f32.fill(1, q / 4); // pages never written to are all one physical page: AMD's L1 finds it in one place at a time
  const k = q + 2 ** 14;
  const scores = k + 2 ** 15;
  const tile = (rows: number): Probe => ({
    run: () => {
      for (let repeat = 0; repeat < REPEATS; repeat++) kernels.multiplyStrip(rows, q, k, scores, HEAD_DIM, PANELS);
    },
    amount: REPEATS * PANELS * rows * 8 * HEAD_DIM * 2,
  });
  return [{ run: () => multiplyAdds(STEPS), amount: STEPS * 96 }, tile(4), tile(6)];
}

/** Divisions of float32 at full speed. */
export function divisionProbe(build: PackagedBuild): Probe {
  const { divisions } = ceilingsOf(build);
  return { run: () => divisions(STEPS), amount: STEPS * 32 };
}

const LOOP_BYTES = 2 ** 16;

/** Reading `bytes` bytes again and again, at least 4 MiB a run. */
export function readProbe(build: PackagedBuild, bytes: number): Probe {
  const { memory, readAll } = ceilingsOf(build);
  memory.grow(Math.ceil(bytes / LOOP_BYTES));
  new Uint8Array(memory.buffer).fill(1); // see peakProbes: such a page would always be in L1
  const repeats = Math.ceil(2 ** 22 / bytes);
  return {
    run: () => {
      for (let repeat = 0; repeat < repeats; repeat++) readAll(LOOP_BYTES, bytes);
    },
    amount: repeats * bytes,
  };
}

/** The sizes of a sum, in bytes, and whether it overwrites a. */
export interface SumSizes {
  readonly a: number;
  readonly b: number;
  readonly out: number;
  readonly isInPlace: boolean;
}

const wholeLines = (bytes: number): number => 64 * Math.ceil(bytes / 64);

/** A plain loop that adds arrays of such sizes; of one that is shorter than the result, a single line. */
export function addProbe(build: PackagedBuild, { a, b, out, isInPlace }: SumSizes): Probe {
  const { memory, addAll } = ceilingsOf(build);
  const aPtr = LOOP_BYTES;
  const bPtr = aPtr + wholeLines(a);
  const outPtr = isInPlace ? aPtr : bPtr + wholeLines(b);
  memory.grow(Math.ceil((wholeLines(a) + wholeLines(b) + wholeLines(out)) / LOOP_BYTES));
  new Float32Array(memory.buffer).fill(1);
  const stepOf = (bytes: number): number => (bytes === out ? 64 : 0);
  return { run: () => addAll(aPtr, stepOf(a), bPtr, stepOf(b), outPtr, wholeLines(out)), amount: a + b + out };
}

/** Times the contestants in rotation with the probes; the ceiling is that of the fastest probe, in billions per second. */
export function measureAgainst(
  probes: readonly Probe[],
  contestants: readonly (() => unknown)[],
): { timings: Timing[]; ceiling: number } {
  const timings = measure([...contestants, ...probes.map(({ run }) => run)]);
  const reached = probes.map(({ amount }, index) => amount / timings[contestants.length + index]!.spread[0] / 1e6);
  return { timings: timings.slice(0, contestants.length), ceiling: Math.max(...reached) };
}

/** Times `run` against the peak of its build, in GFLOP/s. */
export function measureAgainstPeak(build: PackagedBuild, run: () => unknown): { timing: Timing; peak: number } {
  const { timings, ceiling } = measureAgainst(peakProbes(build), [run]);
  return { timing: timings[0]!, peak: ceiling };
}
