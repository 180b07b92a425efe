/** Two copies of the package in one program: two versions of it, its two formats, or a test runner's copy for each test. */
import { afterAll, describe, expect, test, vi } from "vitest";
import * as headwise from "headwise";
import { createEngineSync } from "headwise/sync";
import { normal } from "./support/random.js";

const x = normal([3, 2], 1);
vi.resetModules();
const other = { ...(await import("headwise")), ...(await import("headwise/sync")) };
const engine = createEngineSync({ build: "simd" });
const foreign = other.createEngineSync({ build: "simd" });
const truth = engine.scaledDotProductAttention(x, x, x).data;
afterAll(() => {
  for (const each of [engine, foreign]) each.dispose();
});
const layerOf = (maker: headwise.Engine) => {
  const matrix = normal([2, 2], 2);
  return maker.createMultiHeadAttention({ embedDim: 2, numHeads: 1 }, { q: matrix, k: matrix, v: matrix, out: matrix });
};

test("they are two", () => {
  expect(other.createEngine).not.toBe(headwise.createEngine);
  expect(foreign).not.toBeInstanceOf(engine.constructor);
});

describe("what another copy has made", () => {
  test("a tensor counts as an array, also as a place", () => {
    const [placed, out] = [foreign.tensor([3, 2]), foreign.tensor([3, 2])];
    placed.data.set(x.data);
    expect(engine.scaledDotProductAttention(placed, placed, placed, { out })).toBe(out);
    expect([...out.data]).toEqual([...truth]);
  });

  test("a cache's bytes restore", () => {
    const cache = foreign.createKVCache({ numKvHeads: 1, headDim: 2, capacity: 3 });
    cache.append(x, x);
    const { data } = engine.scaledDotProductAttention(x, x, x, { causal: true });
    expect([...engine.restoreKVCache(cache.serialize()).attend(x).data]).toEqual([...data]);
  });

  test("a cache or a packed matrix is named as such", () => {
    const cache = layerOf(foreign).createCache({ capacity: 3 });
    expect(() => layerOf(engine).forward(x, { cache })).toThrow(
      new TypeError(
        'MultiHeadAttention.forward: "cache" must be a KVCache, got an object of kind KVCache, made by another copy of headwise',
      ),
    );
    const packed = foreign.packMatrix(x);
    expect(() => engine.matmul(normal([2, 3], 3), packed)).toThrow(
      /^matmul: "b" must be .*, got an object of kind PackedMatrix, made by another copy of headwise$/,
    );
    expect(() => engine.matmul(normal([2, 3], 3), cache as never)).toThrow(/made by another copy of headwise$/);
    expect(() => engine.matmul(x, {} as never)).toThrow(/got an object$/);
    expect(() => engine.matmul(x, engine.createKVCache({ numKvHeads: 1, headDim: 2, capacity: 3 }) as never)).toThrow(
      /got an object of kind KVCache$/,
    );
  });

  test("an object in a worker belongs to another engine", async () => {
    const [mine, theirs] = [await headwise.createWorkerEngine(), await other.createWorkerEngine()];
    const [tensor, packed] = [await theirs.tensor([3, 2]), foreign.packMatrix(x)];
    const problem = "belongs to another engine";
    await expect(mine.softmax(tensor)).rejects.toThrow(new RangeError(`softmax: argument 1 ${problem}`));
    await expect(mine.matmul(x, packed as never)).rejects.toThrow(new RangeError(`matmul: argument 2 ${problem}`));
    await expect(mine.rmsNorm(x, { weight: tensor })).rejects.toThrow(new RangeError(`rmsNorm: "weight" ${problem}`));
    for (const each of [mine, theirs]) await each.dispose();
  });
});
