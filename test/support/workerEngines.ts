/** Engines in a worker for tests, and an engine here to compare them with. */
import { afterAll, afterEach } from "vitest";
import { createEngine, createWorkerEngine, type WorkerEngine, type ResultTensor, type WorkerEngineOptions } from "headwise";
import { normal } from "./random.js";

/** An engine here, called as if it were in a worker: `await` works on both. */
export async function openHere(build: "simd" | "relaxed"): Promise<WorkerEngine> {
  return (await createEngine({ build })) as unknown as WorkerEngine;
}

export const openThere = (build: "simd" | "relaxed"): Promise<WorkerEngine> => createWorkerEngine({ build });

const opened: WorkerEngine[] = [];
/** An engine that is disposed of after the test. */
export async function open(options: WorkerEngineOptions = {}): Promise<WorkerEngine> {
  const engine = await createWorkerEngine({ build: "simd", ...options });
  opened.push(engine);
  return engine;
}
/** Shared by tests that leave it unchanged. */
export const shared = await createWorkerEngine({ build: "simd" });
/** The same on the calling thread. */
export const here = await createEngine({ build: "simd" });
afterEach(() => Promise.all(opened.splice(0).map((engine) => engine.dispose())));
afterAll(() => shared.dispose());

export const x = normal([1, 5, 2, 8], 1);
export const attend = (
  engine: WorkerEngine,
  options: Parameters<WorkerEngine["scaledDotProductAttention"]>[3] = {},
): Promise<ResultTensor> => engine.scaledDotProductAttention(x, x, x, options as object);
export const truth = here.scaledDotProductAttention(x, x, x);

/** A call that takes the worker some 0.1 to 0.5 s. */
export const large = normal([1, 1024, 8, 64], 1);
export const busy = (engine: WorkerEngine, options = {}): Promise<ResultTensor> =>
  engine.scaledDotProductAttention(large, large, large, options);

/** The same value with bits in place of float32 numbers. */
export function bitsIn(value: unknown): unknown {
  if (value instanceof Float32Array) return { bits: [...new Uint32Array(value.slice().buffer)] };
  if (ArrayBuffer.isView(value) || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(bitsIn);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, bitsIn(each)]));
}
