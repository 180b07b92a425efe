/** What each host without import() computes, for a bundle that is a classic script, or with the single file of the package. */
import { createEngineSync } from "headwise/sync";
import { createEngine } from "headwise";

const x = { data: Float32Array.of(1, 0, 0, 1, 1, 1), dims: [3, 2] };

/** The numbers, and what `createEngine` says. */
globalThis.compute = async () => {
  const engine = createEngineSync();
  const numbers = Array.from(engine.scaledDotProductAttention(x, x, x, { causal: true }).data, (value) => value.toFixed(3));
  engine.dispose();
  return { numbers: numbers.join(" "), operations: typeof engine.matmul, engine: typeof createEngine };
};
