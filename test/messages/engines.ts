/** Making engines, on this thread and in a worker, on hosts that lack or refuse something; and calls to a worker. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Worker } from "node:worker_threads";
import { expect, vi } from "vitest";
import { createEngine, createWorkerEngine, type EngineOptions, type WorkerEngine } from "headwise";
import { createEngineSync } from "headwise/sync";
import { imported } from "../../src/engine/makeEngine.js";
import { type LoadRequest, openPackaged, readEngineOptions } from "../../src/engine/openEngine.js";
import * as features from "../../src/runtime/features.js";
import { withMemory } from "../../src/runtime/memorySharing.js";
import { CONTROL_BYTES, Word } from "../../src/runtime/job.js";
import { Pool } from "../../src/runtime/pool.js";
import { answerAtOnce, type HostRequest, take } from "../../src/runtime/steps.js";
import { whyNotMade } from "../../src/runtime/workerHost.js";
import { ask } from "../../src/workerEngine/ask.js";
import { ResultEncoder } from "../../src/workerEngine/encodeResult.js";
import { Objects } from "../../src/workerEngine/objects.js";
import { attentionBinaryOf, binaryOf, corruptedBinary } from "../support/builds.js";
import { each, type Groups, type Provoke, revoked, zeros } from "./provoke.js";

/** Runs with one feature of the host replaced. */
const without =
  (name: "hasSimd" | "hasRelaxedSimd" | "hasWebAssembly", provoke: Provoke): Provoke =>
  async () => {
    const probe = vi.spyOn(features, name).mockReturnValue(false);
    try {
      return await provoke();
    } finally {
      probe.mockRestore();
    }
  };

/** Runs with some properties of the process or of the global object replaced. */
const withGlobals =
  (globals: Readonly<Record<string, unknown>>, provoke: Provoke): Provoke =>
  async () => {
    for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
    try {
      return await provoke();
    } finally {
      vi.unstubAllGlobals();
    }
  };

/** WebAssembly with other parts. */
const otherWebAssembly = (parts: object): object => {
  const names = Object.getOwnPropertyNames(WebAssembly) as (keyof typeof WebAssembly)[];
  return { ...Object.fromEntries(names.map((name) => [name, WebAssembly[name]])), ...parts };
};
const refusing = (isRefused: (descriptor: WebAssembly.MemoryDescriptor) => boolean): object => {
  const { Memory } = WebAssembly;
  return otherWebAssembly({
    Memory: new Proxy(Memory, {
      construct(_, [descriptor]: [WebAssembly.MemoryDescriptor]) {
        if (isRefused(descriptor)) throw new RangeError("Out of memory");
        return new Memory(descriptor);
      },
    }),
  });
};

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const whileServing =
  (provoke: (base: string) => unknown): Provoke =>
  async () => {
    const server = createServer((request, response) => response.writeHead(404).end());
    try {
      return await provoke(await listen(server));
    } finally {
      server.close();
    }
  };

/** Opens the packaged builds, of which some are corrupted. */
const openWith = (options: EngineOptions, isCorrupted: (build: string) => boolean): unknown =>
  take(openPackaged("createEngine", readEngineOptions("createEngine", options, "all")), (request: HostRequest | LoadRequest) =>
    request.kind === "load" ? (isCorrupted(request.build) ? corruptedBinary() : binaryOf("simd")) : answerAtOnce(request),
  );

/** A worker that says it is ready, then runs `source` for each message. */
const worker = (source: string): Worker =>
  new Worker(
    `const { parentPort } = require("node:worker_threads");
     parentPort.on("message", ({ kind }) => {
       if (kind === "start") return parentPort.postMessage({ problem: undefined });
       ${source}
     });`,
    { eval: true },
  );
const started = (source: string): Promise<WorkerEngine> =>
  createWorkerEngine({
    createWorker: () => worker(`if (kind === "open") return parentPort.postMessage({ kind: "opened" }); ${source}`),
  });

const fast = (options: object): Promise<unknown> => createEngine(options);
const IMPORTS = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, 7, 1, 1, 0x61, 1, 0x62, 0, 0);
const EMPTY = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
/** It exports a function abiHash that returns 1. */
const OTHER_ABI = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f, 3, 2, 1, 0],
  ...[7, 11, 1, 7, ...new TextEncoder().encode("abiHash"), 0, 0, 10, 6, 1, 4, 0, 0x41, 1, 0x0b],
);
const node = process;
const getBuiltinModule = (name: string): unknown => process.getBuiltinModule(name);

export const engines: Groups = {
  createEngine: {
    ...each(fast, [
      { build: "fast" },
      { build: 3 },
      { thread: 2 },
      { operations: "all" },
      { threads: 0 },
      { threads: "many" },
      { threads: null, stallTimeout: 0 },
      { createWorker: 3 },
      { initialMemory: -1 },
      { initialMemory: 2 ** 20, maximumMemory: 2 ** 16 },
      { maximumMemory: 2 ** 33 },
      { wasm: 5 },
      { wasm: "kernels.wasm" },
      { wasm: new Uint8Array(8) },
    ]),
    "wasm: another module": () => createEngine({ wasm: EMPTY }),
    "wasm: kernels of another version": () => createEngine({ wasm: OTHER_ABI }),
    "wasm: a module with other imports": () => createEngine({ wasm: IMPORTS }),
    "wasm: a compiled module with other imports": () => createEngine({ wasm: new WebAssembly.Module(IMPORTS) }),
    "wasm: cut off": () => createEngine({ wasm: binaryOf("simd").slice(0, 500) }),
    "wasm: kernels of attention": () => createEngine({ wasm: attentionBinaryOf("simd") }),
    "wasm: another build than the named one": () => createEngine({ wasm: binaryOf("debug"), build: "simd" }),
    "wasm: a file that does not exist": () => createEngine({ wasm: new URL("file:///none.wasm") }),
    "wasm: a server answers 404": whileServing((base) => createEngine({ wasm: `${base}/none.wasm` })),
    "wasm: corrupted kernels": () => createEngine({ wasm: corruptedBinary() }),
    "every build is corrupted": () => openWith({}, () => true),
    "a host without SIMD": without("hasSimd", createEngine),
    "a host without relaxed SIMD": without("hasRelaxedSimd", () => createEngine({ build: "relaxed" })),
    "a host without WebAssembly": without("hasWebAssembly", createEngine),
    "a host that refuses memory": withGlobals({ WebAssembly: refusing(() => true) }, createEngine),
    "a host that compiles nothing": withGlobals(
      { WebAssembly: otherWebAssembly({ compile: () => Promise.reject(new Error("no")), Module: refuseNew("no") }) },
      createEngine,
    ),
    "a host that links nothing": withGlobals(
      {
        WebAssembly: otherWebAssembly({
          instantiate: () => Promise.reject(new Error("no")),
          Instance: refuseNew("no"),
        }),
      },
      createEngine,
    ),
    "a policy against compiling": withGlobals(
      {
        WebAssembly: otherWebAssembly({
          compile: () => Promise.reject(new Error("blocked by CSP")),
          Module: refuseNew("blocked by CSP"),
        }),
      },
      createEngine,
    ),
    "a host that forbids import()": () => imported("createEngine", () => Promise.reject(new TypeError("import() is disallowed"))),
    "memory that does not grow": async () => {
      const engine = await createEngine({ build: "simd" });
      const grow = vi.spyOn(WebAssembly.Memory.prototype, "grow").mockImplementation(() => {
        throw new RangeError("no");
      });
      try {
        engine.tensor([2 ** 20]);
      } finally {
        grow.mockRestore();
      }
    },
    'build "wide" in a browser': withGlobals({ process: undefined }, () => createEngine({ build: "wide" })),
    'build "wide" in Bun': withGlobals(
      { process: { ...node, getBuiltinModule, release: { name: "bun" }, versions: { bun: "1" } } },
      () => createEngine({ build: "wide" }),
    ),
    'build "wide" on arm64': withGlobals(
      { process: { getBuiltinModule, release: node.release, versions: node.versions, arch: "arm64" } },
      () => createEngine({ build: "wide" }),
    ),
    'build "wide" in an old Node': withGlobals(
      {
        process: {
          getBuiltinModule,
          release: node.release,
          versions: { ...node.versions, v8: "11.3.244" },
          arch: "x64",
        },
      },
      () => createEngine({ build: "wide" }),
    ),
  },
  createEngineSync: each(
    (options: object) => createEngineSync(options),
    [{ build: "wide" }, { threads: 2 }, { wasm: "https://example.org/simd.wasm" }],
  ),

  createWorkerEngine: {
    ...each((options: object) => createWorkerEngine(options), [{ build: "fast" }, { worker: 1 }, { wasm: 5 }]),
    "createWorker throws": () =>
      createWorkerEngine({
        createWorker: () => {
          throw new Error("no workers today");
        },
      }),
    "createWorker gives nothing": () => createWorkerEngine({ createWorker: () => undefined as never }),
    "a script that fails": () =>
      createWorkerEngine({ createWorker: () => new Worker("throw new Error('broken')", { eval: true }) }),
    "a script that ends": () => createWorkerEngine({ createWorker: () => new Worker("", { eval: true }) }),
    "a script that never answers": () =>
      createWorkerEngine({ createWorker: () => new Worker("setInterval(() => {}, 1000)", { eval: true }), stallTimeout: 100 }),
    "the script of another worker": async () => {
      const { source } = await import("../../src/runtime/binary/worker.js");
      await createWorkerEngine({ createWorker: () => new Worker(source, { eval: true }) });
    },
    "the script of another version": async () => {
      const { source } = await import("../../src/runtime/binary/engineWorker.js");
      const { VERSION } = await import("../../src/engine/version.js");
      await createWorkerEngine({ createWorker: () => new Worker(source.replaceAll(VERSION, "0.0.9"), { eval: true }) });
    },
    "a worker that stops answering": () => createWorkerEngine({ createWorker: () => worker(""), stallTimeout: 3000 }),
    "a worker that ends meanwhile": () => createWorkerEngine({ createWorker: () => worker("process.exit()") }),
    "a host without workers": withGlobals({ process: undefined }, () => createWorkerEngine()),
  },

  "Calls to a worker": {
    "a function among the options": inWorker((engine) =>
      engine.linearAttention(zeros(1, 1), zeros(1, 1), zeros(1, 1), { featureMap: (() => 0) as never }),
    ),
    "a symbol as an argument": inWorker((engine) => engine.rmsNorm(Symbol("x") as never)),
    "a revoked proxy": inWorker((engine) => engine.softmax(zeros(2), { axis: revoked() as never })),
    "an object that contains itself": inWorker((engine) => {
      const config: Record<string, unknown> = { embedDim: 1, numHeads: 1 };
      config["rotary"] = config;
      return engine.createMultiHeadAttention(config as never, { out: zeros(1, 1) });
    }),
    "not a signal": inWorker((engine) => engine.rmsNorm(zeros(2), { signal: true as never })),
    "transfer of another kind": inWorker((engine) => engine.rmsNorm(zeros(2), { transfer: "yes" as never })),
    "a list without end": inWorker((engine) => engine.softmax(zeros(2), { axis: new Array(2 ** 25) as never })),
    "a tensor of another engine": inWorker(async (engine) => {
      const other = await createWorkerEngine({ build: "simd" });
      try {
        await engine.rmsNorm(await other.tensor([2]));
      } finally {
        await other.dispose();
      }
    }),
    "transfer of a part of a buffer": inWorker((engine) =>
      engine.rmsNorm({ data: new Float32Array(8).subarray(2, 4), dims: [2] }, { transfer: true }),
    ),
    "transfer of a buffer that the host does not move": withGlobals(
      {
        structuredClone: () => {
          throw new Error("An ArrayBuffer could not be cloned.");
        },
      },
      inWorker((engine) => engine.rmsNorm(zeros(2), { transfer: true })),
    ),
    "transfer of a place, too": inWorker((engine) => {
      const x = zeros(2);
      return engine.rmsNorm(x, { out: { data: x.data, dims: [2] }, transfer: true });
    }),
    "a place that is detached before its result arrives": inWorker((engine) => {
      const out = zeros(2);
      const call = engine.rmsNorm(zeros(2), { out });
      structuredClone(out.data, { transfer: [out.data.buffer as ArrayBuffer] });
      return call;
    }),
    "a place that is read, and detached before its call": inWorker((engine) => {
      const out = zeros(1, 1);
      const before = engine.rmsNorm(zeros(2));
      const call = engine.matmul(zeros(1, 1), zeros(1, 1), { out, accumulate: true });
      structuredClone(out.data, { transfer: [out.data.buffer as ArrayBuffer] });
      return before.then(() => call);
    }),
    "write of another kind": inWorker(async (engine) => (await engine.tensor([2])).write(new Uint8Array(2) as never)),
    "write of another length": inWorker(async (engine) => (await engine.tensor([2, 2])).write(new Float32Array(3))),
    "read after dispose": inWorker(async (engine) => {
      const tensor = await engine.tensor([2]);
      await tensor.dispose();
      return tensor.read();
    }),
    "after dispose of the engine": async () => {
      const engine = await createWorkerEngine({ build: "simd" });
      await engine.dispose();
      await engine.rmsNorm(zeros(2));
    },
    "a worker that fails": async () => (await started("throw new Error('out of order')")).rmsNorm(zeros(2)),
    "a worker that ends": async () => (await started("process.exit()")).rmsNorm(zeros(2)),
    "a call after that": async () => {
      const engine = await started("process.exit()");
      await Promise.allSettled([engine.rmsNorm(zeros(2))]);
      await engine.rmsNorm(zeros(2));
    },
    "a worker whose messages cannot be read": async () => {
      let made: Worker | undefined;
      const createWorker = (): Worker => (made = worker('if (kind === "open") return parentPort.postMessage({ kind: "opened" });'));
      const engine = await createWorkerEngine({ createWorker });
      const call = engine.rmsNorm(zeros(2));
      made!.emit("messageerror", new Error("unreadable"));
      await call;
    },
    "a signal that is aborted": inWorker((engine) => engine.rmsNorm(zeros(2), { signal: AbortSignal.abort(new Error("enough")) })),
    "a result of a class that stays": () =>
      new ResultEncoder(new Objects({} as never, "Engine"), new Map(), undefined).encode(new Map()),
    "a member that is not public": () => ask("KVCache", {}, "config", []),
  },

  "Threads that fail": {
    "a worker stalls": () => failing({ [Word.GATE]: 1 }).call(),
    "a worker fails": () => failing({ [Word.FAILED]: 1 }).call(),
    "info.threadsReason after that": () => {
      const { call, pool } = failing({ [Word.FAILED]: 1 });
      expect(call).toThrow();
      return reason(pool.failure);
    },
    "info.threadsReason after the workers have ended": async () => {
      const { pool, end } = failing({});
      end();
      await Promise.resolve();
      return reason(pool.failure);
    },
  },

  "info.buildReason": {
    "a host without relaxed SIMD": without("hasRelaxedSimd", async () => reason((await createEngine()).info.buildReason)),
    "the first build fails its self-test": () => {
      const probe = vi.spyOn(features, "hasRelaxedSimd").mockReturnValue(true);
      try {
        const { reasons } = openWith({}, (build) => build === "relaxed") as { reasons: { build?: string } };
        return reason(reasons.build);
      } finally {
        probe.mockRestore();
      }
    },
  },
  "info.threadsReason": {
    "a page that is not isolated": withGlobals({ crossOriginIsolated: false }, threadsReason),
    "a host without SharedArrayBuffer": withGlobals({ SharedArrayBuffer: undefined }, threadsReason),
    "a host that refuses shared memory": withGlobals({ WebAssembly: refusing(({ shared }) => shared === true) }, threadsReason),
    "a module that was compiled for one thread": async () =>
      reason((await createEngine({ threads: 2, wasm: unshared() })).info.threadsReason),
    "a worker that does not start": async () =>
      reason((await createEngine({ threads: 3, createWorker: () => new Worker("", { eval: true }) })).info.threadsReason),
    "the script of another worker": async () => {
      const { source } = await import("../../src/runtime/binary/engineWorker.js");
      const { info } = await createEngine({ threads: 2, createWorker: () => new Worker(source, { eval: true }) });
      return reason(info.threadsReason);
    },
    "a policy against workers": () => reason(whyNotMade(Object.assign(new Error("insecure"), { name: "SecurityError" }))),
  },
};

/** What a reason says is a message, too. */
export class Reason extends Error {
  override name = "Reason";
}
function reason(text: string | undefined): never {
  throw new Reason(text);
}

/** A pool with one worker that does nothing, whose control words begin as given; `call` runs a job on it. */
function failing(words: Readonly<Record<number, number>>): { pool: Pool; call: () => void; end: () => void } {
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_BYTES));
  for (const [word, value] of Object.entries(words)) control[Number(word)] = value;
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const pool = new Pool(control, [{ ended, terminate: () => undefined } as never], 2, 20);
  const job = { kernel: "activate", units: 0, work: 1, threads: 2, params: 0, workspaces: 0, workspaceBytes: 0 } as const;
  return { pool, end, call: () => pool.run("activate", {} as never, job) };
}

async function threadsReason(): Promise<never> {
  return reason((await createEngine({ threads: 2 })).info.threadsReason);
}

function refuseNew(message: string): unknown {
  return function () {
    throw new Error(message);
  };
}

function inWorker(provoke: (engine: WorkerEngine) => unknown): Provoke {
  return async () => {
    const engine = await createWorkerEngine({ build: "simd" });
    try {
      return await provoke(engine);
    } finally {
      await engine.dispose();
    }
  };
}

/** A module that imports unshared memory. */
const unshared = (): WebAssembly.Module => new WebAssembly.Module(withMemory("createEngine", binaryOf("simd"), false));
