/** One of the two engines, and its calls. */
import type { createEngine, Engine, PackagedBuild } from "headwise";
import { type ResidentCall, residentCall } from "../context.js";
import { inputsOf } from "../data.js";
import { type AttentionShape, optionsOf } from "../shapes.js";

export interface Contender {
  readonly engine: Engine;
  readonly threads: number;
  /** What differs from the request. */
  readonly note?: string;
}

/** Arrays copied in and out at each call, or inputs and result in the engine's memory. */
export type Io = "copy" | "resident";

/** Opens an engine; versions without threads run on one. */
export async function open(create: typeof createEngine, build: PackagedBuild, threads: number | undefined): Promise<Contender> {
  if (threads === undefined) return { engine: await create({ build }), threads: 1 };
  const engine = await create({ build, threads }).catch((error: unknown) => {
    if (error instanceof TypeError) return undefined; // an unknown option
    throw error;
  });
  if (!engine) return { engine: await create({ build }), threads: 1, note: 'has no option "threads" and runs on one' };
  const { threads: running, threadsReason } = engine.info;
  if (running === threads) return { engine, threads };
  return { engine, threads: running, note: `runs on ${running} of ${threads} threads: ${threadsReason}` };
}

/** The same call of the shape, again and again. */
export function prepare(engine: Engine, shape: AttentionShape, io: Io): ResidentCall {
  if (io === "resident") return residentCall(engine, shape);
  const { q, k, v } = inputsOf(shape);
  const options = optionsOf(shape);
  return { run: () => engine.scaledDotProductAttention(q, k, v, options), dispose: () => undefined };
}
