/** Threads in Node: why its workers do not start, its permissions, and when a process ends. */
import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, test, vi } from "vitest";
import { createEngine } from "headwise";
import { source } from "../src/runtime/binary/worker.js";

const packaged = (): Worker => new Worker(source, { eval: true });

test("a library that makes Node's own Worker global, as onnxruntime-web does, changes nothing", async () => {
  vi.stubGlobal("Worker", Worker);
  try {
    const engine = await createEngine({ threads: 2 });
    expect([engine.info.threads, engine.info.threadsReason]).toEqual([2, undefined]);
    engine.dispose();
  } finally {
    vi.unstubAllGlobals();
  }
});

describe("workers that do not start", () => {
  test("one that ends at once: one thread, and the reason", async () => {
    const createWorker = () => new Worker("", { eval: true });
    using engine = await createEngine({ threads: 2, createWorker, stallTimeout: 30_000 });
    expect(engine.info).toMatchObject({ threads: 1, threadsReason: "1 of 1 workers did not start: it ended at once" });
  });

  test("a page that is not cross-origin isolated", async () => {
    Object.defineProperty(globalThis, "crossOriginIsolated", { value: false, configurable: true });
    try {
      using engine = await createEngine({ threads: 2 });
      expect(engine.info).toMatchObject({ threads: 1, threadsReason: "the page is not cross-origin isolated" });
    } finally {
      Reflect.deleteProperty(globalThis, "crossOriginIsolated");
    }
  });

  test("Node's permission model", () => {
    const flag = process.allowedNodeEnvironmentFlags.has("--permission") ? "--permission" : "--experimental-permission";
    const dist = fileURLToPath(new URL("../dist/index.js", import.meta.url));
    const script = `import { createEngine } from ${JSON.stringify(dist)};
      const { info } = await createEngine({ threads: 2 });
      console.log(info.threads, info.threadsReason);`;
    const { stdout } = spawnSync(process.execPath, [flag, "--allow-fs-read=*", "--input-type=module", "-e", script], {
      encoding: "utf8",
    });
    expect(stdout).toMatch(/^1 1 of 1 workers did not start: Access to this API has been restricted/);
  });
});

describe("the end of workers", () => {
  const ending = (worker: Worker): Promise<unknown> => new Promise((resolve) => worker.once("exit", resolve));

  test("dispose ends them, even while they are parked", async () => {
    const made: Worker[] = [];
    const engine = await createEngine({ threads: 3, createWorker: () => made[made.push(packaged()) - 1]! });
    await sleep(20);
    const ended = made.map(ending);
    engine.dispose();
    expect(await Promise.all(ended)).toEqual([0, 0]);
  }, 10_000);

  const run = (flags: string[], script: string) => {
    const dist = fileURLToPath(new URL("../dist/index.js", import.meta.url));
    const text = `import { createEngine } from ${JSON.stringify(dist)};\n${script}`;
    return spawnSync(process.execPath, [...flags, "--input-type=module", "-e", text], { encoding: "utf8", timeout: 10_000 });
  };

  test("idle workers do not keep the process alive", () => {
    const { status, stdout } = run([], "console.log((await createEngine({ threads: 3 })).info.threads);");
    expect([status, stdout]).toEqual([0, "3\n"]);
  });

  test("an engine that is dropped ends them", () => {
    const { status, stdout } = run(
      ["--expose-gc"],
      `import { Worker } from "node:worker_threads";
       import { source } from ${JSON.stringify(fileURLToPath(new URL("../dist/runtime/binary/worker.js", import.meta.url)))};
       let ended = 0;
       const createWorker = () => new Worker(source, { eval: true }).on("exit", () => ended++);
       await (async () => { const engine = await createEngine({ threads: 3, createWorker }); engine.info; })();
       for (let turn = 0; turn < 100 && ended < 2; turn++) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
       console.log(ended);`,
    );
    expect([status, stdout]).toEqual([0, "2\n"]);
  });
});
