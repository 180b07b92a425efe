/** Engines in a worker: the bits and the errors of one here, and what calls, arrays, signals and the worker's end have of their own. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import {
  createEngine,
  createWorkerEngine,
  type FullWorkerEngine,
  type ResultTensor,
  type TensorLike,
  type WorkerEngine,
  type WorkerEngineOptions,
  type WorkerTensor,
} from "headwise";
import { FullEngine } from "../src/fullEngine.js";
import { KVCache } from "../src/layers/kvCache.js";
import { LinearAttentionState } from "../src/layers/linearAttentionState.js";
import { MultiHeadAttention } from "../src/layers/multiHeadAttention.js";
import { PackedMatrix } from "../src/layers/packedMatrix.js";
import { source as engineWorker } from "../src/runtime/binary/engineWorker.js";
import { hasRelaxedSimd } from "../src/runtime/features.js";
import { EngineTensor } from "../src/tensor.js";
import { VERSION } from "../src/version.js";
import { ResultEncoder } from "../src/workerEngine/encodeResult.js";
import { factsOf, interfaceOf } from "../src/workerEngine/interfaces.js";
import { Objects } from "../src/workerEngine/objects.js";
import { binaryOf } from "./support/builds.js";
import { normal } from "./support/random.js";
import { bitsIn, openHere, openThere, SCENARIOS } from "./support/workerEngines.js";

const opened: WorkerEngine[] = [];
async function open(options: WorkerEngineOptions = {}): Promise<FullWorkerEngine> {
  const engine = await createWorkerEngine({ build: "simd", ...options, operations: "all" });
  opened.push(engine);
  return engine;
}
/** For tests that leave it as it was. */
const shared = await createWorkerEngine({ build: "simd", operations: "all" });
const here = await createEngine({ build: "simd", operations: "all" });
afterEach(() => Promise.all(opened.splice(0).map((engine) => engine.dispose())));
afterAll(() => shared.dispose());

const packaged = (): Worker => new Worker(engineWorker, { eval: true });
const x = normal([1, 5, 2, 8], 1);
const attend = (
  engine: WorkerEngine,
  options: Parameters<WorkerEngine["scaledDotProductAttention"]>[3] = {},
): Promise<ResultTensor> => engine.scaledDotProductAttention(x, x, x, options as object);
const truth = here.scaledDotProductAttention(x, x, x);

/** A call that takes the worker some 0.1 to 0.5 s. */
const large = normal([1, 1024, 8, 64], 1);
const busy = (engine: WorkerEngine, options = {}): Promise<ResultTensor> =>
  engine.scaledDotProductAttention(large, large, large, options);

const run = (flags: string[], script: string) => {
  const dist = fileURLToPath(new URL("../dist/index.js", import.meta.url));
  const text = `import { createWorkerEngine } from ${JSON.stringify(dist)};\n${script}`;
  return spawnSync(process.execPath, [...flags, "--input-type=module", "-e", text], { encoding: "utf8", timeout: 20_000 });
};

describe("every public method and property", () => {
  const ROOMS = { Engine: "engine", EngineTensor: "tensor", KVCache: "layers/kvCache", PackedMatrix: "layers/packedMatrix" };
  const ALL_ROOMS = {
    ...ROOMS,
    FullEngine: "fullEngine",
    MultiHeadAttention: "layers/multiHeadAttention",
    LinearAttentionState: "layers/linearAttentionState",
  };
  /** Names of a class in its declaration file, where what is internal has been left out. */
  function declared(name: string, room: string): string[] {
    const text = readFileSync(new URL(`../dist/${room}.d.ts`, import.meta.url), "utf8");
    const [, members] = text.split(new RegExp(`declare class ${name}\\b`)) as [string, string];
    const names = [...members.split("\n}")[0]!.matchAll(/^ {4}(?:readonly |get )?(\w+)[(:<]/gm)].map(([, member]) => member!);
    return [...new Set(names)].filter((member) => member !== "constructor");
  }

  const OBJECTS: Record<string, object> = {
    Engine: here,
    EngineTensor: EngineTensor.prototype,
    KVCache: KVCache.prototype,
    PackedMatrix: PackedMatrix.prototype,
    MultiHeadAttention: MultiHeadAttention.prototype,
    LinearAttentionState: LinearAttentionState.prototype,
  };
  /** Facts that are no properties of the prototype. */
  const OWN_FACTS: Record<string, string[]> = {
    PackedMatrix: ["depth", "columns"],
    EngineTensor: ["type", "dims"],
    MultiHeadAttention: ["config"],
  };
  const askable = (type: string): string[] => {
    const { methods, properties } = interfaceOf(type, OBJECTS[type]!);
    return [...methods, ...properties, ...(OWN_FACTS[type] ?? [])];
  };

  test("can be asked for, and nothing that is not public", () => {
    const names = Object.entries(ALL_ROOMS).map(
      ([type, room]) => [type === "FullEngine" ? "Engine" : type, declared(type, room)] as const,
    );
    const publicNames = new Set(names.flatMap(([type, all]) => all.map((name) => `${type}.${name}`)));
    const added = ["Engine.restoreKVCache", "EngineTensor.read", "EngineTensor.write", "Engine.createMultiHeadAttention.fromTorch"];
    publicNames.delete("EngineTensor.data"); // is read and written by copies
    const found = Object.keys(OBJECTS).flatMap((type) => askable(type).map((name) => `${type}.${name}`));
    expect(found.sort()).toEqual([...publicNames, ...added].sort());
  });

  test("facts are those of the object", () => {
    const tensor = here.tensor([3], "uint8");
    expect(factsOf("EngineTensor", tensor)).toEqual([
      ["type", "uint8"],
      ["dims", [3]],
    ]);
    expect(factsOf("KVCache", here.createKVCache({ numKvHeads: 1, headDim: 1, capacity: 1 }))).toEqual([]);
  });

  test("has a scenario below", () => {
    const found = Object.keys(OBJECTS).flatMap((type) => askable(type).map((name) => `${type}.${name}`));
    expect(Object.keys(SCENARIOS).sort()).toEqual(found.sort());
    expect(OBJECTS["Engine"]).toBeInstanceOf(FullEngine);
  });

  describe.each(["simd", "relaxed"] as const)("%s", (build) => {
    if (build === "relaxed" && !hasRelaxedSimd()) {
      test.skip("not run: this host does not validate relaxed SIMD", () => undefined);
      return;
    }
    let [one, other]: FullWorkerEngine[] = [];
    beforeAll(async () => ([one, other] = await Promise.all([openHere(build), openThere(build)])));
    afterAll(() => Promise.all([one!.dispose(), other!.dispose()]));
    const { "Engine.dispose": ofDispose, ...scenarios } = SCENARIOS;

    test.each(Object.entries(scenarios))("%s: the bits of an engine here", async (_, scenario) => {
      const expected: unknown = bitsIn(await scenario(one!));
      expect(bitsIn(await scenario(other!))).toEqual(expected);
    });

    test("Engine.dispose: what an engine here does", async () => {
      const expected: unknown = await ofDispose!(await openHere(build));
      expect(await ofDispose!(await openThere(build))).toEqual(expected);
    });
  });

  test("on several threads", async () => {
    const engine = await open({ threads: 3 });
    expect(await engine.info).toMatchObject({ threads: 3, threadsReason: undefined, build: "simd" });
    expect(bitsIn(await busy(engine))).toEqual(bitsIn(here.scaledDotProductAttention(large, large, large)));
    const tensor = await engine.tensor([2]);
    expect((await tensor.read()).buffer).toBeInstanceOf(ArrayBuffer);
  });

  test("types: results, places and objects are what they say", async () => {
    const result: ResultTensor = await shared.matmul(x, await shared.packMatrix({ data: new Float32Array(8), dims: [8, 1] }));
    const place: WorkerTensor<"float32"> = await shared.rmsNorm(result, { out: await shared.tensor([1, 5, 2, 1]) });
    const mine = { data: new Float32Array(10), dims: [1, 5, 2, 1], name: "mine" };
    const { name }: { name: string } = await shared.softmax(place, { out: mine, axis: 0, signal: new AbortController().signal });
    const bytes: WorkerTensor<"uint8"> = await shared.tensor([1], "uint8");
    const cache = await shared.createKVCache({ numKvHeads: 1, headDim: 1, capacity: 1 });
    const length: number = await cache.length;
    expect([name, bytes.type, length]).toEqual(["mine", "uint8", 0]);
    // @ts-expect-error a misspelt option
    await expect(shared.softmax(place, { axs: 0 })).rejects.toThrow('unknown option "axs"');
    // @ts-expect-error a function
    await expect(shared.linearAttention(x, x, x, { featureMap: (y: unknown) => y })).rejects.toThrow("function");
    // @ts-expect-error there is nothing that gives the data themselves
    expect(bytes.data).toBeUndefined();
  });
});

describe("errors", () => {
  const CALLS: Record<string, (engine: FullWorkerEngine) => Promise<unknown>> = {
    "no tensor": (engine) => engine.scaledDotProductAttention(null as never, x, x),
    "a list for data": (engine) => engine.scaledDotProductAttention({ data: [1], dims: [1] }, x, x),
    "an object of another kind": (engine) => engine.scaledDotProductAttention(new Map() as never, x, x),
    "another array": (engine) => engine.scaledDotProductAttention({ data: new Float64Array(2), dims: [2] }, x, x),
    "an array alone": (engine) => engine.rmsNorm(x.data as never),
    "a type": (engine) => engine.scaledDotProductAttention({ data: new Uint16Array(2), dims: [2, 1], type: "uint16" }, x, x),
    "data elsewhere": (engine) =>
      engine.rmsNorm({
        dims: [1],
        location: "gpu-buffer",
        get data(): Float32Array {
          throw new Error("not on the CPU");
        },
      } as TensorLike),
    sizes: (engine) => engine.matmul(x, { data: new Float32Array(3), dims: [3, 1] }),
    "a missing argument": (engine) => (engine.matmul as (...args: unknown[]) => Promise<unknown>)(x),
    "an unknown option": (engine) => engine.softmax(x, { axs: 1 } as object),
    "options that are none": (engine) => engine.softmax(x, [] as object),
    "a number for an option": (engine) => engine.softmax(x, { axis: 0.5 }),
    "a bigint": (engine) => engine.softmax(x, { axis: 1n as never }),
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

  test.each(Object.entries(CALLS))("%s: class and message of an engine here, which goes on", async (_, call) => {
    const expected = await failure(() => call(here as unknown as FullWorkerEngine));
    expect(expected).toHaveProperty("message");
    expect(await failure(() => call(shared))).toEqual(expected);
    expect(bitsIn(await attend(shared))).toEqual(bitsIn(truth));
  });

  const REFUSED: [name: string, call: (engine: FullWorkerEngine) => Promise<unknown>, error: Error][] = [
    [
      "a function among options",
      (engine) => engine.linearAttention(x, x, x, { featureMap: ((y: unknown) => y) as never }),
      new TypeError('linearAttention: "featureMap" is a function, which can\'t go to a worker'),
    ],
    [
      "a function as an argument",
      (engine) => engine.restoreLinearAttentionState(new Uint8Array(8), (() => x) as never),
      new TypeError("restoreLinearAttentionState: argument 2 is a function, which can't go to a worker"),
    ],
    [
      "a symbol",
      (engine) => engine.softmax(x, { axis: Symbol("axis") as never }),
      new TypeError('softmax: "axis" is a symbol, which can\'t go to a worker'),
    ],
    [
      "what contains itself",
      (engine) => {
        const rotary: Record<string, unknown> = {};
        rotary["tables"] = { cos: rotary };
        return engine.createMultiHeadAttention({ embedDim: 8, numHeads: 1, rotary }, { out: x });
      },
      new TypeError('createMultiHeadAttention: "rotary.tables.cos" contains itself, which can\'t go to a worker'),
    ],
    [
      "no signal",
      (engine) => attend(engine, { signal: true as never }),
      new TypeError('scaledDotProductAttention: "signal" must be an AbortSignal, got true'),
    ],
    [
      "transfer of another kind",
      (engine) => attend(engine, { transfer: "yes" as never }),
      new RangeError('scaledDotProductAttention: "transfer" must be false or true, got "yes"'),
    ],
    [
      "write of another kind",
      async (engine) => (await engine.tensor([2])).write(new Uint8Array(2) as never),
      new TypeError('tensor.write: "data" must be a Float32Array, got Uint8Array(2)'),
    ],
    [
      "write of another length",
      async (engine) => (await engine.tensor([2, 2])).write(new Float32Array(3)),
      new RangeError('tensor.write: "data" holds 3 elements, expected 4 ([2, 2])'),
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
      new RangeError("rmsNorm: argument 1 is of another engine"),
    ],
  ];
  test.each(REFUSED)("%s", async (_, call, error) => {
    await expect(call(shared)).rejects.toEqual(error);
    expect(bitsIn(await attend(shared))).toEqual(bitsIn(truth));
  });

  test("too much memory", async () => {
    const options = { build: "simd", maximumMemory: 2 ** 20, operations: "all" } as const;
    const engine = await createEngine(options);
    const refusal = (await failure(async () => Promise.resolve(engine.tensor([2 ** 20])))) as { message: string };
    await expect((await open(options)).tensor([2 ** 20])).rejects.toEqual(new RangeError(refusal.message));
  });

  test("what a getter of the caller's throws", async () => {
    const error = new Error("mine");
    const options = {
      get causal(): boolean {
        throw error;
      },
    };
    await expect(attend(shared, options)).rejects.toBe(error);
  });

  test("causes come along; creation says what createEngine says", async () => {
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
      new RangeError('createWorkerEngine: "build" must be "auto" or "simd" or "relaxed" or "wide", got "fast"'),
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

  test("kernels from elsewhere: bytes that are part of a buffer, and a module", async () => {
    const binary = binaryOf("simd");
    const part = new Uint8Array(binary.length + 16).subarray(8, 8 + binary.length);
    part.set(binary);
    const engine = await open({ wasm: part });
    expect(bitsIn(await attend(engine))).toEqual(bitsIn(truth));
    expect(part.length).toBe(binary.length);
    expect((await (await open({ wasm: new WebAssembly.Module(binary) })).info).build).toBe("simd");
  });
});

describe("order and signals", () => {
  test("calls are made in order, whoever awaits", async () => {
    const settled: string[] = [];
    const cache = await shared.createKVCache({ numKvHeads: 2, headDim: 8, capacity: 100 });
    const calls = [busy(shared), cache.append(x, x), cache.length, cache.append(x, x), cache.length];
    const results = await Promise.all(
      calls.map((call, index) => (call as Promise<unknown>).finally(() => settled.push(`${index}`))),
    );
    expect([results[2], results[4]]).toEqual([5, 10]);
    expect(settled).toEqual(["0", "1", "2", "3", "4"]);
    await cache.dispose();
  });

  /** A signal that tells how many listen. */
  function counted() {
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = ((...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    }) as typeof add;
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    }) as typeof remove;
    return { controller, signal, listeners: () => listeners };
  }

  test("aborted before: the call is not made, and nothing is read or moved", async () => {
    const { controller, signal, listeners } = counted();
    const reason = { any: "thing" };
    controller.abort(reason);
    const cache = await shared.createKVCache({ numKvHeads: 2, headDim: 8, capacity: 100 });
    const k = normal([1, 5, 2, 8], 3);
    await expect(cache.append(k, k, { signal, transfer: true })).rejects.toBe(reason);
    expect([await cache.length, k.data.length, listeners()]).toEqual([0, 80, 0]);
    await cache.dispose();
  });

  test("aborted while it waits: the call is not made, those after it are", async () => {
    const { controller, signal, listeners } = counted();
    const cache = await shared.createKVCache({ numKvHeads: 2, headDim: 8, capacity: 100 });
    const before = busy(shared);
    const waiting = cache.append(x, x, { signal });
    const after = cache.append(x, x);
    controller.abort();
    await expect(waiting).rejects.toBe(signal.reason);
    await Promise.all([before, after]);
    expect([await cache.length, listeners()]).toEqual([5, 0]);
    await cache.dispose();
  });

  test("aborted while it runs: rejected at once, and the result is dropped", async () => {
    const { controller, signal, listeners } = counted();
    const out = { data: new Float32Array(large.data.length).fill(7), dims: large.dims };
    let isNextDone = false;
    const running = busy(shared, { out, signal });
    const next = attend(shared).finally(() => (isNextDone = true));
    await sleep(1);
    controller.abort(new Error("enough"));
    await expect(running).rejects.toThrow("enough");
    expect(isNextDone).toBe(false);
    expect(bitsIn(await next)).toEqual(bitsIn(truth));
    expect(out.data.every((value) => value === 7)).toBe(true);
    expect(listeners()).toBe(0);
  });

  test("aborted while it runs: an object that it made is freed", async () => {
    const engine = await open();
    const { controller, signal } = counted();
    const making = engine.tensor([1000], "float32", { signal });
    controller.abort();
    await expect(making).rejects.toBe(signal.reason);
    expect((await engine.info).memory.inUse).toBe(0);
  });

  test("a signal that is never aborted is left alone, after results and after errors", async () => {
    const { signal, listeners } = counted();
    await attend(shared, { signal });
    await expect(shared.rmsNorm(x, { eps: -1, signal })).rejects.toThrow(RangeError);
    await shared.packMatrix({ data: new Float32Array(4), dims: [2, 2] }, { signal } as never);
    expect(listeners()).toBe(0);
  });
});

describe("arrays", () => {
  test("are read before the call returns, each getter once", async () => {
    const reads: string[] = [];
    const data = x.data.slice();
    const spy = <T extends object>(name: string, object: T): T =>
      new Proxy(object, {
        get: (target, key) => (reads.push(`${name}.${String(key)}`), Reflect.get(target, key, target) as unknown),
      });
    const result = shared.scaledDotProductAttention(
      spy("q", { data, dims: x.dims }),
      x,
      x,
      spy("options", { causal: false, keyLengths: [5], signal: new AbortController().signal }),
    );
    data.fill(NaN);
    const names = reads.filter((name) => /\.(data|dims|causal|keyLengths|signal)$/.test(name));
    expect(names.sort()).toEqual(["options.causal", "options.keyLengths", "options.signal", "q.data", "q.dims"]);
    expect(bitsIn(await result)).toEqual(bitsIn(truth));
  });

  test("of a view only what it shows is sent, and the caller's stay as they are", async () => {
    const whole = new Float32Array(1000).fill(NaN);
    const data = whole.subarray(500, 580);
    data.set(x.data);
    expect(bitsIn(await shared.scaledDotProductAttention({ data, dims: x.dims }, x, x))).toEqual(bitsIn(truth));
    expect([whole.length, x.data.length]).toEqual([1000, 80]);
  });

  test("dataSync and float16", async () => {
    const half = { data: new Uint16Array(80).fill(0x3c00), dims: x.dims, type: "float16" };
    const sync = { shape: x.dims, dataSync: () => x.data };
    const expected = here.scaledDotProductAttention(half, sync, sync);
    expect(bitsIn(await shared.scaledDotProductAttention(half, sync, sync))).toEqual(bitsIn(expected));
    expect(bitsIn(await shared.scaledDotProductAttention(half, sync, sync, { transfer: true }))).toEqual(bitsIn(expected));
    expect([half.data.length, x.data.length]).toEqual([0, 80]); // what dataSync gave is not the caller's to give away
  });

  test("transfer moves them, one that is given twice too; lists stay", async () => {
    const [a, b] = [normal([1, 5, 2, 8], 1), normal([1, 5, 2, 8], 1)];
    const keyLengths = Int32Array.of(5);
    const again = { data: new Float32Array(b.data.buffer), dims: b.dims };
    const result = shared.scaledDotProductAttention(a, b, again, { transfer: true, keyLengths });
    expect([a.data.length, b.data.length, again.data.length, keyLengths.length]).toEqual([0, 0, 0, 1]);
    expect(bitsIn(await result)).toEqual(bitsIn(truth));
    const bytes = await (await shared.createKVCache({ numKvHeads: 1, headDim: 1, capacity: 1 })).serialize();
    await shared.restoreKVCache(bytes, { transfer: true });
    expect(bytes.length).toBe(0);
  });

  test("transfer of a part of a buffer is refused, and nothing is moved", async () => {
    const q = normal([1, 5, 2, 8], 1);
    const k = { data: new Float32Array(100).subarray(0, 80), dims: q.dims };
    await expect(shared.scaledDotProductAttention(q, k, k, { transfer: true })).rejects.toEqual(
      new RangeError(
        'scaledDotProductAttention: argument 2 is a view of 320 of its buffer\'s 400 bytes, and "transfer" would move all; copy it first',
      ),
    );
    expect([q.data.length, k.data.length]).toEqual([80, 80]);
  });

  test("transfer of a place's buffer is refused; of what can't be moved too", async () => {
    const own = normal([1, 5, 2, 8], 1);
    await expect(shared.scaledDotProductAttention(own, x, x, { out: own, transfer: true })).rejects.toEqual(
      new RangeError(
        'scaledDotProductAttention: "out" lies in a buffer that "transfer" moves, expected one that stays for the results',
      ),
    );
    expect(own.data.length).toBe(80);
    const memory = new WebAssembly.Memory({ initial: 1 });
    const data = new Float32Array(memory.buffer);
    const refusal = await shared
      .rmsNorm({ data, dims: [data.length] }, { transfer: true })
      .catch((error: unknown) => error as Error);
    if (refusal instanceof Error) expect(refusal.message).toMatch(/^rmsNorm: "transfer" can't move these arrays \(/);
    expect(data.length).toBe(16384); // Node copies it
  });

  test("in shared memory are neither copied nor moved, also as places", async () => {
    const shareOf = (data: Float32Array) => {
      const copy = new Float32Array(new SharedArrayBuffer(data.byteLength + 16), 16, data.length);
      copy.set(data);
      return copy;
    };
    const q = { data: shareOf(x.data.map(() => 0)), dims: x.dims };
    const out = { data: shareOf(x.data), dims: x.dims };
    const before = busy(shared);
    const result = shared.scaledDotProductAttention(q, x, x, { out, transfer: false });
    q.data.set(x.data); // while it waits
    await before;
    expect(await result).toBe(out);
    expect(bitsIn(out.data.slice())).toEqual(bitsIn(truth.data));
    expect(await shared.scaledDotProductAttention(q, q, q, { out, transfer: true })).toBe(out);
    expect(q.data.length).toBe(80);
  });

  test("results have their buffers to themselves, also where an operation gives a part of one or a view of shared memory", async () => {
    const whole = Float32Array.of(1, 2, 3, 4);
    const shareable = new Float32Array(new SharedArrayBuffer(8)).fill(7);
    const encoder = new ResultEncoder(new Objects(here, {}), new Map());
    encoder.encode([whole, whole.subarray(1, 3), shareable]);
    expect(encoder.buffers.map((buffer) => [...new Float32Array(buffer)])).toEqual([
      [1, 2, 3, 4],
      [2, 3],
      [7, 7],
    ]);
    expect(encoder.buffers.every((buffer) => buffer instanceof ArrayBuffer)).toBe(true);
    const { data } = await attend(shared);
    expect(data.byteLength).toBe(data.buffer.byteLength);
    const image = await (await shared.createKVCache({ numKvHeads: 1, headDim: 1, capacity: 1 })).serialize();
    expect(image.byteLength).toBe(image.buffer.byteLength);
  });

  test("places receive results when the promise is fulfilled, in views as well", async () => {
    const whole = new Float32Array(100).fill(7);
    const out = { data: whole.subarray(10, 90), dims: x.dims };
    const result = shared.scaledDotProductAttention(x, x, x, { out });
    expect(whole.every((value) => value === 7)).toBe(true);
    expect(await result).toBe(out);
    expect(bitsIn(out.data)).toEqual(bitsIn(truth.data));
    expect([whole[9], whole[90]]).toEqual([7, 7]);
  });

  test("a place in the arrays that are read, and one that is read first", async () => {
    const q = normal([1, 5, 2, 8], 1);
    expect(await shared.scaledDotProductAttention(q, q, q, { out: q })).toBe(q);
    expect(bitsIn(q.data)).toEqual(bitsIn(truth.data));
    const square = { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] };
    const out = { data: Float32Array.of(10, 20, 30, 40), dims: [2, 2] };
    await shared.matmul(square, square, { out, accumulate: true });
    expect([...out.data]).toEqual([17, 30, 45, 62]);
  });

  test("a place that was detached meanwhile is an Error, and no other is filled", async () => {
    const out = { data: new Float32Array(80), dims: x.dims };
    const logSumExp = { data: new Float32Array(10), dims: [1, 2, 5] };
    const result = shared.scaledDotProductAttention(x, x, x, { out, logSumExp });
    structuredClone(logSumExp.data, { transfer: [logSumExp.data.buffer] });
    await expect(result).rejects.toEqual(
      new Error('scaledDotProductAttention: "logSumExp" holds 0 elements when its results arrive, expected 10'),
    );
    expect(out.data.every((value) => value === 0)).toBe(true);
    expect(bitsIn(await attend(shared))).toEqual(bitsIn(truth));
  });

  test("a call that fails leaves its places as they were", async () => {
    const out = { data: new Float32Array(80).fill(7), dims: x.dims };
    await expect(shared.scaledDotProductAttention(x, x, x, { out, scale: NaN })).rejects.toThrow(RangeError);
    expect(out.data.every((value) => value === 7)).toBe(true);
  });

  test("tensors of another engine are data like others", async () => {
    const tensor = here.tensor([1, 5, 2, 8]);
    tensor.data.set(x.data);
    expect(bitsIn(await shared.scaledDotProductAttention(tensor, x, x))).toEqual(bitsIn(truth));
  });
});

describe("the end", () => {
  test("dispose comes after the calls before it; later ones say what the engine says", async () => {
    const engine = await open();
    const cache = await engine.createKVCache({ numKvHeads: 2, headDim: 8, capacity: 100 });
    const before = busy(engine);
    const disposal = engine.dispose();
    await expect(engine.matmul(x, x)).rejects.toEqual(new Error("matmul: the engine has been disposed of"));
    await expect(engine.plan(x, x, x)).rejects.toEqual(new Error("scaledDotProductAttention: the engine has been disposed of"));
    await expect(cache.append(x, x)).rejects.toEqual(new Error("KVCache.append: the engine has been disposed of"));
    await cache.dispose();
    expect((await before).dims).toEqual(large.dims);
    await disposal;
    await engine.dispose();
    await expect(cache.length).rejects.toEqual(new Error("KVCache.length: the engine has been disposed of"));
    expect((await engine.info).memory).toEqual({ inUse: 0, reserved: 0, limit: 2 ** 32 });
  });

  test("a getter that disposes of the engine", async () => {
    const engine = await open();
    const options = {
      get causal(): boolean {
        void engine.dispose();
        return true;
      },
    };
    await expect(attend(engine, options)).rejects.toEqual(new Error("scaledDotProductAttention: the engine has been disposed of"));
  });

  test("dispose ends the worker, and the threads that it has", async () => {
    let worker: Worker | undefined;
    const engine = await open({ threads: 2, createWorker: () => (worker = packaged()) });
    const ended = new Promise((resolve) => worker!.once("exit", resolve));
    await engine.dispose();
    await ended;
  });

  test("a page without https has neither locks nor random names for them", async () => {
    vi.stubGlobal("navigator", {});
    vi.stubGlobal("crypto", {});
    try {
      expect(bitsIn(await attend(await open()))).toEqual(bitsIn(truth));
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test("await using", async () => {
    const engine = await open();
    {
      await using cache = await engine.createKVCache({ numKvHeads: 2, headDim: 8, capacity: 100 });
      await cache.append(x, x);
      expect((await engine.info).memory.inUse).toBeGreaterThan(0);
    }
    expect((await engine.info).memory.inUse).toBe(0);
  });

  test("a worker that is ended by others: pending calls are rejected, and later ones", async () => {
    let worker: Worker | undefined;
    const engine = await open({ createWorker: () => (worker = packaged()) });
    const tensor = await engine.tensor([1]);
    const pending = [busy(engine), attend(engine), tensor.read()].map((call) =>
      call.catch((error: unknown) => (error as Error).message),
    );
    await worker!.terminate();
    const why = "the engine's worker has ended";
    expect(await Promise.all(pending)).toEqual([
      `scaledDotProductAttention: ${why}`,
      `scaledDotProductAttention: ${why}`,
      `tensor.read: ${why}`,
    ]);
    await expect(attend(engine)).rejects.toEqual(new Error(`scaledDotProductAttention: ${why}`));
    await expect(engine.info).rejects.toEqual(new Error(`info: ${why}`));
    await tensor.dispose();
    await engine.dispose();
  });

  test("a worker that fails: the reason", async () => {
    const createWorker = (): Worker =>
      new Worker(
        `const { parentPort } = require("node:worker_threads");
         parentPort.on("message", ({ kind }) => {
           if (kind === "start") parentPort.postMessage({ problem: undefined });
           if (kind === "open") parentPort.postMessage({ kind: "opened", interfaces: { Engine: { methods: ["plan", "dispose"], properties: [] } } });
           if (kind === "call") throw new Error("out of order");
         });`,
        { eval: true },
      );
    const engine = await open({ createWorker });
    await expect(engine.plan(x, x, x)).rejects.toEqual(
      new Error("scaledDotProductAttention: the engine's worker has ended (out of order)"),
    );
  });

  test.each<[name: string, createWorker: () => Worker, problem: string]>([
    [
      "createWorker throws",
      () => {
        throw new Error("no workers today");
      },
      "no workers today",
    ],
    ["its script fails", () => new Worker("throw new Error('broken')", { eval: true }), "broken"],
    ["it ends at once", () => new Worker("", { eval: true }), "it ended at once"],
    ["it never answers", () => new Worker("setInterval(() => {}, 1000)", { eval: true }), "no answer within 300 ms"],
    [
      "its script is another version's",
      () => new Worker(engineWorker.replaceAll(VERSION, "0.0.9"), { eval: true }),
      `its script is of headwise 0.0.9, expected ${VERSION}`,
    ],
  ])("%s: creation says so", async (_, createWorker, problem) => {
    const stallTimeout = problem.includes("300 ms") ? 300 : 30_000;
    await expect(createWorkerEngine({ createWorker, stallTimeout })).rejects.toThrow(
      new Error(`createWorkerEngine: the engine's worker did not start: ${problem}`),
    );
  });

  test("the file of one worker in place of the other's: the reason", async () => {
    const { info } = await createEngine({ threads: 2, createWorker: packaged });
    expect(info.threadsReason).toBe(
      "1 of 1 workers did not start: its script is that of createWorkerEngine's worker, expected headwise/worker",
    );
  });

  test("a host without workers: the reason", () => {
    const { stdout } = run(
      [],
      `process.getBuiltinModule = undefined;
       await createWorkerEngine({ build: "simd" }).catch((error) => console.log(error.message));`,
    );
    expect(stdout).toBe("createWorkerEngine: the engine's worker did not start: this host has no workers\n");
  });
});

describe("processes and memory", () => {
  test("an idle engine keeps no process alive, a pending call does", () => {
    const { status, stdout } = run(
      [],
      `const engine = await createWorkerEngine();
       const x = { data: new Float32Array(512 * 8 * 64), dims: [1, 512, 8, 64] };
       engine.scaledDotProductAttention(x, x, x).then(({ dims }) => console.log(dims.join()));`,
    );
    expect([status, stdout]).toEqual([0, "1,512,8,64\n"]);
  });

  test("objects that are dropped give their memory back; a call that waits keeps its own", () => {
    const { stdout } = run(
      ["--expose-gc"],
      `const engine = await createWorkerEngine();
       const turn = () => new Promise((resolve) => setTimeout(resolve, 10));
       const x = { data: new Float32Array(1024 * 8 * 64), dims: [1, 1024, 8, 64] };
       const busy = engine.scaledDotProductAttention(x, x, x);
       const tensors = async () => { for (let i = 0; i < 10; i++) await engine.tensor([1000]); };
       await tensors();
       let reading = (await engine.tensor([16])).read();
       for (let i = 0; i < 10; i++) { gc(); await turn(); }
       console.log((await reading).length);
       reading = undefined;
       for (let i = 0; i < 100 && (await engine.info).memory.inUse > 0; i++) { gc(); await turn(); }
       console.log((await engine.info).memory.inUse);`,
    );
    expect(stdout).toBe("16\n0\n");
  });

  test("an engine that is dropped ends its worker", () => {
    const source = fileURLToPath(new URL("../dist/runtime/binary/attentionWorker.js", import.meta.url));
    const { stdout } = run(
      ["--expose-gc"],
      `import { Worker } from "node:worker_threads";
       import { source } from ${JSON.stringify(source)};
       let hasEnded = false;
       const createWorker = () => new Worker(source, { eval: true }).on("exit", () => (hasEnded = true));
       const tensor = await (async () => (await createWorkerEngine({ createWorker })).tensor([4]))();
       for (let i = 0; i < 20; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
       console.log(hasEnded, (await tensor.read()).length);
       const dropped = await (async () => { await (await createWorkerEngine({ createWorker })).info; })();
       for (let i = 0; i < 200 && !hasEnded; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
       console.log(hasEnded, (await tensor.read()).length);`,
    );
    expect(stdout).toBe("false 4\ntrue 4\n");
  });

  test("the worker as a file", () => {
    const file = fileURLToPath(new URL("../dist/engine-worker.js", import.meta.url));
    const { stdout } = run(
      [],
      `import { Worker } from "node:worker_threads";
       const createWorker = () => new Worker(${JSON.stringify(file)}, { execArgv: [] });
       const engine = await createWorkerEngine({ operations: "all", threads: 2, createWorker });
       const x = { data: Float32Array.of(3), dims: [1, 1] };
       console.log((await engine.matmul(x, x)).data[0], (await engine.info).threads);`,
    );
    expect(stdout).toBe("9 2\n");
  });
});
