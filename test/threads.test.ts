/** Threads: how work is shared, what happens if workers do not start, die, stall or fail, and when they end. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { createEngine, type Engine, type EngineOptions } from "headwise";
import { createEngineSync } from "headwise/sync";
import { Arena } from "../src/runtime/arena.js";
import { CONTROL_BYTES, takePart, Word } from "../src/runtime/job.js";
import { source } from "../src/runtime/binary/worker.js";
import { SHARED_KERNELS } from "../src/runtime/abi.generated.js";
import type { Kernels } from "../src/runtime/kernels.js";
import { Pool } from "../src/runtime/pool.js";
import type { WorkerLike } from "../src/runtime/workerLike.js";
import { host } from "#host";
import { expectSameBits, parseShape, randomInputs } from "./support/attention.js";
import { binaryOf } from "./support/builds.js";

/** Enough work to be shared: 64 million multiply-adds. */
const large = randomInputs(parseShape("B1-S500-KV500-H2/1-D64"), 1);
const truth = createEngineSync({ build: "simd" }).scaledDotProductAttention(large.q, large.k, large.v).data;
const attend = (engine: Engine): Float32Array => engine.scaledDotProductAttention(large.q, large.k, large.v).data;

const engines: Engine[] = [];
async function open(options: EngineOptions): Promise<Engine> {
  const engine = await createEngine({ build: "simd", ...options });
  engines.push(engine);
  return engine;
}
afterEach(() => {
  for (const engine of engines.splice(0)) engine.dispose();
});

const packaged = (): WorkerLike => host.startWorker(source);

/** The beginning of a worker's script in any host: `receive` gets the start message once the worker holds its lock, `answer` answers. */
const PORT = `
  const port = typeof addEventListener === "function" ? undefined : process.getBuiltinModule("node:worker_threads").parentPort;
  const answer = (message) => (port ?? globalThis).postMessage(message);
  const receive = (listener) => {
    if (port) port.once("message", listener);
    else addEventListener("message", ({ data }) => navigator.locks.request(data.lock, () => listener(data)), { once: true });
  };`;

/** A worker that takes part in jobs with its own script; the first of an engine has number 1. */
const scripted = (part: string): WorkerLike =>
  host.startWorker(
    `${PORT}
     receive(({ control }) => {
       const [JOB, FAILED, GATE, OPEN] = [${Word.JOB}, ${Word.FAILED}, ${Word.GATE}, 65536];
       let seen = Atomics.load(control, JOB);
       answer({ problem: undefined });
       for (;;) {
         while (Atomics.load(control, JOB) === seen);
         seen = Atomics.load(control, JOB);
         const gate = Atomics.load(control, GATE);
         if (gate < OPEN || Atomics.compareExchange(control, GATE, gate, gate + 1) !== gate) continue;
         ${part}
         if (Atomics.sub(control, GATE, 1) === 1) Atomics.notify(control, GATE);
       }
     });`,
  );

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What is thrown sooner or later: a worker that the host has suspended may be too late for a call, and take no part in it. */
function failureOf(call: () => unknown): unknown {
  for (let turn = 0; turn < 5000; turn++) {
    try {
      call();
    } catch (error) {
      return error;
    }
  }
  return undefined;
}

/** Chromium takes 2 s to end a worker that is computing or parked. */
const SOON = { timeout: 10_000 };

/** Calls until the engine computes again; every call before that must give the reason. */
async function recovered(engine: Engine): Promise<void> {
  for (let waited = 0; waited < SOON.timeout; waited += 10) {
    await sleep(10);
    try {
      attend(engine);
      return;
    } catch (error) {
      expect((error as Error).message).toBe(
        "scaledDotProductAttention: the workers of a failed call are still terminating; try again in a moment",
      );
    }
  }
  throw new Error("the engine did not recover");
}

describe("working workers", () => {
  test.each([2, 3, 5])("%i threads give the bits of one", async (threads) => {
    const engine = await open({ threads });
    expect(engine.info).toMatchObject({ threads, threadsReason: undefined });
    for (let call = 0; call < 20; call++) expectSameBits(attend(engine), truth, `call ${call}`);
  });

  test('"auto" takes the host\'s parallelism, at most 16', async () => {
    const { threads } = (await open({ threads: "auto" })).info;
    expect(threads).toBeGreaterThanOrEqual(1);
    expect(threads).toBeLessThanOrEqual(16);
  });

  test("one thread has unshared memory, several have shared memory", async () => {
    const view = (engine: Engine) => engine.tensor([4]).data.buffer;
    expect(view(await open({}))).toBeInstanceOf(ArrayBuffer);
    expect(view(await open({ threads: 2 }))).toBeInstanceOf(SharedArrayBuffer);
  });

  test("calls below the break-even run on one thread", async () => {
    const engine = await open({ threads: 2 });
    const run = vi.spyOn(Pool.prototype, "run");
    try {
      const small = randomInputs(parseShape("B1-S64-KV64-H2/1-D64"), 1);
      engine.scaledDotProductAttention(small.q, small.k, small.v);
      expect(run).not.toHaveBeenCalled();
      engine.scaledDotProductAttention(large.q, large.k, large.v, { window: 1 });
      expect(run).not.toHaveBeenCalled();
      attend(engine);
      expect(run).toHaveBeenCalledOnce();
    } finally {
      run.mockRestore();
    }
  });

  test.each([1, 3])("plan predicts the memory of a call on %i threads", async (threads) => {
    const engine = await open({ threads });
    const scratch = vi.spyOn(Arena.prototype, "openScratch");
    const workspaces = vi.spyOn(Arena.prototype, "extendScratch");
    try {
      const plan = engine.planAttention(large.q, large.k, large.v, { causal: true });
      expect(scratch).not.toHaveBeenCalled();
      engine.scaledDotProductAttention(large.q, large.k, large.v, { causal: true });
      expect(plan).toEqual({ threads, scratchBytes: scratch.mock.calls[0]![1] + workspaces.mock.calls[0]![1] });
      const none = { data: new Float32Array(0), dims: [0, 64] };
      expect(engine.planAttention(none, none, none)).toEqual({ threads: 1, scratchBytes: 0 });
    } finally {
      scratch.mockRestore();
      workspaces.mockRestore();
    }
  });

  test("a call takes as many threads as maximumMemory has room for, as plan predicts", async () => {
    const alone = (await open({})).planAttention(large.q, large.k, large.v).scratchBytes;
    const roomFor = async (bytes: number): Promise<number> => {
      const engine = await open({ threads: 3, maximumMemory: bytes });
      const run = vi.spyOn(Pool.prototype, "run");
      expectSameBits(attend(engine), truth, `with ${bytes} bytes`);
      const { threads } = engine.planAttention(large.q, large.k, large.v);
      expect(run.mock.calls[0]?.[2].threads ?? 1).toBe(threads);
      run.mockRestore();
      return threads;
    };
    const ample = (await open({ threads: 3 })).planAttention(large.q, large.k, large.v).scratchBytes;
    const more = (ample - alone) / 2;
    const base = 2 ** 17; // static data and structs, and the rest of the last page
    expect(await roomFor(base + alone)).toBe(1);
    expect(await roomFor(base + alone + more)).toBe(2);
    expect(await roomFor(base + alone + 2 * more)).toBe(3);
  });

  test("the memory grows while workers exist", async () => {
    const engine = await open({ threads: 2, initialMemory: 2 ** 16 });
    expectSameBits(attend(engine), truth, "after growing");
    engine.tensor([2 ** 22]);
    expectSameBits(attend(engine), truth, "after growing again");
  });

  test("many engines work side by side", async () => {
    const several = await Promise.all([2, 2, 3].map((threads) => open({ threads })));
    for (let call = 0; call < 10; call++) for (const engine of several) expectSameBits(attend(engine), truth, `call ${call}`);
  });

  test("a worker from createWorker works, too", async () => {
    let made = 0;
    const createWorker = () => (made++, packaged());
    const engine = await open({ threads: 3, createWorker });
    expect(engine.info).toMatchObject({ threads: 3, threadsReason: undefined });
    expect(made).toBe(2);
    expectSameBits(attend(engine), truth, "createWorker");
  });
});

describe("shares of a job", () => {
  /** The ranges that threads claim in turn. */
  function ranges(units: number, threads: number, most = units): [number, number][] {
    const control = new Int32Array(new SharedArrayBuffer(CONTROL_BYTES));
    control[Word.KERNEL] = SHARED_KERNELS.indexOf("attention");
    control[Word.UNITS] = units;
    control[Word.THREADS] = threads;
    control[Word.MOST] = most;
    control[Word.WORKSPACES] = 1 << 20;
    control[Word.WORKSPACE_BYTES] = 1 << 10;
    const claimed: [number, number][] = [];
    const workspaces = new Set<number>();
    const kernels = {
      attentionPlace: (_: number, workspace: number) => workspaces.add(workspace),
      attention: (_: number, workspace: number, first: number, end: number) => {
        expect(workspaces).toContain(workspace);
        claimed.push([first, end]);
        if (claimed.length === 1) for (let thread = 1; thread < threads; thread++) takePart(control, kernels, thread);
      },
    } as unknown as Kernels;
    takePart(control, kernels, 0);
    expect(workspaces.size).toBe(threads);
    return claimed;
  }

  test.each([
    [1, 2],
    [7, 2],
    [100, 3],
    [2052, 2],
    [100_000, 16],
  ])("%i units on %i threads: each unit once, in ranges that shrink to one unit", (units, threads) => {
    const claimed = ranges(units, threads);
    let next = 0;
    for (const [first, end] of claimed) {
      expect(first).toBe(next);
      expect(end).toBeGreaterThan(first);
      next = end;
    }
    expect(next).toBe(units);
    const sizes = claimed.map(([first, end]) => end - first);
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    expect(sizes[0]).toBe(Math.max(1, Math.floor(units / (2 * threads))));
    expect(sizes.at(-1)).toBe(1);
  });

  test("no range is longer than the job allows", () => {
    for (const [first, end] of ranges(1000, 2, 10)) expect(end - first).toBeLessThanOrEqual(10);
  });
});

describe("workers that do not start", () => {
  test.each<[string, () => WorkerLike, RegExp]>([
    [
      "createWorker throws",
      () => {
        throw new Error("no workers today");
      },
      /^1 of 1 workers did not start: no workers today$/,
    ],
    ["its script fails", () => host.startWorker("throw new Error('broken')"), /^1 of 1 workers did not start: .*broken$/],
    [
      "it never answers",
      () => host.startWorker("setInterval(() => {}, 1000)"),
      /^1 of 1 workers did not start: no answer within 300 ms$/,
    ],
  ])("%s: one thread, and the reason", async (name, createWorker, reason) => {
    const engine = await open({ threads: 2, createWorker, stallTimeout: name.includes("never") ? 300 : 30_000 });
    expect(engine.info.threads).toBe(1);
    expect(engine.info.threadsReason).toMatch(reason);
    expectSameBits(attend(engine), truth, name);
  });

  test("if some of several do not start, the others work", async () => {
    let made = 0;
    const createWorker = () => (made++ === 0 ? host.startWorker("throw new Error('broken')") : packaged());
    const engine = await open({ threads: 4, createWorker });
    expect(engine.info.threads).toBe(3);
    expect(engine.info.threadsReason).toMatch(/^1 of 3 workers did not start: .*broken$/);
    expectSameBits(attend(engine), truth, "two of three workers");
  });

  test("a module for unshared memory", async () => {
    const { withMemory } = await import("../src/runtime/memorySharing.js");
    const module = new WebAssembly.Module(withMemory("test", binaryOf("simd"), false));
    const engine = await open({ threads: 2, wasm: module });
    expect(engine.info).toMatchObject({
      threads: 1,
      threadsReason: 'the module in "wasm" was compiled for memory that threads cannot share',
    });
    expectSameBits(attend(engine), truth, "unshared");

    const shared = await open({ threads: 2, wasm: withMemory("test", binaryOf("simd"), false) });
    expect(shared.info, "its bytes can be made to share").toMatchObject({ threads: 2, threadsReason: undefined });
    expectSameBits(attend(shared), truth, "unshared bytes");
  });
});

describe("workers that fail later", () => {
  test("if one dies between calls, the others go on", async () => {
    const made: WorkerLike[] = [];
    const engine = await open({ threads: 3, createWorker: () => made[made.push(packaged()) - 1]! });
    expectSameBits(attend(engine), truth, "before");
    made[0]!.terminate();
    await vi.waitFor(() => expect(engine.info.threads).toBe(2), SOON);
    expectSameBits(attend(engine), truth, "with one");
    made[1]!.terminate();
    await vi.waitFor(() => expect(engine.info).toMatchObject({ threads: 1, threadsReason: "the workers have ended" }), SOON);
    expectSameBits(attend(engine), truth, "alone");
  });

  test("if one stalls in a job: an Error, then one thread; the caller's arrays are unchanged", async () => {
    const engine = await open({
      threads: 2,
      stallTimeout: 2000, // on a busy machine a worker takes a while to start
      createWorker: () => scripted("for (;;);"),
    });
    expect(engine.info).toMatchObject({ threads: 2, threadsReason: undefined });
    const out = { data: new Float32Array(truth.length).fill(7), dims: [1, 500, 2, 64] };
    const before = [large.q, large.k, large.v].map(({ data }) => data.slice());
    const inUse = engine.info.memory.inUse;
    expect(
      failureOf(() => {
        out.data.fill(7);
        engine.scaledDotProductAttention(large.q, large.k, large.v, { out });
      }),
    ).toEqual(
      new Error(
        "scaledDotProductAttention: a worker made no progress for 2000 ms; its results are undefined. " +
          "The workers are being terminated; after that, this engine computes on one thread",
      ),
    );
    expect(() => engine.tensor([1])).toThrow(
      new Error("tensor: the workers of a failed call are still terminating; try again in a moment"),
    );
    expect(out.data.every((value) => value === 7)).toBe(true);
    for (const [index, { data }] of [large.q, large.k, large.v].entries()) expectSameBits(data, before[index]!, "inputs");
    await recovered(engine);
    expect(engine.info).toMatchObject({
      threads: 1,
      threadsReason: "a worker made no progress for 2000 ms, and the workers were terminated",
    });
    expect(engine.info.memory.inUse).toBe(inUse);
    expectSameBits(attend(engine), truth, "afterwards");
  });

  test("if one cannot finish its part: the same", async () => {
    const engine = await open({
      threads: 2,
      createWorker: () => scripted("Atomics.store(control, FAILED, 1);"),
    });
    expect(engine.info).toMatchObject({ threads: 2, threadsReason: undefined });
    expect(failureOf(() => attend(engine))).toEqual(
      new Error(
        "scaledDotProductAttention: a worker could not finish its part; its results are undefined. " +
          "The workers are being terminated; after that, this engine computes on one thread",
      ),
    );
    await recovered(engine);
    expect(engine.info).toMatchObject({
      threads: 1,
      threadsReason: "a worker could not finish its part, and the workers were terminated",
    });
    expectSameBits(attend(engine), truth, "afterwards");
  });
});

test("dispose ends the workers, even while they are parked", async () => {
  const engine = await createEngine({ threads: 3 });
  await sleep(20);
  const end = vi.spyOn(Pool.prototype, "end"); // not earlier: dropped engines of earlier tests also end their pools
  engine.dispose();
  const pools = end.mock.contexts as Pool[];
  end.mockRestore();
  expect(pools.length).toBe(1);
  await pools[0]!.ended();
}, 10_000);
