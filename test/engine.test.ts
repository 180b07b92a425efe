/** Making engines: which build, from where, with how much memory; and what an engine says of itself. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createEngine } from "headwise";
import { createEngineSync } from "headwise/sync";
import { Engine } from "../src/engine.js";
import { type Opened, openFirst, readOptions } from "../src/openEngine.js";
import * as features from "../src/runtime/features.js";
import { hasRelaxedSimd, hasSimd } from "../src/runtime/features.js";
import { Runtime } from "../src/runtime/runtime.js";
import { instantiate } from "../src/runtime/instantiate.js";
import { selfTest } from "../src/selfTest.js";
import { VERSION } from "../src/version.js";
import { expectSameBits, parseShape, randomInputs } from "./support/attention.js";
import { binaryOf, canRun } from "./support/builds.js";

const { q, k, v } = randomInputs(parseShape("B1-S9-KV20-H2/1-D6"), 1);
const works = (engine: Engine): boolean => engine.scaledDotProductAttention(q, k, v).data.every(Number.isFinite);

/** A binary in which a constant of the power of two is off: it validates, and computes wrong numbers. */
function corrupted(): Uint8Array<ArrayBuffer> {
  const bytes = binaryOf("simd");
  const ln2 = new Uint8Array(Float32Array.of(Math.LN2).buffer);
  const at = bytes.findIndex((_, index) => ln2.every((byte, offset) => bytes[index + offset] === byte));
  expect(at).toBeGreaterThan(0);
  bytes.set(new Uint8Array(Float32Array.of(0.69).buffer), at);
  return bytes;
}

describe("build", () => {
  test('"auto" takes relaxed where it validates, else simd, and says why', async () => {
    const { info } = await createEngine();
    expect(info.build).toBe(hasRelaxedSimd() ? "relaxed" : "simd");
    expect(info.buildReason).toBe(hasRelaxedSimd() ? undefined : "this host does not validate relaxed SIMD");
  });

  test.each(["simd", "relaxed"] as const)("%s, where it is named and runs", async (build) => {
    if (canRun(build)) {
      const engine = await createEngine({ build });
      expect(engine.info).toMatchObject({ build, buildReason: undefined });
      expect(works(engine)).toBe(true);
      expect(createEngineSync({ build }).info.build).toBe(build);
    } else {
      const message = `build "${build}" needs relaxed SIMD, which this host does not validate`;
      await expect(createEngine({ build })).rejects.toThrow(new Error(`createEngine: ${message}`));
      expect(() => createEngineSync({ build })).toThrow(new Error(`createEngineSync: ${message}`));
    }
  });

  test("the probes agree with the binaries", () => {
    expect(hasSimd()).toBe(WebAssembly.validate(binaryOf("simd")));
    expect(hasRelaxedSimd()).toBe(WebAssembly.validate(binaryOf("relaxed")));
  });

  test("a build that fails its self-test gives way to the next, and info says so", () => {
    const probe = vi.spyOn(features, "hasRelaxedSimd").mockReturnValue(true);
    try {
      const opening = openFirst("createEngine", readOptions("createEngine", {}));
      expect(opening.next(new Uint8Array())).toEqual({ done: false, value: "relaxed" });
      expect(opening.next(corrupted())).toEqual({ done: false, value: "simd" });
      const last = opening.next(binaryOf("simd"));
      const { runtime, reasons } = last.value as Opened;
      const engine = new Engine(runtime, reasons);
      expect(engine.info.build).toBe("simd");
      expect(engine.info.buildReason).toBe('createEngine: build "simd" failed its self-test: causal attention gave wrong numbers');
      expect(works(engine)).toBe(true);
    } finally {
      probe.mockRestore();
    }
  });

  test("a build named outright that fails its self-test throws", async () => {
    const message = 'createEngine: build "simd" failed its self-test: causal attention gave wrong numbers';
    await expect(createEngine({ wasm: corrupted() })).rejects.toThrow(new Error(message));
    const opening = openFirst("createEngine", readOptions("createEngine", { build: "simd" }));
    opening.next(new Uint8Array());
    expect(() => opening.next(corrupted())).toThrow(new Error(message));
  });

  test("a host without SIMD is told so", async () => {
    const probe = vi.spyOn(features, "hasSimd").mockReturnValue(false);
    try {
      await expect(createEngine()).rejects.toThrow(
        new Error("createEngine: this host's WebAssembly has no 128-bit SIMD, which headwise needs"),
      );
    } finally {
      probe.mockRestore();
    }
  });
});

describe("wasm", () => {
  const file = new URL("../build/simd.wasm", import.meta.url);
  const truth = createEngineSync({ build: "simd" }).scaledDotProductAttention(q, k, v);
  const expectWorking = (engine: Engine) => {
    expectSameBits(engine.scaledDotProductAttention(q, k, v).data, truth.data, "simd from elsewhere");
    expect(engine.info.build).toBe("simd");
  };

  test("bytes, a buffer, a file URL, its text", async () => {
    expectWorking(await createEngine({ wasm: binaryOf("simd") }));
    expectWorking(await createEngine({ wasm: binaryOf("simd").buffer }));
    expectWorking(await createEngine({ wasm: file }));
    expectWorking(await createEngine({ wasm: file.href }));
    expectWorking(createEngineSync({ wasm: binaryOf("simd") }));
  });

  test("a module, compiled for shared memory or not", async () => {
    const shared = new WebAssembly.Module(binaryOf("simd"));
    expectWorking(await createEngine({ wasm: shared }));
    expectWorking(createEngineSync({ wasm: shared, initialMemory: 0, maximumMemory: 2 ** 22 }));
  });

  test("a URL over HTTP and a Response; a missing one says what the server answered", async () => {
    const server = createServer((request, response) => {
      response.writeHead(request.url === "/simd.wasm" ? 200 : 404).end(binaryOf("simd"));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      expectWorking(await createEngine({ wasm: `${base}/simd.wasm` }));
      expectWorking(await createEngine({ wasm: await fetch(`${base}/simd.wasm`) }));
      await expect(createEngine({ wasm: `${base}/none.wasm` })).rejects.toThrow(
        new Error(`createEngine: "wasm" could not be fetched: ${base}/none.wasm answered 404`),
      );
    } finally {
      server.close();
    }
  });

  test("that can't be reached, read, compiled or linked says so", async () => {
    const imports = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, 7, 1, 1, 0x61, 1, 0x62, 0, 0);
    const missing = new URL("../build/none.wasm", import.meta.url);
    await expect(createEngine({ wasm: "kernels.wasm" })).rejects.toThrow(
      new RangeError('createEngine: "wasm" must be an absolute URL here, got "kernels.wasm"'),
    );
    await expect(createEngine({ wasm: missing })).rejects.toThrow(
      /^createEngine: "wasm" could not be fetched from file:.*none.wasm \(ENOENT/,
    );
    await expect(createEngine({ wasm: "http://127.0.0.1:9/x.wasm" })).rejects.toThrow(
      /^createEngine: "wasm" could not be fetched from http:\/\/127.0.0.1:9\/x.wasm \(/,
    );
    await expect(createEngine({ wasm: binaryOf("simd").slice(0, 500) })).rejects.toThrow(
      /^createEngine: the kernels don't compile on this host \(WebAssembly.Module\(\): /,
    );
    await expect(createEngine({ wasm: imports })).rejects.toThrow(/^createEngine: "wasm" doesn't link as a kernel module \(/);
  });

  test.each([
    [
      "Chromium",
      "CompileError",
      "WebAssembly.Module(): Compiling or instantiating WebAssembly module violates the following Content Security policy directive because 'unsafe-eval' is not an allowed source of script",
    ],
    ["Firefox", "CompileError", "call to WebAssembly.Module() blocked by CSP"],
    [
      "Safari",
      "EvalError",
      "Refused to create a WebAssembly object because 'unsafe-eval' or 'wasm-unsafe-eval' is not an allowed source of script in the following Content Security Policy directive",
    ],
  ])("under a policy of the page that forbids compiling names the directive, as %s tells it", async (_, name, message) => {
    const compile = vi.spyOn(WebAssembly, "Module").mockImplementation(function () {
      throw Object.assign(new Error(message), { name });
    });
    onTestFinished(() => compile.mockRestore());
    await expect(createEngine()).rejects.toThrow(
      new Error(`createEngine: the page's Content-Security-Policy must allow 'wasm-unsafe-eval' in script-src (${message})`),
    );
  });

  test("of another build than the named one, or no kernel module at all, is refused", async () => {
    await expect(createEngine({ wasm: binaryOf("debug"), build: "simd" })).rejects.toThrow(
      new RangeError('createEngine: "wasm" holds build "debug", expected "simd" as in "build"'),
    );
    const nothing = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    await expect(createEngine({ wasm: nothing })).rejects.toThrow(
      new RangeError('createEngine: "wasm" is not a kernel module of this version of headwise: it exports no abiVersion'),
    );
  });
});

describe("memory", () => {
  test("begins at initialMemory, grows on demand, ends at maximumMemory", async () => {
    const engine = await createEngine({ initialMemory: 3 * 2 ** 16 + 1, maximumMemory: 40 * 2 ** 16 + 5 });
    expect(engine.info.memory).toEqual({ inUse: 0, reserved: 4 * 2 ** 16, limit: 40 * 2 ** 16 });
    const tensor = engine.tensor([2 ** 17]);
    expect(engine.info.memory).toMatchObject({ inUse: 2 ** 19, reserved: 9 * 2 ** 16 });
    tensor.dispose();
    expect(engine.info.memory.inUse).toBe(0);
    expect(() => engine.tensor([2 ** 20])).toThrow(RangeError);
    expect(works(engine)).toBe(true);
  });

  test("defaults: 1 MiB to begin with, 4 GiB at most", async () => {
    expect((await createEngine()).info.memory).toEqual({ inUse: 0, reserved: 2 ** 20, limit: 2 ** 32 });
  });
});

describe("info", () => {
  test("is plain and complete", () => {
    const { info } = createEngineSync();
    expect(Object.keys(info)).toEqual([
      "version",
      "build",
      "buildReason",
      "fused",
      "threads",
      "threadsReason",
      "wideSpeedup",
      "memory",
    ]);
    expect(structuredClone(info)).toEqual(info);
    expect(info.threads).toBe(1);
  });

  test("carries the package's version", () => {
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
    expect(VERSION).toBe(version);
  });
});

test("the self-test is clean on good kernels and names what bad ones got wrong", () => {
  const runtime = (wasm: BufferSource) => new Runtime(instantiate("test", wasm, 2 ** 20, 2 ** 22), 2 ** 22);
  expect(selfTest(runtime(binaryOf("simd")))).toBeUndefined();
  expect(selfTest(runtime(corrupted()))).toBe("causal attention gave wrong numbers");
});

test("importing the package compiles nothing and starts nothing", () => {
  const script = `
    let calls = 0;
    for (const name of ["Module", "Instance", "Memory"]) {
      const Original = WebAssembly[name];
      WebAssembly[name] = class extends Original { constructor(...args) { super(...args); calls++; } };
    }
    const before = Object.getOwnPropertyNames(globalThis).length;
    await import(${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)});
    console.log(calls, Object.getOwnPropertyNames(globalThis).length - before);
  `;
  expect(execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" }).trim()).toBe("0 0");
});
