/** Hosts that lack or refuse something: no global is taken for granted, and what is refused is asked for in another way, or named. */
import { readFileSync } from "node:fs";
import vm from "node:vm";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import { rolldown } from "rolldown";
import { createEngine, createWorkerEngine, type Engine } from "headwise";
import { createEngineSync } from "headwise/sync";
import { scaledDotProductAttention as baseline } from "headwise/baseline";
import { expectSameBits } from "./support/attention.js";
import { normal } from "./support/random.js";

const x = normal([1, 9, 2, 8], 1);
const truth = createEngineSync({ build: "simd" }).scaledDotProductAttention(x, x, x).data;
const expectRight = (engine: Engine): void => {
  expectSameBits(engine.scaledDotProductAttention(x, x, x).data, truth, "simd");
  engine.dispose();
};

afterEach(() => vi.unstubAllGlobals());

/** Replaces parts of WebAssembly for one test. */
const stubWebAssembly = (parts: object): void => {
  const names = Object.getOwnPropertyNames(WebAssembly) as (keyof typeof WebAssembly)[];
  vi.stubGlobal("WebAssembly", { ...Object.fromEntries(names.map((name) => [name, WebAssembly[name]])), ...parts });
};

describe("a main thread that compiles and links only 4 KB at once, as in Chromium before 114", () => {
  const { Module, Instance } = WebAssembly;
  const limited = (): void => {
    const refuse = (): never => {
      throw new RangeError("WebAssembly.Compile is disallowed on the main thread, if the buffer size is larger than 4KB.");
    };
    stubWebAssembly({ Module: new Proxy(Module, { construct: refuse }), Instance: new Proxy(Instance, { construct: refuse }) });
  };

  test("createEngine compiles asynchronously", async () => {
    limited();
    expectRight(await createEngine({ build: "simd" }));
    expectRight(await createEngine({ build: "simd", threads: 2 }));
  });

  test("createEngineSync passes on what the host says", () => {
    limited();
    expect(() => createEngineSync()).toThrow(/^createEngineSync: the kernels do not compile on this host \(.*4KB/);
  });
});

describe("memory that the host refuses", () => {
  const { Memory } = WebAssembly;
  /** @param most  pages that a memory may grow to */
  const refuse = (isRefused: (descriptor: WebAssembly.MemoryDescriptor) => boolean): void =>
    stubWebAssembly({
      Memory: new Proxy(Memory, {
        construct(_, [descriptor]: [WebAssembly.MemoryDescriptor]) {
          if (isRefused(descriptor)) throw new RangeError("Out of memory");
          return new Memory(descriptor);
        },
      }),
    });

  test("a large shared one: half of it is tried, and half of that", async () => {
    refuse(({ shared, maximum }) => shared === true && maximum! > 2 ** 14);
    const engine = await createEngine({ build: "simd", threads: 2 });
    expect(engine.info).toMatchObject({ threads: 2, threadsReason: undefined, memory: { limit: 2 ** 30 } });
    expectRight(engine);
  });

  test("every shared one: one thread, and info says why", async () => {
    refuse(({ shared }) => shared === true);
    const engine = await createEngine({ build: "simd", threads: 2 });
    expect(engine.info).toMatchObject({
      threads: 1,
      threadsReason: "this host refuses shared memory of 1048576 bytes that may grow to 134217728 (Out of memory)",
      memory: { limit: 2 ** 32 },
    });
    expectRight(engine);
  });

  test("a maximum that the caller gave is kept", async () => {
    refuse(({ shared, maximum }) => shared === true && maximum! > 2 ** 14);
    const engine = await createEngine({ build: "simd", threads: 2, maximumMemory: 2 ** 31 });
    expect(engine.info).toMatchObject({ threads: 1, memory: { limit: 2 ** 31 } });
    expect(engine.info.threadsReason).toContain("may grow to 2147483648");
    expectRight(engine);
  });

  test("all memory: the error names the sizes, and no option", async () => {
    refuse(() => true);
    await expect(createEngine()).rejects.toThrow(
      new RangeError("createEngine: this host refuses memory of 1048576 bytes that may grow to 134217728 (Out of memory)"),
    );
  });
});

describe("a server that prerenders pages, where random values are forbidden and what waits counts as dynamic, as in Next.js", () => {
  const forbidRandomValues = (): void => {
    const refuse = (): never => {
      throw new Error("a random value while prerendering");
    };
    vi.stubGlobal("crypto", { randomUUID: refuse, getRandomValues: refuse });
    vi.stubGlobal("navigator", { locks: { request: refuse } }); // newer Nodes have locks
  };

  test("the kernels are compiled and linked at once", async () => {
    const refuse = (): never => {
      throw new Error("not at once");
    };
    stubWebAssembly({ compile: refuse, instantiate: refuse });
    expectRight(await createEngine({ build: "simd" }));
  });

  test("threads start", async () => {
    forbidRandomValues();
    const engine = await createEngine({ build: "simd", threads: 2 });
    expect(engine.info).toMatchObject({ threads: 2, threadsReason: undefined });
    expectRight(engine);
  });

  test("an engine in a worker starts, and ends", async () => {
    forbidRandomValues();
    const engine = await createWorkerEngine({ build: "simd" });
    expectSameBits((await engine.scaledDotProductAttention(x, x, x)).data, truth, "simd");
    await engine.dispose();
  });
});

describe("a bundler that replaces the names of Node's globals, as Parcel does", () => {
  const NAMES = ["process", "Buffer", "global", "setImmediate", "__dirname", "__filename"];
  const SHIMS = Object.fromEntries(NAMES.map((name) => [name, [`shim-of-${name}`, "default"] as [string, string]]));
  /** The replaced names in a file and what it imports. */
  const replacedIn = async (input: string, code?: string): Promise<string[]> => {
    const virtual = { name: "virtual", resolveId: (id: string) => (id === input ? id : null), load: () => code };
    const plugins = code === undefined ? [] : [virtual];
    const bundle = await rolldown({ input, platform: "neutral", external: /^shim-of-/, transform: { inject: SHIMS }, plugins });
    const { output } = await bundle.generate({ format: "esm" });
    await bundle.close();
    return output.flatMap((chunk) => (chunk.type === "chunk" ? chunk.imports : [])).filter((name) => name.startsWith("shim-of-"));
  };

  test("would be noticed", async () => {
    expect(await replacedIn("virtual.js", "console.log(typeof process, globalThis.Buffer);")).toEqual(["shim-of-process"]);
  });

  test.each(["index", "attention", "sync", "standalone", "standalone-sync", "runtime/worker", "engine-worker"])(
    "finds none of them in dist/%s.js",
    async (entry) => {
      expect(await replacedIn(fileURLToPath(new URL(`../dist/${entry}.js`, import.meta.url)))).toEqual([]);
    },
  );
});

describe("no WebAssembly at all", () => {
  const problem =
    "this host has no WebAssembly, which headwise needs; scaledDotProductAttention of headwise/baseline takes the same tensors, and computes in plain JavaScript";

  test("the error names headwise/baseline, which computes", async () => {
    vi.stubGlobal("WebAssembly", undefined);
    await expect(createEngine()).rejects.toThrow(new Error(`createEngine: ${problem}`));
    await expect(createEngine({ wasm: new Uint8Array(8) })).rejects.toThrow(new Error(`createEngine: ${problem}`));
    expect(() => createEngineSync()).toThrow(new Error(`createEngineSync: ${problem}`));
    const plain = baseline(x, x, x).data;
    expect(plain.every((value, index) => Math.abs(value - truth[index]!) < 1e-6)).toBe(true);
  });
});

describe("classes of another realm, as test runners and frames mix them", () => {
  const file = new URL("../dist/wasm/simd.wasm", import.meta.url);
  const elsewhere = (code: string, values: object = {}): object =>
    vm.runInNewContext(code, { bytes: readFileSync(file), ...values }) as object;
  const lookalike = (kind: string, more: string): object =>
    elsewhere(`({ [Symbol.toStringTag]: "${kind}", ${more} })`, { href: file.href });

  test.each<[string, () => object]>([
    ["an ArrayBuffer", () => elsewhere("new Uint8Array(bytes).buffer")],
    ["a Uint8Array", () => elsewhere("new Uint8Array(bytes)")],
    ["a WebAssembly.Module", () => elsewhere("new WebAssembly.Module(new Uint8Array(bytes))")],
    ["a URL", () => lookalike("URL", "toString() { return href; }")],
    ["a Response", () => lookalike("Response", "ok: true, async arrayBuffer() { return new Uint8Array(bytes).buffer; }")],
  ])("%s is taken as wasm", async (_, make) => {
    expectRight(await createEngine({ wasm: make() }));
  });

  test("memory that is not shared is known where ArrayBuffer is another realm's, as in Jest", async () => {
    const wasm = await WebAssembly.compile(readFileSync(file));
    vi.stubGlobal("ArrayBuffer", elsewhere("ArrayBuffer"));
    const engine = await createEngine({ wasm, threads: 2 });
    expect(engine.info.threadsReason).toBe('the module in "wasm" was compiled for memory that threads cannot share');
    expectRight(engine);
  });
});

describe("a realm with ECMAScript and WebAssembly only, whose objects are frozen", () => {
  const bundled = async (entry: string): Promise<string> => {
    const input = fileURLToPath(new URL(`../dist/${entry}.js`, import.meta.url));
    const bundle = await rolldown({ input, platform: "neutral" });
    const { output } = await bundle.generate({ format: "iife", name: "headwise", codeSplitting: false });
    return output[0].code;
  };
  /** What no host adds to. */
  const FREEZE = `
    delete globalThis.console;
    for (const name of Object.getOwnPropertyNames(globalThis)) {
      const value = globalThis[name];
      if (typeof value !== "function" || name === "Iterator") continue;
      Object.freeze(value);
      if (value.prototype) Object.freeze(value.prototype);
    }
    Object.freeze(Reflect); Object.freeze(Math); Object.freeze(JSON); Object.freeze(WebAssembly);
  `;
  const INPUT = `const x = { data: Float32Array.of(1, 0, 0, 1, 1, 1), dims: [3, 2] };`;
  const computed = async (entry: string, program: string): Promise<number[]> => {
    const realm = vm.createContext();
    vm.runInContext(FREEZE, realm);
    expect(vm.runInContext("typeof TextDecoder + typeof URL + typeof performance + typeof crypto", realm)).toBe(
      "undefined".repeat(4),
    );
    vm.runInContext(await bundled(entry), realm);
    return [...((await vm.runInContext(`(async () => { ${INPUT} ${program} })()`, realm)) as Float32Array)];
  };
  const attend = (engine: string): string =>
    `const engine = ${engine}; const { data } = engine.scaledDotProductAttention(x, x, x); engine.dispose(); return data;`;
  const expected = [
    ...createEngineSync({ build: "simd" }).scaledDotProductAttention(
      { data: Float32Array.of(1, 0, 0, 1, 1, 1), dims: [3, 2] },
      { data: Float32Array.of(1, 0, 0, 1, 1, 1), dims: [3, 2] },
      { data: Float32Array.of(1, 0, 0, 1, 1, 1), dims: [3, 2] },
    ).data,
  ];

  test.each([
    ["index", attend('await headwise.createEngine({ build: "simd" })')],
    ["index", attend('await headwise.createEngine({ build: "simd", threads: 2 })')],
    ["standalone", attend('await headwise.createEngine({ build: "simd" })')],
    ["sync", attend('headwise.createEngineSync({ build: "simd" })')],
  ])("headwise's %s", async (entry, program) => {
    expect(await computed(entry, program)).toEqual(expected);
  });

  test.each(["reference/index", "baseline/index"])("headwise/%s", async (entry) => {
    const found = await computed(entry, "return headwise.scaledDotProductAttention(x, x, x).data;");
    for (const [index, value] of found.entries()) expect(Math.abs(value - expected[index]!)).toBeLessThan(1e-6);
  });
});
