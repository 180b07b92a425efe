/** One new token that attends to a cache, as a call to be timed. */
import type { Engine, EngineTensor } from "headwise";
import { scaledDotProductAttention as reference } from "headwise/reference";
import { resident, type ResidentCall } from "./context.js";
import { TOLERANCE } from "./correctness.js";
import { normal } from "./data.js";
import type { DecodeShape } from "./shapes.js";

/** Random keys; longer caches repeat them, which does not change the result. */
const PERIOD = 512;

export const CACHE_TYPES = ["float32", "int8"] as const;
export type CacheType = (typeof CACHE_TYPES)[number];

/** Absolute, for values of about 1: several times the error of rounding to 127 steps. */
const INT8_TOLERANCE = 0.02;

export interface Decoding extends ResidentCall {
  readonly run: () => EngineTensor<"float32">;
  /** Largest absolute error of the result. */
  readonly error: number;
}

/** @throws {Error} the result is wrong */
export function decodingOf(engine: Engine, { numHeads, numKvHeads, headDim, kvLen }: DecodeShape, dtype: CacheType): Decoding {
  const period = Math.min(PERIOD, kvLen);
  const [k, v] = [normal([1, period, numKvHeads, headDim], 2), normal([1, period, numKvHeads, headDim], 3)];
  const q = normal([1, 1, numHeads, headDim], 1);
  const cache = engine.createKVCache({ numKvHeads, headDim, capacity: kvLen, dtype });
  for (let key = 0; key < kvLen; key += period) cache.append(k, v);
  const [query, out] = [resident(engine, q), engine.tensor(q.dims)];

  cache.attend(query, { out });
  const truth = reference(q, k, v);
  const error = truth.data.reduce((largest, value, index) => Math.max(largest, Math.abs(value - out.data[index]!)), 0);
  const tolerance = dtype === "int8" ? INT8_TOLERANCE : TOLERANCE * Math.sqrt(kvLen / period); // rounding errors add up like a random walk
  if (!(error <= tolerance)) throw new Error(`decode: error ${error}, no speed is reported on a wrong result`);
  return {
    run: () => cache.attend(query, { out }),
    error,
    dispose: () => {
      for (const held of [cache, query, out]) held.dispose();
    },
  };
}
