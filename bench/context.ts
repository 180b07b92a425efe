/** Shared by all sections of the bench: engines, tensors in their memory, and the form of a table row. */
import { createEngine, type Engine, type EngineTensor, type PackagedBuild } from "headwise";
import { inputsOf, type Tensor } from "./data.js";
import type { Timing } from "./measure.js";
import { type AttentionShape, optionsOf } from "./shapes.js";

/** Cells by the names of their columns; numbers are not rounded. */
export type Row = Record<string, string | number | undefined>;

export interface Context {
  readonly builds: readonly PackagedBuild[];
  readonly threads: number;
  /** Whether a shape was requested by name. */
  readonly wants: (name: string) => boolean;
  /** Reports what is being measured. */
  readonly progress: (text: string) => void;
}

export interface Section {
  readonly name: string;
  readonly title: string;
  readonly run: (context: Context) => Promise<Row[]> | Row[];
}

export const timingCells = ({ median, spread: [low, high] }: Timing, unit: "ms" | "µs" = "ms"): Row => {
  const factor = unit === "µs" ? 1000 : 1;
  return { [unit]: factor * median, "1st quartile": factor * low, "3rd quartile": factor * high };
};

/** An engine with the requested number of threads; throws an Error with the reason if there are fewer. */
export async function openEngine(build: PackagedBuild, threads = 1): Promise<Engine> {
  const engine = await createEngine({ build, threads });
  if (engine.info.threads === threads) return engine;
  throw new Error(`${threads} threads were requested: ${engine.info.threadsReason}`);
}

/** A call whose tensors are in the engine's memory. */
export interface ResidentCall {
  readonly run: () => unknown;
  readonly dispose: () => void;
}

/** A tensor in the engine's memory. */
export function resident(engine: Engine, { data, dims }: Tensor): EngineTensor<"float32"> {
  const tensor = engine.tensor(dims);
  tensor.data.set(data);
  return tensor;
}

export function residentCall(engine: Engine, shape: AttentionShape): ResidentCall {
  const inputs = inputsOf(shape);
  const [q, k, v] = [resident(engine, inputs.q), resident(engine, inputs.k), resident(engine, inputs.v)];
  const out = engine.tensor(inputs.q.dims);
  const options = { ...optionsOf(shape), out };
  return {
    run: () => engine.scaledDotProductAttention(q, k, v, options),
    dispose: () => {
      for (const tensor of [q, k, v, out]) tensor.dispose();
    },
  };
}
