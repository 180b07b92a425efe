/** Two engines on one shape: both are checked, then they alternate, so that other load on the machine affects both equally. */
import type { Engine } from "headwise";
import { checkedError } from "../correctness.js";
import { inputsOf } from "../data.js";
import { measureRounds, summarise, type Timing } from "../measure.js";
import { type AttentionShape, optionsOf } from "../shapes.js";
import { type Io, prepare } from "./contender.js";

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

export async function duel(engines: Pair<Engine>, shape: AttentionShape, io: Io, rounds: number, step: Step): Promise<Row> {
  const parity = await check(engines, shape, step);
  const [ref, tree] = [prepare(engines.ref, shape, io), prepare(engines.tree, shape, io)];
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
    shape: shape.name,
    io,
    milliseconds: { ref: summarise(samples.ref), tree: summarise(samples.tree) },
    ratio: { median, spread },
    verdict: spread[1] < 1 ? "faster" : spread[0] > 1 ? "slower" : "same",
    ...parity,
  };
}

/** Compares both with the reference and with each other. */
async function check(
  engines: Pair<Engine>,
  shape: AttentionShape,
  step: Step,
): Promise<Pick<Row, "error" | "differing" | "elements">> {
  await step("checks REF");
  const ofRef = errorOf("REF", engines.ref, shape);
  await step("checks the working tree");
  const error = { ref: ofRef, tree: errorOf("the working tree", engines.tree, shape) };
  await step("compares bits");
  const { q, k, v } = inputsOf(shape);
  const [ref, tree] = [engines.ref, engines.tree].map((engine) => engine.scaledDotProductAttention(q, k, v, optionsOf(shape)).data);
  return { error, differing: countDiffering(ref!, tree!), elements: ref!.length };
}

function errorOf(name: string, engine: Engine, shape: AttentionShape): number {
  try {
    return checkedError(engine, shape);
  } catch (cause) {
    throw new Error(`${name}: ${(cause as Error).message}`, { cause });
  }
}

/** Elements that differ in bits. */
function countDiffering(a: Float32Array, b: Float32Array): number {
  const [bitsOfA, bitsOfB] = [a, b].map(({ buffer, byteOffset, length }) => new Uint32Array(buffer, byteOffset, length));
  return bitsOfA!.reduce((count, bits, index) => count + Number(bits !== bitsOfB![index]), 0);
}
