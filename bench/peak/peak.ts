/**
 * The peak: the fastest that multiply-adds run on this host in a build's instructions, on one thread. The best of a probe that
 * lacks nothing but the loading of one operand, and of the kernels' own register tiles on data in L1.
 */
import { readFileSync } from "node:fs";
import { instantiate } from "../../src/runtime/instantiate.js";
import type { PackagedBuild } from "headwise";
import { gigaPerSecond, measure, type Timing } from "../measure.js";

/** A binary of the build folder. */
export const binaryOf = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(new URL(`../../../${name}.wasm`, import.meta.url)));

const STEPS = 100_000;
const PROBE_FLOPS = STEPS * 64;

/** Panels of a tile's run: 8 keys of 256 channels are 8 KiB. */
const HEAD_DIM = 256;
const PANELS = 2;
const REPEATS = 200;

/** Times `run` and, in turn with it, the probes; returns its timing and the peak in GFLOP/s. */
export function measureAgainstPeak(build: PackagedBuild, run: () => unknown): { timing: Timing; peak: number } {
  const probes = probesOf(build);
  const [timing, ...peaks] = measure([run, ...probes.map((probe) => probe.run)]);
  return { timing: timing!, peak: Math.max(...probes.map(({ flops }, index) => gigaPerSecond(flops, peaks[index]!))) };
}

function probesOf(build: PackagedBuild): { run: () => unknown; flops: number }[] {
  const { multiplyAdds } = new WebAssembly.Instance(new WebAssembly.Module(binaryOf(`peak-${build}`))).exports as {
    multiplyAdds: (steps: number) => number;
  };
  const { kernels } = instantiate("peak", binaryOf(build), 2 ** 17, 2 ** 17);
  const q = 2 ** 15;
  const k = q + 2 ** 14;
  const scores = k + 2 ** 15;
  const tile = (rows: number) => ({
    run: () => {
      for (let repeat = 0; repeat < REPEATS; repeat++) kernels.scoreStrip(rows, q, k, scores, HEAD_DIM, PANELS);
    },
    flops: REPEATS * PANELS * rows * 8 * HEAD_DIM * 2,
  });
  return [{ run: () => multiplyAdds(STEPS), flops: PROBE_FLOPS }, tile(4), tile(6)];
}
