/** One of the two engines. */
import type { createEngine, Engine, EngineOptions, PackagedBuild } from "headwise";

export interface Contender {
  readonly engine: Engine;
  readonly threads: number;
  /** What differs from the request. */
  readonly note?: string;
}

/** Opens an engine; versions without threads run on one. */
export async function open(create: typeof createEngine, build: PackagedBuild, threads: number | undefined): Promise<Contender> {
  if (threads === undefined) return { engine: await withProducts(create, { build }), threads: 1 };
  const engine = await withProducts(create, { build, threads }).catch((error: unknown) => {
    if (error instanceof TypeError) return undefined; // an unknown option
    throw error;
  });
  if (!engine)
    return { engine: await withProducts(create, { build }), threads: 1, note: 'has no option "threads" and runs on one' };
  const { threads: running, threadsReason } = engine.info;
  if (running === threads) return { engine, threads };
  return { engine, threads: running, note: `runs on ${running} of ${threads} threads: ${threadsReason}` };
}

/** An engine with matrix products, which some versions have only on request. */
async function withProducts(create: typeof createEngine, options: EngineOptions): Promise<Engine> {
  const engine = await create(options);
  if ("matmul" in engine) return engine;
  (engine as Engine).dispose();
  return create({ ...options, operations: "all" } as EngineOptions);
}
