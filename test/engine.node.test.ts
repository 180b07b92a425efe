/** Creating engines in Node: on hosts that lack something, and with kernels from a server; and what importing the package does. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { inspect } from "node:util";
import type { AddressInfo } from "node:net";
import { expect, test, vi } from "vitest";
import { createEngine } from "headwise";
import { AttentionEngine } from "../src/engine/attentionEngine.js";
import { type LoadRequest, openPackaged, readEngineOptions } from "../src/engine/openEngine.js";
import { answerAtOnce, type HostRequest, take } from "../src/runtime/steps.js";
import * as features from "../src/runtime/features.js";
import { VERSION } from "../src/engine/version.js";
import { expectSameBits, parseShape, randomInputs } from "./support/attention.js";
import { binaryOf, corruptedBinary, openBuild } from "./support/builds.js";

const { q, k, v } = randomInputs(parseShape("B1-S9-KV20-H2/1-D6"), 1);
const truth = openBuild("simd").scaledDotProductAttention(q, k, v);
const expectWorking = (engine: AttentionEngine) => {
  expectSameBits(engine.scaledDotProductAttention(q, k, v).data, truth.data, "simd");
  expect(engine.info.build).toBe("simd");
};

test("a build that fails its self-test is replaced by the next, and info reports it", () => {
  const probe = vi.spyOn(features, "hasRelaxedSimd").mockReturnValue(true);
  try {
    const tried: string[] = [];
    const answer = (request: HostRequest | LoadRequest): unknown => {
      if (request.kind !== "load") return answerAtOnce(request);
      tried.push(request.build);
      return request.build === "relaxed" ? corruptedBinary() : binaryOf("simd");
    };
    const { runtime, reasons } = take(openPackaged("createEngine", readEngineOptions("createEngine", {}, "attention")), answer);
    expect(tried).toEqual(["relaxed", "simd"]);
    const engine = new AttentionEngine(runtime, reasons);
    expect(engine.info.buildReason).toBe('build "simd" failed its self-test: causal attention gave wrong numbers');
    expectWorking(engine);
  } finally {
    probe.mockRestore();
  }
});

test("console.log shows an engine's info", () => {
  const engine = openBuild("simd");
  expect(inspect(engine)).toBe(`Engine ${inspect(engine.info)}`);
});

test("a host without SIMD is reported", async () => {
  const probe = vi.spyOn(features, "hasSimd").mockReturnValue(false);
  try {
    await expect(createEngine()).rejects.toThrow(
      new Error("createEngine: this host's WebAssembly has no 128-bit SIMD, which headwise needs"),
    );
  } finally {
    probe.mockRestore();
  }
});

test("wasm from a URL over HTTP and from a Response; a missing file gives the server's answer", async () => {
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

test("wasm from a relative URL or a missing file is reported", async () => {
  const missing = new URL("../build/none.wasm", import.meta.url);
  await expect(createEngine({ wasm: "kernels.wasm" })).rejects.toThrow(
    new RangeError('createEngine: "wasm" must be an absolute URL here, got "kernels.wasm"'),
  );
  await expect(createEngine({ wasm: missing })).rejects.toThrow(
    /^createEngine: "wasm" could not be fetched from file:.*none.wasm \(ENOENT/,
  );
});

test("VERSION is the package's", () => {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  expect(VERSION).toBe(version);
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
