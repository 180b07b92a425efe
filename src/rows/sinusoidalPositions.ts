/** Sinusoidal position embeddings: sines and cosines of the angles of rotary embeddings, side by side. */
import { Call } from "../call/call.js";
import type { Operation } from "../call/operation.js";
import type { ResultTensor } from "../call/tensor.js";
import { integer, MAX_POSITION, wrongValue } from "../check.js";
import type { Runtime } from "../runtime/runtime.js";
import { rotaryTables } from "./rotary.js";

/** Options of `sinusoidalPositions`. */
export interface SinusoidalPositionsOptions {
  /** Positions, from 0 on. */
  length: number;
  /** Channels of each position, an even number. */
  dim: number;
}

export const SINUSOIDAL_POSITIONS: Operation = {
  name: "sinusoidalPositions",
  options: ["length", "dim"],
  foreign: { length: "max maxlen maxseqlen maxposition seqlen", dim: "dmodel embeddim channels" },
  places: [],
};

/**
 * See `Engine.sinusoidalPositions`.
 * @internal
 */
export function sinusoidalPositions(runtime: Runtime, options: SinusoidalPositionsOptions): ResultTensor {
  const operation = SINUSOIDAL_POSITIONS.name;
  const [, given] = Call.of(runtime, SINUSOIDAL_POSITIONS, options);
  const length = integer(operation, "length", given.length, 0, MAX_POSITION);
  const dim = integer(operation, "dim", given.dim, 2, 2 ** 20);
  if (dim % 2 === 1) throw wrongValue(operation, `"dim" must be even, a sine and a cosine for each frequency, got ${dim}`);
  runtime.assertAlive(operation);

  const { cos, sin } = rotaryTables(runtime, { length, rotaryDim: dim }, operation);
  const data = new Float32Array(length * dim);
  for (let index = 0; index < sin.data.length; index++) {
    data[2 * index] = sin.data[index]!;
    data[2 * index + 1] = cos.data[index]!;
  }
  return { type: "float32", data, dims: [length, dim] };
}
