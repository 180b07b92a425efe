/** Sinusoidal position embeddings. */
import { type BitsCase, casesOf } from "./bits/case.js";

const positions = casesOf("sinusoidalPositions", "Engine.sinusoidalPositions");

export default [
  positions("any length and channels", (engine, inputs) => ({
    out: engine.sinusoidalPositions({ length: inputs.integer(200, 900), dim: 2 * inputs.integer(3, 20) }).data,
  })),
] satisfies readonly BitsCase[];
