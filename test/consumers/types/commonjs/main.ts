/** A program that is compiled to CommonJS. */
import { type Asynchronous, causalMask, createEngine, type Engine, type KVCache, type ResultTensor } from "headwise";
import { createEngine as createAttentionEngine } from "headwise/attention";
import { scaledDotProductAttention as baseline } from "headwise/baseline";
import { scaledDotProductAttention as reference } from "headwise/reference";
import { createEngineSync } from "headwise/sync";
import sync = require("headwise/sync");

declare const console: { log(...values: unknown[]): void };

const x = { data: Float32Array.of(1, 0, 0, 1, 1, 1), dims: [3, 2] };
const show = (data: Float32Array | Float64Array): string => Array.from(data, (value) => value.toFixed(3)).join(" ");

/** Takes an engine that either format of the package has made. */
export function attend(engine: Engine, cache: KVCache = engine.createKVCache({ numKvHeads: 1, headDim: 2, capacity: 3 })): string {
  cache.append(x, x);
  const out: ResultTensor = cache.attend(x, { mask: causalMask(3) });
  return show(out.data);
}
export type Cache = Asynchronous<KVCache>;

async function main(): Promise<void> {
  const engine = await createEngine();
  const small = await createAttentionEngine();
  const lines = [
    attend(engine),
    attend(sync.createEngineSync()),
    show(createEngineSync().scaledDotProductAttention(x, x, x, { causal: true }).data),
    show(small.scaledDotProductAttention(x, x, x, { causal: true }).data),
    show(baseline(x, x, x, { causal: true }).data),
    show(reference(x, x, x, { causal: true }).data),
  ];
  // @ts-expect-error a misspelt option
  if (lines.length === 0) engine.scaledDotProductAttention(x, x, x, { casual: true });
  console.log(lines.join("\n"));
}
void main();
