/** What a project's tests do with the package: the same file in Jest and in Vitest, in each of their environments. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createEngine, createWorkerEngine } from "headwise";
import { createEngine as createAttentionEngine } from "headwise/attention";
import { scaledDotProductAttention as baseline } from "headwise/baseline";
import * as reference from "headwise/reference";
import { createEngine as createStandaloneEngine } from "headwise/standalone";
import { createEngineSync as createStandaloneSync } from "headwise/standalone-sync";
import { createEngineSync } from "headwise/sync";

/** Enough rows to be shared among threads. */
const DIMS = [1, 153, 4, 64];
const COUNT = DIMS.reduce((product, size) => product * size, 1);
const tensor = (seed) => ({ data: Float32Array.from({ length: COUNT }, (_, index) => Math.sin(seed + index)), dims: DIMS });
const [q, k, v] = [tensor(1), tensor(2), tensor(3)];
const mask = { data: Uint8Array.from({ length: 153 * 153 }, (_, index) => Number(index % 7 > 0)), dims: [153, 153] };
const truth = reference.scaledDotProductAttention(q, k, v, { causal: true, mask });

function expectNear(data, expected) {
  expect(data.length).toBe(expected.length);
  let error = 0;
  for (const [index, value] of expected.entries()) error = Math.max(error, Math.abs(data[index] - value)); // NaN stays
  expect(error).toBeLessThan(1e-6);
}
function expectTruth({ dims, data }) {
  expect(dims).toEqual(DIMS);
  expectNear(data, truth.data);
}

test.each([
  ["createEngine", createEngine],
  ["createEngine of headwise/attention", createAttentionEngine],
  ["createEngine of headwise/standalone", createStandaloneEngine],
  ["createEngineSync", createEngineSync],
  ["createEngineSync of headwise/standalone-sync", createStandaloneSync],
])("%s", async (_, create) => {
  const engine = await create();
  expectTruth(engine.scaledDotProductAttention(q, k, v, { causal: true, mask }));
  const placed = engine.tensor(DIMS);
  placed.data.set(q.data);
  expectTruth(engine.scaledDotProductAttention(placed, k, v, { causal: true, mask, out: placed }));
  engine.dispose();
});

test("headwise/baseline", () => {
  const { data } = baseline(q, k, v, { causal: true });
  expectNear(data, reference.scaledDotProductAttention(q, k, v, { causal: true }).data);
});

test("two threads have the bits of one", async () => {
  const [one, two] = [await createEngine(), await createEngine({ threads: 2 })];
  expect([two.info.threads, two.info.threadsReason]).toEqual([2, undefined]);
  const [expected, found] = [one, two].map((engine) => engine.scaledDotProductAttention(q, k, v));
  expect(found.data).toEqual(expected.data);
  for (const engine of [one, two]) engine.dispose();
});

test("an engine in a worker", async () => {
  const engine = await createWorkerEngine();
  expectTruth(await engine.scaledDotProductAttention(q, k, v, { causal: true, mask }));
  await engine.dispose();
});

test("a cache, saved and restored", async () => {
  const engine = await createEngine();
  const cache = engine.createKVCache({ numKvHeads: 4, headDim: 64, capacity: 153 });
  cache.append(k, v);
  expectTruth(engine.restoreKVCache(cache.serialize()).attend(q, { causal: true, mask }));
  engine.dispose();
});

test("kernels from a file: its URL, its bytes, and a module of them, which runs on one thread", async () => {
  const file = resolve("node_modules/headwise/dist/wasm/simd.wasm");
  const bytes = readFileSync(file);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  for (const wasm of [pathToFileURL(file), pathToFileURL(file).href, bytes, buffer]) {
    const engine = await createEngine({ wasm, threads: 2 });
    expect(engine.info.threads).toBe(2);
    engine.dispose();
  }
  const alone = await createEngine({ wasm: await WebAssembly.compile(bytes), threads: 2 });
  expect(alone.info.threadsReason).toBe('the module in "wasm" was compiled for memory that threads cannot share');
  alone.dispose();
});

test("errors are those of the test's realm", () => {
  const engine = createEngineSync();
  expect(() => engine.scaledDotProductAttention(q, { ...k, dims: [1] }, v)).toThrow(RangeError);
  expect(() => engine.scaledDotProductAttention(q, "k", v)).toThrow(TypeError);
  engine.dispose();
});
