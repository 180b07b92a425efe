/** Creating engines: which build, from where, with how much memory; and what an engine reports about itself. */
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createEngine } from "headwise";
import { createEngineSync } from "headwise/sync";
import type { AttentionEngine } from "../src/engine/attentionEngine.js";
import { type LoadRequest, openPackaged, readEngineOptions } from "../src/engine/openEngine.js";
import { answerAtOnce, type HostRequest, take } from "../src/runtime/steps.js";
import { hasRelaxedSimd, hasSimd } from "../src/runtime/features.js";
import { Runtime } from "../src/runtime/runtime.js";
import { instantiate } from "../src/runtime/instantiate.js";
import { selfTest } from "../src/engine/selfTest.js";
import { expectSameBits, parseShape, randomInputs } from "./support/attention.js";
import { binaryOf, corruptedBinary } from "./support/builds.js";

const { q, k, v } = randomInputs(parseShape("B1-S9-KV20-H2/1-D6"), 1);
const works = (engine: AttentionEngine): boolean => engine.scaledDotProductAttention(q, k, v).data.every(Number.isFinite);

describe("build", () => {
  test('"auto" chooses relaxed if it validates, otherwise simd, and reports why', async () => {
    const { info } = await createEngine();
    expect(info.build).toBe(hasRelaxedSimd() ? "relaxed" : "simd");
    expect(info.buildReason).toBe(hasRelaxedSimd() ? undefined : "this host does not validate relaxed SIMD");
  });

  test.each(["simd", "relaxed"] as const)("%s, if it is named and runs", async (build) => {
    if (build === "simd" || hasRelaxedSimd()) {
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

  test("an explicitly named build that fails its self-test throws", async () => {
    const message = 'createEngine: build "simd" failed its self-test: causal attention gave wrong numbers';
    await expect(createEngine({ wasm: corruptedBinary() })).rejects.toThrow(new Error(message));
    const answer = (request: HostRequest | LoadRequest): unknown =>
      request.kind === "load" ? corruptedBinary() : answerAtOnce(request);
    const steps = openPackaged("createEngine", readEngineOptions("createEngine", { build: "simd" }, "all"));
    expect(() => take(steps, answer)).toThrow(new Error(message));
  });
});

describe("wasm", () => {
  const file = new URL("../build/simd.wasm", import.meta.url);
  const truth = createEngineSync({ build: "simd" }).scaledDotProductAttention(q, k, v);
  const expectWorking = (engine: AttentionEngine) => {
    expectSameBits(engine.scaledDotProductAttention(q, k, v).data, truth.data, "simd from elsewhere");
    expect(engine.info.build).toBe("simd");
  };

  test("bytes, a buffer, a URL, its text", async () => {
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

  test("that cannot be reached, read, compiled or linked is reported", async () => {
    const imports = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, 7, 1, 1, 0x61, 1, 0x62, 0, 0);
    await expect(createEngine({ wasm: "http://127.0.0.1:9/x.wasm" })).rejects.toThrow(
      /^createEngine: "wasm" could not be fetched from http:\/\/127.0.0.1:9\/x.wasm \(/,
    );
    await expect(createEngine({ wasm: binaryOf("simd").slice(0, 500) })).rejects.toThrow(
      /^createEngine: "wasm" does not compile on this host \(.*: /,
    );
    await expect(createEngine({ wasm: imports })).rejects.toThrow(/^createEngine: "wasm" does not link as a kernel module \(/);
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
  ])("under a policy that forbids compiling names the directive, as %s reports it", async (_, name, message) => {
    const refusal = Object.assign(new Error(message), { name });
    const later = vi.spyOn(WebAssembly, "compile").mockRejectedValue(refusal);
    const atOnce = vi.spyOn(WebAssembly, "Module").mockImplementation(function () {
      throw refusal;
    });
    onTestFinished(() => [later, atOnce].forEach((spy) => spy.mockRestore()));
    const problem = `the page's Content-Security-Policy must allow 'wasm-unsafe-eval' in script-src (${message})`;
    await expect(createEngine()).rejects.toThrow(new Error(`createEngine: ${problem}`));
    expect(() => createEngineSync()).toThrow(new Error(`createEngineSync: ${problem}`));
  });

  test("of a build other than the named one, or that is not a kernel module, is refused", async () => {
    await expect(createEngine({ wasm: binaryOf("debug"), build: "simd" })).rejects.toThrow(
      new RangeError('createEngine: "wasm" is build "debug", but "build" asks for "simd"'),
    );
    const nothing = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    await expect(createEngine({ wasm: nothing })).rejects.toThrow(
      new RangeError('createEngine: "wasm" is not a kernel module of this version of headwise: it exports no abiHash'),
    );
  });
});

describe("memory", () => {
  test("begins at initialMemory, grows on demand, and ends at maximumMemory", async () => {
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
});

describe("an engine as an object", () => {
  test("its methods can be taken off it", () => {
    const engine = createEngineSync({ build: "simd" });
    // eslint-disable-next-line @typescript-eslint/unbound-method -- this is what the test is about
    const { scaledDotProductAttention, softmax, createKVCache, tensor, dispose } = engine;
    expectSameBits(scaledDotProductAttention(q, k, v).data, engine.scaledDotProductAttention(q, k, v).data, "attention");
    expectSameBits(softmax(q).data, engine.softmax(q).data, "softmax");
    expect(createKVCache({ numKvHeads: 1, headDim: 2, capacity: 3 }).length).toBe(0);
    tensor([3]).dispose();
    dispose();
    expect(() => engine.tensor([3])).toThrow("disposed of");
  });

  test("frameworks do not take it, or what it makes, for a plain object to wrap", () => {
    const engine = createEngineSync({ build: "simd" });
    const matrix = engine.tensor([4, 4]);
    const objects = {
      Engine: engine,
      EngineTensor: matrix,
      KVCache: engine.createKVCache({ numKvHeads: 1, headDim: 2, capacity: 3 }),
      LinearAttentionState: engine.createLinearAttentionState({ numKvHeads: 1, headDim: 2 }),
      MultiHeadAttention: engine.createMultiHeadAttention(
        { embedDim: 4, numHeads: 1 },
        { q: matrix, k: matrix, v: matrix, out: matrix },
      ),
      PackedMatrix: engine.packMatrix(matrix),
    };
    for (const [name, object] of Object.entries(objects)) {
      expect(Object.prototype.toString.call(object)).toBe(`[object ${name}]`); // Vue looks at this
      expect(Symbol.iterator in object, name).toBe(true); // Valtio at this
    }
    engine.dispose();
  });
});

test("the self-test passes on good kernels and names what bad ones got wrong", () => {
  const runtime = (wasm: BufferSource) => new Runtime(instantiate("test", wasm, { initialBytes: 2 ** 20, maximumBytes: 2 ** 22 }));
  expect(selfTest(runtime(binaryOf("simd")))).toBeUndefined();
  expect(selfTest(runtime(corruptedBinary()))).toBe("causal attention gave wrong numbers");
});
