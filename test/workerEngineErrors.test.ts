/** Errors of engines in a worker: those of an engine here, and arguments that cannot be sent. */
import { describe, expect, test } from "vitest";
import { createEngine, createWorkerEngine, type WorkerEngine, type WorkerEngineOptions } from "headwise";
import { binaryOf } from "./support/builds.js";
import { attend, bitsIn, here, open, shared, truth, x } from "./support/workerEngines.js";

describe("errors", () => {
  const CALLS: Record<string, (engine: WorkerEngine) => Promise<unknown>> = {
    "not a tensor": (engine) => engine.scaledDotProductAttention(null as never, x, x),
    "a list for data": (engine) => engine.scaledDotProductAttention({ data: [1], dims: [1] }, x, x),
    "an object of another kind": (engine) => engine.scaledDotProductAttention(new Map() as never, x, x),
    "another array": (engine) => engine.scaledDotProductAttention({ data: new Float64Array(2), dims: [2] }, x, x),
    "a bare array": (engine) => engine.rmsNorm(x.data as never),
    "a type": (engine) => engine.scaledDotProductAttention({ data: new Uint16Array(2), dims: [2, 1], type: "uint16" }, x, x),
    "data elsewhere": (engine) =>
      engine.rmsNorm({
        dims: [1],
        location: "gpu-buffer",
        get data(): Float32Array {
          throw new Error("not on the CPU");
        },
      }),
    sizes: (engine) => engine.matmul(x, { data: new Float32Array(3), dims: [3, 1] }),
    "a missing argument": (engine) => (engine.matmul as (...args: unknown[]) => Promise<unknown>)(x),
    "an unknown option": (engine) => engine.softmax(x, { axs: 1 } as object),
    "options that are not an object": (engine) => engine.softmax(x, [] as object),
    "a number for an option": (engine) => engine.softmax(x, { axis: 0.5 }),
    "a bigint": (engine) => engine.softmax(x, { axis: (2n ** 64n) as never }),
    "a place of other sizes": (engine) => attend(engine, { out: { data: new Float32Array(3), dims: [3] } }),
    "a place of another kind": (engine) => attend(engine, { out: { data: new Float64Array(80) as never, dims: x.dims } }),
    "a place with dataSync": (engine) => attend(engine, { out: { shape: x.dims, dataSync: () => x.data } as never }),
    "places that overlap": (engine) => {
      const { buffer } = new Float32Array(100);
      const out = { data: new Float32Array(buffer, 16, 80), dims: x.dims };
      return attend(engine, { out, logSumExp: { data: new Float32Array(buffer, 300, 10), dims: [1, 2, 5] } });
    },
    "lists of another length": (engine) => attend(engine, { keyLengths: [1, 2, 3] }),
    "accumulate without out": (engine) => engine.matmul(x, x, { accumulate: true }),
    "damaged bytes": (engine) => engine.restoreLinearAttentionState(new Uint8Array(400)),
    "a missing parameter": (engine) => engine.createMultiHeadAttention({ embedDim: 8, numHeads: 1 }, { out: x }),
  };
  const failure = async (call: () => Promise<unknown>): Promise<unknown> => {
    try {
      return await call();
    } catch (error) {
      return { ErrorClass: (error as Error).constructor, message: (error as Error).message };
    }
  };

  test.each(Object.entries(CALLS))("%s: class and message as from an engine here, and the engine goes on", async (_, call) => {
    const expected = await failure(() => call(here as unknown as WorkerEngine));
    expect(expected).toHaveProperty("message");
    expect(await failure(() => call(shared))).toEqual(expected);
    expect(bitsIn(await attend(shared))).toEqual(bitsIn(truth));
  });

  const REFUSED: [name: string, call: (engine: WorkerEngine) => Promise<unknown>, error: Error][] = [
    [
      "a function among options",
      (engine) => engine.linearAttention(x, x, x, { featureMap: ((y: unknown) => y) as never }),
      new TypeError('linearAttention: "featureMap" is a function, which cannot be sent to a worker'),
    ],
    [
      "a function as an argument",
      (engine) => engine.restoreLinearAttentionState(new Uint8Array(8), (() => x) as never),
      new TypeError("restoreLinearAttentionState: argument 2 is a function, which cannot be sent to a worker"),
    ],
    [
      "a symbol",
      (engine) => engine.softmax(x, { axis: Symbol("axis") as never }),
      new TypeError('softmax: "axis" is a symbol, which cannot be sent to a worker'),
    ],
    [
      "a revoked proxy",
      (engine) => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return engine.softmax(x, { axis: proxy as never });
      },
      new TypeError('softmax: "axis" is a revoked proxy, which cannot be sent to a worker'),
    ],
    [
      "an endless list",
      (engine) => engine.softmax(x, { axis: new Array(2 ** 32 - 1) as never }),
      new RangeError('softmax: "axis" has length 4294967295, expected an integer from 0 to 16777216'),
    ],
    [
      "an object that contains itself",
      (engine) => {
        const rotary: Record<string, unknown> = {};
        rotary["tables"] = { cos: rotary };
        return engine.createMultiHeadAttention({ embedDim: 8, numHeads: 1, rotary }, { out: x });
      },
      new TypeError('createMultiHeadAttention: "rotary.tables.cos" contains itself, which cannot be sent to a worker'),
    ],
    [
      "not a signal",
      (engine) => attend(engine, { signal: true as never }),
      new TypeError('scaledDotProductAttention: "signal" must be an AbortSignal, got true'),
    ],
    [
      "transfer of another kind",
      (engine) => attend(engine, { transfer: "yes" as never }),
      new RangeError('scaledDotProductAttention: "transfer" must be true or false, got "yes"'),
    ],
    [
      "write of another kind",
      async (engine) => (await engine.tensor([2])).write(new Uint8Array(2) as never),
      new TypeError('tensor.write: "data" must be a Float32Array, got Uint8Array(2)'),
    ],
    [
      "write of another length",
      async (engine) => (await engine.tensor([2, 2])).write(new Float32Array(3)),
      new RangeError('tensor.write: "data" holds 3 elements, expected 2 × 2 = 4'),
    ],
    [
      "read after dispose",
      async (engine) => {
        const tensor = await engine.tensor([2]);
        await tensor.dispose();
        return tensor.read();
      },
      new Error("tensor.read: this tensor has been disposed of"),
    ],
    [
      "an object of another engine",
      async (engine) => engine.rmsNorm(await (await open()).tensor([2])),
      new RangeError("rmsNorm: argument 1 belongs to another engine"),
    ],
  ];
  test.each(REFUSED)("%s", async (_, call, error) => {
    await expect(call(shared)).rejects.toEqual(error);
    expect(bitsIn(await attend(shared))).toEqual(bitsIn(truth));
  });

  test("too much memory", async () => {
    const options = { build: "simd", maximumMemory: 2 ** 20 } as const;
    const engine = await createEngine(options);
    const refusal = (await failure(async () => Promise.resolve(engine.tensor([2 ** 20])))) as { message: string };
    await expect((await open(options)).tensor([2 ** 20])).rejects.toEqual(new RangeError(refusal.message));
  });

  test("an error from a getter of the caller", async () => {
    const error = new Error("mine");
    const options = {
      get causal(): boolean {
        throw error;
      },
    };
    await expect(attend(shared, options)).rejects.toBe(error);
  });

  test("causes are kept; creation has the errors of createEngine", async () => {
    const wasm = binaryOf("simd").slice(0, 100);
    const error = await createWorkerEngine({ wasm }).catch((reason: unknown) => reason as Error);
    const expected = await createEngine({ wasm }).catch((reason: unknown) => reason as Error);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toBe((expected as Error).message.replace("createEngine", "createWorkerEngine"));
    expect((error as Error).cause).toMatchObject({ name: "CompileError" });
  });

  test.each<[WorkerEngineOptions, Error]>([
    [
      { build: "fast" as never },
      new RangeError('createWorkerEngine: "build" must be one of "auto", "simd", "relaxed", "wide", got "fast"'),
    ],
    [{ thread: 2 } as object, new TypeError("createWorkerEngine: unknown option")],
    [
      { wasm: 5 as never },
      new TypeError('createWorkerEngine: "wasm" must be a WebAssembly.Module, bytes, a Response or a URL, got 5'),
    ],
  ])("options of creation: %o", async (options, { constructor, message }) => {
    const error = await createWorkerEngine(options).catch((reason: unknown) => reason as Error);
    expect(error).toBeInstanceOf(constructor);
    expect((error as Error).message).toContain(message);
  });

  test("the caller's kernels: bytes that are part of a buffer, and a module", async () => {
    const binary = binaryOf("simd");
    const part = new Uint8Array(binary.length + 16).subarray(8, 8 + binary.length);
    part.set(binary);
    const engine = await open({ wasm: part });
    expect(bitsIn(await attend(engine))).toEqual(bitsIn(truth));
    expect(part.length).toBe(binary.length);
    expect((await (await open({ wasm: new WebAssembly.Module(binary) })).info).build).toBe("simd");
  });
});
