/** The end of engines in a worker: disposed of, dropped, or after their worker has ended; and what keeps a process alive. */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, test, vi } from "vitest";
import { createEngine, createWorkerEngine } from "headwise";
import { source as engineWorker } from "../src/runtime/binary/engineWorker.js";
import { VERSION } from "../src/engine/version.js";
import { attend, bitsIn, busy, large, open, truth, x } from "./support/workerEngines.js";
import { packaged, run } from "./support/workerEnginesInNode.js";

describe("the end", () => {
  test("dispose runs after earlier calls; later calls have the engine's error", async () => {
    const engine = await open();
    const cache = await engine.createKVCache({ numKvHeads: 2, headDim: 8, capacity: 100 });
    const before = busy(engine);
    const disposal = engine.dispose();
    await expect(engine.matmul(x, x)).rejects.toEqual(new Error("matmul: the engine has been disposed of"));
    await expect(engine.planAttention(x, x, x)).rejects.toEqual(new Error("planAttention: the engine has been disposed of"));
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

  test("dispose ends the worker and its threads", async () => {
    let worker: Worker | undefined;
    const engine = await open({ threads: 2, createWorker: () => (worker = packaged()) });
    const ended = new Promise((resolve) => worker!.once("exit", resolve));
    await engine.dispose();
    await ended;
  });

  test("a page without https, which has neither locks nor random names for them", async () => {
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

  test("a worker that is ended from outside: pending and later calls are rejected", async () => {
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
           if (kind === "open") parentPort.postMessage({ kind: "opened" });
           if (kind === "call") throw new Error("out of order");
         });`,
        { eval: true },
      );
    const engine = await open({ createWorker });
    await expect(engine.planAttention(x, x, x)).rejects.toEqual(
      new Error("planAttention: the engine's worker has ended (out of order)"),
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
    ["nothing", () => undefined as never, '"createWorker" must return a worker, got undefined'],
  ])("%s: creation reports it", async (_, createWorker, problem) => {
    const stallTimeout = problem.includes("300 ms") ? 300 : 30_000;
    await expect(createWorkerEngine({ createWorker, stallTimeout })).rejects.toThrow(
      new Error(`createWorkerEngine: the engine's worker did not start: ${problem}`),
    );
  });

  test("the wrong worker file of the package: the reason", async () => {
    const { info } = await createEngine({ threads: 2, createWorker: packaged });
    expect(info.threadsReason).toBe("1 of 1 workers did not start: its script is headwise/engine-worker, expected headwise/worker");
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
  test("an idle engine does not keep the process alive, a pending call does", () => {
    const { status, stdout } = run(
      [],
      `const engine = await createWorkerEngine();
       const x = { data: new Float32Array(512 * 8 * 64), dims: [1, 512, 8, 64] };
       engine.scaledDotProductAttention(x, x, x).then(({ dims }) => console.log(dims.join()));`,
    );
    expect([status, stdout]).toEqual([0, "1,512,8,64\n"]);
  });

  test("dropped objects free their memory; a waiting call keeps its own", () => {
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
       const engine = await createWorkerEngine({ threads: 2, createWorker });
       const x = { data: Float32Array.of(3), dims: [1, 1] };
       console.log((await engine.matmul(x, x)).data[0], (await engine.info).threads);`,
    );
    expect(stdout).toBe("9 2\n");
  });
});
