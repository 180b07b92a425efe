/** Two engines on one call: both are checked, then they alternate, so that other load on the machine affects both equally. */
import type { Engine } from "headwise";
import { measureRounds, summarise, type Timing } from "../measure.js";
import type { Answer, ComparedCall, Io } from "./calls.js";

export interface Pair<T> {
  readonly ref: T;
  readonly tree: T;
}

export interface Row {
  readonly shape: string;
  readonly io: Io;
  readonly milliseconds: Pair<Timing>;
  /** Time of the working tree as a multiple of the other's: the median over the rounds, first and third quartile. */
  readonly ratio: { readonly median: number; readonly spread: readonly [number, number] };
  /** The verdict on the working tree; "same" where 1 lies between the quartiles. */
  readonly verdict: "faster" | "slower" | "same";
  readonly error: Pair<number>;
  /** Elements of the result whose bits differ between the two, and the number of all elements. */
  readonly differing: number;
  readonly elements: number;
}

/** Warm-up rounds that do not count: V8 is still compiling. */
const WARM_UP = 6;

/** Reports progress, and lets signals be handled. */
type Step = (text: string) => Promise<void>;

export async function duel(engines: Pair<Engine>, call: ComparedCall, rounds: number, step: Step): Promise<Row> {
  const parity = await check(engines, call, step);
  const [ref, tree] = [call.prepare(engines.ref), call.prepare(engines.tree)];
  const samples: Pair<number[]> = { ref: [], tree: [] };
  const ratios: number[] = [];
  const calls = [ref.run, tree.run];
  let round = -WARM_UP;
  for (const [refCalls, treeCalls] of measureRounds(calls, { rounds: WARM_UP + rounds })) {
    await step(++round > 0 ? `${round} of ${rounds} rounds` : "warms up");
    if (round <= 0) continue;
    samples.ref.push(...refCalls!);
    samples.tree.push(...treeCalls!);
    ratios.push(summarise(treeCalls!).median / summarise(refCalls!).median);
  }
  ref.dispose();
  tree.dispose();

  const { median, spread } = summarise(ratios);
  return {
    shape: call.shape,
    io: call.io,
    milliseconds: { ref: summarise(samples.ref), tree: summarise(samples.tree) },
    ratio: { median, spread },
    verdict: spread[1] < 1 ? "faster" : spread[0] > 1 ? "slower" : "same",
    ...parity,
  };
}

/** Compares both with the reference and with each other. */
async function check(
  engines: Pair<Engine>,
  call: ComparedCall,
  step: Step,
): Promise<Pick<Row, "error" | "differing" | "elements">> {
  await step("checks REF");
  const ref = answerOf("REF", engines.ref, call);
  await step("checks the working tree");
  const tree = answerOf("the working tree", engines.tree, call);
  return {
    error: { ref: ref.error, tree: tree.error },
    differing: countDiffering(ref.data, tree.data),
    elements: ref.data.length,
  };
}

function answerOf(name: string, engine: Engine, call: ComparedCall): Answer {
  try {
    return call.check(engine);
  } catch (cause) {
    throw new Error(`${name}: ${(cause as Error).message}`, { cause });
  }
}

/** Elements that differ in bits. */
function countDiffering(a: Float32Array, b: Float32Array): number {
  const [bitsOfA, bitsOfB] = [a, b].map(({ buffer, byteOffset, length }) => new Uint32Array(buffer, byteOffset, length));
  return bitsOfA!.reduce((count, bits, index) => count + Number(bits !== bitsOfB![index]), 0);
}
