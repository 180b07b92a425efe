/** The entry for attention alone: the same names as `headwise`, and engines without the other operations. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as all from "headwise";
import * as attention from "headwise/attention";
import { bitsIn } from "./support/workerEngines.js";
import { normal } from "./support/random.js";

const x = normal([1, 9, 2, 8], 1);
const expected = bitsIn((await all.createEngine({ build: "simd" })).scaledDotProductAttention(x, x, x, { causal: true }).data);
const kernels = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(new URL(`../dist/wasm/${name}.wasm`, import.meta.url)));

test("has the same names, but for those of operations that it lacks", () => {
  const missing = Object.keys(all).filter((name) => !(name in attention));
  expect(missing.filter((name) => !name.startsWith("multiHeadFrom"))).toEqual(["t5RelativeBias", "ACTIVATIONS"]);
  expect(Object.keys(attention).filter((name) => !(name in all))).toEqual([]);
});

test("an engine: the bits of the other entry, and no more than attention", async () => {
  const engine = await attention.createEngine({ build: "simd" });
  expect(bitsIn(engine.scaledDotProductAttention(x, x, x, { causal: true }).data)).toEqual(expected);
  expect("matmul" in engine).toBe(false);
  const cache = engine.createKVCache({ numKvHeads: 2, headDim: 8, capacity: 9 });
  cache.append(x, x);
  expect(bitsIn(cache.attend(x).data)).toEqual(expected);
  expect(() => cache.remove(0, 3, { rotary: {} })).toThrow(
    new RangeError('KVCache.remove: "rotary" needs an engine of "headwise"'),
  );
  cache.remove(0, 3);
  expect(bitsIn(cache.read().k.data)).toEqual(bitsIn(x.data.slice(3 * 16)));
  engine.dispose();
});

test("positions: slopes and a table have the bits of the other entry, keys of distances are refused", async () => {
  const engine = await attention.createEngine({ build: "simd" });
  const positions = { alibiSlopes: attention.alibiSlopes(2), relativeBias: normal([2, 7], 2) };
  const truth = (await all.createEngine({ build: "simd" })).scaledDotProductAttention(x, x, x, positions).data;
  expect(bitsIn(truth)).not.toEqual(bitsIn(engine.scaledDotProductAttention(x, x, x).data));
  expect(bitsIn(engine.scaledDotProductAttention(x, x, x, positions).data)).toEqual(bitsIn(truth));
  for (const [name, dims] of [["relativeKeys", [3, 1, 8]] as const, ["contentBias", [2, 8]] as const]) {
    expect(() => engine.scaledDotProductAttention(x, x, x, { [name]: normal(dims, 3) })).toThrow(
      new RangeError(`scaledDotProductAttention: "${name}" needs an engine of "headwise"`),
    );
  }
  engine.dispose();
});

test("an engine in a worker: the same", async () => {
  const engine = await attention.createWorkerEngine({ build: "simd" });
  expect(bitsIn((await engine.scaledDotProductAttention(x, x, x, { causal: true })).data)).toEqual(expected);
  expect("matmul" in engine).toBe(false);
  await engine.dispose();
});

test("kernels of attention alone serve this entry only; the others serve both", async () => {
  const [few, many] = [kernels("attention-simd"), kernels("simd")];
  for (const wasm of [few, many]) {
    const engine = await attention.createEngine({ wasm });
    expect(bitsIn(engine.scaledDotProductAttention(x, x, x, { causal: true }).data)).toEqual(expected);
    engine.dispose();
  }
  await expect(all.createEngine({ wasm: few })).rejects.toThrow(
    new RangeError('createEngine: "wasm" holds only the kernels of attention, which headwise/attention takes'),
  );
});
