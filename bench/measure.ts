/** Timing: contestants alternate, round by round, so that other load on the machine affects all of them equally. */
import { Bench } from "tinybench";

/** Milliseconds per call. */
export interface Timing {
  readonly median: number;
  /** First and third quartile. */
  readonly spread: readonly [number, number];
  readonly calls: number;
}

export interface MeasureOptions {
  /** Turns of each contestant. */
  readonly rounds?: number;
  /** Milliseconds per turn, which is at least one call. */
  readonly turn?: number;
  /** Warm-up calls before the first turn, for the compiler. */
  readonly warmups?: number;
}

/** Times each contestant; nothing else should be running. */
export function measure(contestants: readonly (() => unknown)[], options: MeasureOptions = {}): Timing[] {
  const samples = contestants.map((): number[] => []);
  for (const round of measureRounds(contestants, options))
    for (const [index, calls] of round.entries()) samples[index]!.push(...calls);
  return samples.map(summarise);
}

/** The same, round by round: the milliseconds of each contestant's calls. The first contestant changes with every round. */
export function* measureRounds(
  contestants: readonly (() => unknown)[],
  { rounds = 9, turn = 60, warmups = 3 }: MeasureOptions = {},
): Generator<readonly number[][]> {
  for (const contestant of contestants) for (let call = 0; call < warmups; call++) contestant();
  for (let round = 0; round < rounds; round++) {
    const bench = new Bench({ time: turn, iterations: 1, warmup: false, retainSamples: true });
    const order = contestants.map((_, index) => (index + round) % contestants.length);
    for (const index of order) bench.add(String(index), contestants[index]!);
    const samples: number[][] = [];
    for (const { name, result } of bench.runSync()) {
      if (result.state !== "completed") throw new Error(`contestant ${name} did not complete`);
      samples[Number(name)] = [...(result.latency.samples ?? [])];
    }
    yield samples;
  }
}

/** Median and quartiles. */
export function summarise(samples: readonly number[]): Timing {
  const sorted = Float64Array.from(samples).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  return { median: at(0.5), spread: [at(0.25), at(0.75)], calls: sorted.length };
}

/** Billions of operations per second. */
export const gigaPerSecond = (operations: number, { median }: Timing): number => operations / median / 1e6;
