/** Timing: contestants take turns, round by round, so that what the machine does besides hits all of them alike. */
import { Bench } from "tinybench";

/** Milliseconds a call. */
export interface Timing {
  readonly median: number;
  /** First and third quartile. */
  readonly spread: readonly [number, number];
  readonly calls: number;
}

export interface MeasureOptions {
  /** How often each contestant's turn comes. */
  readonly rounds?: number;
  /** Milliseconds of a turn; at least one call is made. */
  readonly turn?: number;
  /** Calls before the first turn, for the compiler. */
  readonly warmups?: number;
}

/** Times each contestant; nothing else should run meanwhile. */
export const measure = (contestants: readonly (() => unknown)[], options: MeasureOptions = {}): Timing[] =>
  measureRounds(contestants, options).map((rounds) => summarise(rounds.flat()));

/** The same, sample by sample: [contestant][round]. */
export function measureRounds(
  contestants: readonly (() => unknown)[],
  { rounds = 9, turn = 60, warmups = 3 }: MeasureOptions = {},
): number[][][] {
  const samples = contestants.map((): number[][] => []);
  for (const contestant of contestants) for (let call = 0; call < warmups; call++) contestant();
  for (let round = 0; round < rounds; round++) {
    const bench = new Bench({ time: turn, iterations: 1, warmup: false, retainSamples: true });
    for (const [index, contestant] of contestants.entries()) bench.add(String(index), contestant);
    for (const [index, task] of bench.runSync().entries()) {
      if (task.result.state !== "completed") throw new Error(`contestant ${index} did not complete`);
      samples[index]!.push([...(task.result.latency.samples ?? [])]);
    }
  }
  return samples;
}

/** Median and quartiles. */
export function summarise(samples: readonly number[]): Timing {
  const sorted = Float64Array.from(samples).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  return { median: at(0.5), spread: [at(0.25), at(0.75)], calls: sorted.length };
}

/** Billions of operations a second. */
export const gigaPerSecond = (operations: number, { median }: Timing): number => operations / median / 1e6;
