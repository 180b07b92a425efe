/** The build for registers of 256 bits: the same bits as "relaxed", and a flag that is set only where it helps. */
import v8 from "node:v8";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createEngine } from "headwise";
import { createEngineSync } from "headwise/sync";
import { enableWide, whyNotWide } from "../src/runtime/wide.js";
import { expectSameBits, parseShape, randomInputs } from "./support/attention.js";
import { binaryOf, canRun, openBuild } from "./support/builds.js";
import { normal } from "./support/random.js";

/** One panel of values and several, an odd number of them, and tails. */
const SHAPES = ["B1-S1-KV9-H1/1-D5", "B2-S19-KV1100-H4/2-D20", "B1-S70-KV70-H6/3-D64", "B1-S33-KV521-H2/2-D24:72"];

describe.runIf(canRun("wide"))("the bits of build relaxed", () => {
  test.each(SHAPES)("%s", (name) => {
    using wide = openBuild("wide");
    using relaxed = openBuild("relaxed");
    const { q, k, v } = randomInputs(parseShape(name), 5);
    for (const options of [{}, { causal: true, window: 30, sinkTokens: 3 }, { softcap: 3 }]) {
      const expected = relaxed.scaledDotProductAttention(q, k, v, options).data;
      expectSameBits(wide.scaledDotProductAttention(q, k, v, options).data, expected, JSON.stringify(options));
    }
  });

  test.each(["float32", "int8"] as const)("caches of %s", (dtype) => {
    const outs = (["wide", "relaxed"] as const).map((build) => {
      using engine = openBuild(build);
      using cache = engine.createKVCache({ numKvHeads: 2, headDim: 20, valueDim: 28, capacity: 600, dtype });
      cache.append(normal([1, 600, 2, 20], 1), normal([1, 600, 2, 28], 2));
      return { out: cache.attend(normal([1, 17, 8, 20], 3)).data, image: cache.serialize() };
    });
    expectSameBits(outs[0]!.out, outs[1]!.out, dtype);
    expect(Buffer.compare(outs[0]!.image, outs[1]!.image)).toBe(0);
  });
});

test.runIf(whyNotWide() === undefined)(
  "an engine with this build reports its speed-up, and auto does not choose the build",
  async () => {
    using wide = await createEngine({ build: "wide" });
    expect(wide.info.build).toBe("wide");
    expect(wide.info.wideSpeedup).toBeGreaterThan(0);
    expect(wide.info.wideSpeedup).toBe(wide.info.wideSpeedup);
    using auto = await createEngine();
    expect(auto.info.build).toBe("relaxed");
    expect(auto.info.wideSpeedup).toBeUndefined();
    using tight = await createEngine({ build: "wide", initialMemory: 131072, maximumMemory: 131072 });
    const { data } = tight.tensor([25_000]);
    expect(tight.info.wideSpeedup).toBeGreaterThan(0);
    expect(data.length).toBe(25_000); // no memory was grown
  },
);

test.runIf(whyNotWide() === undefined)("an engine that cannot be created leaves the flags unchanged", async () => {
  const setFlags = vi.spyOn(v8, "setFlagsFromString");
  await expect(createEngine({ build: "wide", wasm: new Uint8Array(8) })).rejects.toThrow('"wasm" must hold a WebAssembly module');
  await expect(createEngine({ build: "wide", wasm: binaryOf("relaxed") })).rejects.toThrow('"wasm" is build "relaxed"');
  expect(setFlags).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});

test("headwise/sync does not contain it", () => {
  expect(() => createEngineSync({ build: "wide" as "relaxed" })).toThrow(
    'createEngineSync: "build" must be one of "auto", "simd", "relaxed", got "wide"',
  );
});

describe("a host without support gets the reason, and its flags stay unchanged", () => {
  afterEach(() => vi.restoreAllMocks());

  test.each<[string, () => void]>([
    ["this host is arm64", () => vi.spyOn(process, "arch", "get").mockReturnValue("arm64")],
    ["this host has V8 12.4.254.21-node.57", () => mockVersions({ v8: "12.4.254.21-node.57" })],
    ["this host has V8 13.5.1", () => mockVersions({ v8: "13.5.1" })],
    ["this host is not Node.js", () => mockVersions({ bun: "1.3.0" })],
    ["this host is not Node.js", () => mockVersions({ deno: "2.5.0" })],
    ["this host is not Node.js 20.16 or newer", () => vi.stubGlobal("process", undefined)],
  ])("%s", async (reason, pretend) => {
    const setFlags = vi.spyOn(v8, "setFlagsFromString");
    const message = `createEngine: build "wide" needs Node.js on x64 with V8 13.6 or newer; ${reason}`;
    pretend();
    try {
      await expect(createEngine({ build: "wide" })).rejects.toThrow(message);
      expect(() => enableWide("createEngine")).toThrow(message);
    } finally {
      vi.unstubAllGlobals();
    }
    expect(setFlags).not.toHaveBeenCalled();
  });

  function mockVersions(versions: Record<string, string>): void {
    const real = process.versions;
    vi.spyOn(process, "versions", "get").mockReturnValue({ ...real, v8: "13.6.1", ...versions });
    vi.spyOn(process, "arch", "get").mockReturnValue("x64");
  }
});
