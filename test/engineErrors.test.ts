/** What engines and their tensors refuse, word for word, and what happens when memory runs out. */
import { describe, expect, test } from "vitest";
import { createEngine } from "headwise";
import { createEngineSync } from "headwise/sync";
import { openBuild } from "./support/builds.js";
import { normal } from "./support/random.js";

const engine = openBuild("simd");

describe("memory that runs out", () => {
  const small = createEngineSync({ build: "simd", maximumMemory: 2 ** 20 });

  test("a call that needs more than maximumMemory reports how much, and changes nothing", () => {
    const wide = normal([400, 400], 1);
    const out = { data: new Float32Array(160_000).fill(7), dims: [400, 400] };
    const before = small.info.memory;
    expect(() => small.scaledDotProductAttention(wide, wide, wide, { out })).toThrow(
      /^scaledDotProductAttention: needs \d+ bytes of memory, but info.memory.limit is 1048576$/,
    );
    expect(small.info.memory).toEqual(before);
    expect(out.data).toEqual(new Float32Array(160_000).fill(7));
    const fits = normal([20, 20], 1);
    expect(small.scaledDotProductAttention(fits, fits, fits).dims).toEqual([20, 20]);
  });

  test("so does a call whose result no array could hold", () => {
    const q = { data: new Float32Array(2 ** 20), dims: [2 ** 20, 1] };
    const k = { data: new Float32Array(1), dims: [1, 1] };
    const v = { data: new Float32Array(2 ** 14), dims: [1, 2 ** 14] };
    expect(() => engine.scaledDotProductAttention(q, k, v)).toThrow(
      /^scaledDotProductAttention: needs \d+ bytes of memory.*, but info.memory.limit is 4294967296$/,
    );
  });

  test("so does a tensor", () => {
    const one = small.tensor([100]);
    expect(() => small.tensor([2 ** 18])).toThrow(RangeError);
    expect(() => small.tensor([2 ** 18])).toThrow(
      /^tensor: needs \d+ bytes of memory \(1048576 beyond the \d+ that .*\), but info.memory.limit is 1048576$/,
    );
    expect(small.info.memory.inUse).toBe(448);
    one.dispose();
  });

  test("sizes whose product wraps 32 bits are refused", () => {
    expect(() => small.tensor([65536, 65536])).toThrow(RangeError);
    expect(() => small.tensor([2 ** 30, 2 ** 30, 2 ** 30])).toThrow(RangeError);
    expect(() => small.tensor([2 ** 31, 0])).toThrow(
      new RangeError('tensor: "dims[0]" must be an integer from 0 to 1073741824, got 2147483648'),
    );
  });
});

describe("tensor refuses", () => {
  test.each([
    [() => engine.tensor("3" as unknown as number[]), new TypeError('tensor: "dims" must be an array of sizes, got "3"')],
    [() => engine.tensor([-1]), new RangeError('tensor: "dims[0]" must be an integer from 0 to 1073741824, got -1')],
    [() => engine.tensor([1], "int8" as "uint8"), new RangeError('tensor: "type" must be "float32" or "uint8", got "int8"')],
    [() => engine.tensor([2, 3]).reshape([4]), new RangeError('reshape: "dims" [4] hold 4 elements, expected 2 × 3 = 6')],
  ])("%#", (call, error) => {
    expect(call).toThrow(error);
  });
});

describe("createEngine refuses", () => {
  test.each([
    [{ build: "fast" }, RangeError, 'createEngine: "build" must be one of "auto", "simd", "relaxed", "wide", got "fast"'],
    [{ thread: 2 }, TypeError, 'createEngine: unknown option "thread"; did you mean "threads"?'],
    [{ threads: 0 }, RangeError, 'createEngine: "threads" must be an integer from 1 to 64, got 0'],
    [{ threads: "many" }, RangeError, 'createEngine: "threads" must be "auto" or an integer from 1 to 64, got "many"'],
    [{ createWorker: 3 }, TypeError, 'createEngine: "createWorker" must be a function that returns a worker, got 3'],
    [{ stallTimeout: 0 }, RangeError, 'createEngine: "stallTimeout" must be an integer from 1 to 2147483647, got 0'],
    [{ maximumMemory: 100 }, RangeError, 'createEngine: "maximumMemory" must be an integer from 65536 to 4294967296, got 100'],
    [
      { initialMemory: 2 ** 21, maximumMemory: 2 ** 20 },
      RangeError,
      'createEngine: "initialMemory" must be an integer from 0 to 1048576, got 2097152',
    ],
    [{ initialMemory: "1" }, TypeError, 'createEngine: "initialMemory" must be an integer from 0 to 4294967296, got "1"'],
    [{ wasm: 7 }, TypeError, 'createEngine: "wasm" must be a WebAssembly.Module, bytes, a Response or a URL, got 7'],
    [
      { wasm: Uint8Array.of(1, 2, 3) },
      TypeError,
      'createEngine: "wasm" must hold a WebAssembly module, got 3 bytes that do not begin like one',
    ],
  ])("%o", async (options, kind, message) => {
    await expect(createEngine(options as never)).rejects.toThrow(new kind(message));
  });

  test("the sync form does not take a URL", () => {
    expect(() => createEngineSync({ wasm: new URL("file:///x.wasm") })).toThrow(
      new TypeError('createEngineSync: "wasm" must be a WebAssembly.Module or bytes, got an object of kind URL'),
    );
  });
});
