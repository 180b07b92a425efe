/** The contract between wrapper and kernels: exports, imports, structs, and no code that runs at instantiation. */
import { instantiateSync } from "@assemblyscript/loader";
import { main as asc } from "assemblyscript/asc";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generate, hashOf, readAbi } from "../scripts/abi.mjs";
import { AttentionEngine } from "../src/engine/attentionEngine.js";
import { openGiven, readEngineOptions } from "../src/engine/openEngine.js";
import { answerAtOnce, take } from "../src/runtime/steps.js";
import * as attentionAbi from "../src/runtime/abi.generated.js";
import * as fullAbi from "../src/runtime/fullAbi.generated.js";
import { instantiate } from "../src/runtime/instantiate.js";
import { withMemory } from "../src/runtime/memorySharing.js";
import { Runtime } from "../src/runtime/runtime.js";
import { expectSameBits, largestError } from "./support/attention.js";
import { attentionBinaryOf, binaryOf, onEveryBuild } from "./support/builds.js";
import { normal } from "./support/random.js";

const abi = readAbi();
const generated = { ...attentionAbi, ...fullAbi };
const exportsOf = (bytes: Uint8Array<ArrayBuffer>): string[] =>
  WebAssembly.Module.exports(new WebAssembly.Module(bytes))
    .map(({ name }) => name)
    .sort();
const withMemoryOf = (functions: object): string[] => [...Object.keys(functions), "memory"].sort();
const START_SECTION = 8;

/** Section numbers of a binary. */
function sections(bytes: Uint8Array): number[] {
  const found: number[] = [];
  for (let at = 8; at < bytes.length;) {
    found.push(bytes[at++]!);
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      size |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    at += size;
  }
  return found;
}

onEveryBuild((build) => {
  const module = new WebAssembly.Module(withMemory("test", binaryOf(build), false));
  const instance = instantiate("test", binaryOf(build), { initialBytes: 2 ** 16, maximumBytes: 2 ** 20 });

  test("exports exactly the functions of assembly/index.ts and the memory", () => {
    expect(exportsOf(binaryOf(build))).toEqual(withMemoryOf(abi.functions));
  });

  test("the binary for attention alone exports a subset of them, and computes with it", () => {
    if (build === "debug") return; // not packaged
    const bytes = attentionBinaryOf(build);
    expect(exportsOf(bytes)).toEqual(withMemoryOf(abi.attentionFunctions));
    expect(Object.keys(abi.functions)).toEqual(expect.arrayContaining(Object.keys(abi.attentionFunctions)));
    expect(exportsOf(bytes)).not.toContain("matmul");
    const engine = new AttentionEngine(
      take(openGiven("test", readEngineOptions("test", {}, "attention"), bytes), answerAtOnce).runtime,
    ); // passes the self-test
    expect(engine.info.build).toBe(build);
    if (build === "wide") expect(engine.info.wideSpeedup).toBeGreaterThan(0);
    const rows = normal([1, 3, 1, 4], 1);
    const logSumExp = normal([1, 1, 3], 2);
    const out = engine.scaledDotProductAttention(rows, rows, rows, { causal: true, logSumExp });
    expectSameBits(engine.mergeAttention([{ out, logSumExp }]).data, out.data, "merged");
    for (const dtype of ["float32", "int8"] as const) {
      const cache = engine.createKVCache({ numKvHeads: 1, headDim: 4, capacity: 8, dtype });
      cache.append(rows, rows);
      expect(largestError(cache.attend(rows).data, out.data)).toBeLessThan(dtype === "int8" ? 0.05 : 1e-6);
      expect(engine.restoreKVCache(cache.serialize()).length).toBe(3);
    }
    expect(() => take(openGiven("test", readEngineOptions("test", {}, "all"), bytes), answerAtOnce)).toThrow(
      new RangeError('test: "wasm" holds only the kernels of attention, which headwise/attention takes'),
    );
  });

  test("AssemblyScript's loader instantiates it too, and finds the same functions", () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 16 });
    const { exports } = instantiateSync<Record<string, (...args: number[]) => number>>(module, { env: { memory } });
    expect(exports["multiplyAdd"]!(2, 3, 4)).toBe(10);
    expect(Object.keys(exports)).toEqual(expect.arrayContaining([...generated.SHARED_KERNELS]));
  });

  test("imports the memory and nothing else", () => {
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
  });

  test("has no start function: instantiating it changes nothing but its static data, which begin at 1024", () => {
    expect(sections(binaryOf(build))).not.toContain(START_SECTION);
    const { memory, kernels } = instantiate("test", binaryOf(build), { initialBytes: 2 ** 16, maximumBytes: 2 ** 20 });
    expect(memory.u8.subarray(0, 1024).every((byte) => byte === 0)).toBe(true);
    expect(memory.u8.subarray(kernels.heapBase()).every((byte) => byte === 0)).toBe(true);
  });

  test("reports the hash of its ABI, and its build", () => {
    expect([instance.kernels.abiHash() >>> 0, instance.build]).toEqual([generated.ABI_HASH, build]);
  });

  test("has room before the tensors for any struct of a call, and for a second one", () => {
    const runtime = new Runtime(instance);
    const first = runtime.arena.allocate("test", 4);
    for (const [struct, fields] of Object.entries(abi.structs)) {
      const bytes = 4 * Object.keys(fields).length;
      expect(runtime.besidePtr - runtime.jobPtr, struct).toBeGreaterThanOrEqual(bytes);
      expect(first - runtime.besidePtr, struct).toBeGreaterThanOrEqual(bytes);
    }
    runtime.arena.free(first);
  });

  test("fuses multiply-adds where the build may, and instance.fused reports it", () => {
    expect(instance.fused).toBe(build === "relaxed" || build === "wide"); // on hosts with FMA; elsewhere relaxed rounds twice, too
  });

  test("is compiled for shared memory; unsharing changes one byte", () => {
    const shared = binaryOf(build);
    const unshared = withMemory("test", shared, false);
    const differing = [...shared.keys()].filter((index) => shared[index] !== unshared[index]);
    expect(differing.map((index) => [shared[index], unshared[index]])).toEqual([[3, 1]]);
    expect(Buffer.compare(withMemory("test", unshared, true), shared)).toBe(0);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 16, shared: true });
    expect(() => new WebAssembly.Instance(new WebAssembly.Module(shared), { env: { memory } })).not.toThrow();
    expect(instance.memory.buffer).toBeInstanceOf(ArrayBuffer);
  });
});

test("the generated files match the sources; node scripts/abi.mjs rewrites them", () => {
  for (const [path, text] of Object.entries(generate())) expect(readFileSync(path, "utf8"), path).toBe(text);
});

/** Compiles a source that imports from `assembly/`. */
async function compile(source: string): Promise<Uint8Array<ArrayBuffer>> {
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const { error, stderr } = await asc(
    // prettier-ignore
    [
      "entry.ts", "--outFile", "out.wasm", "--runtime", "stub", "--enable", "simd", "--importMemory",
      "--use", "abort=", "--use", "IS_WIDE_BUILD=ASC_FEATURE_GC", "--use", "HAS_EVERY_OPTION_BUILD=ASC_FEATURE_GC",
    ],
    {
      readFile: (name) => {
        if (name === "entry.ts") return source;
        return name.startsWith("assembly/") && readdirSync(join(name, "..")).includes(name.split("/").at(-1)!)
          ? readFileSync(name, "utf8")
          : null;
      },
      writeFile: (_, contents) => {
        binary = contents as Uint8Array<ArrayBuffer>;
      },
      listFiles: () => [],
    },
  );
  expect(error, stderr.toString()).toBeNull();
  return binary!;
}

test("the kernels read what a generated writer writes to a struct, and constants are the same on both sides", async () => {
  const files = readdirSync("assembly", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const imports = files.flatMap((name) => {
    const text = readFileSync(`assembly/${name}`, "utf8");
    const names = [...Object.keys(abi.structs), ...Object.keys(abi.constants)].filter((each) =>
      new RegExp(`export (class ${each}|\\{.*\\b${each}\\b.*\\}) `).test(text),
    );
    return names.length > 0 ? [`import { ${names.join(", ")} } from "./assembly/${name.slice(0, -3)}";`] : [];
  });
  const binary = await compile(
    [
      ...imports,
      ...Object.keys(abi.constants).map((name) => `export function constant_${name}(): f64 { return <f64>${name}; }`),
      ...Object.entries(abi.structs).flatMap(([struct, fields]) => [
        `export function sizeof_${struct}(): i32 { return offsetof<${struct}>(); }`,
        ...Object.keys(fields).map(
          (field) => `export function ${struct}_${field}(ptr: usize): f64 { return <f64>changetype<${struct}>(ptr).${field}; }`,
        ),
      ]),
    ].join("\n"),
  );
  const memory = new WebAssembly.Memory({ initial: 1 });
  const exports = new WebAssembly.Instance(new WebAssembly.Module(binary), { env: { memory } }).exports as Record<
    string,
    (ptr?: number) => number
  >;
  const views = { i32: new Int32Array(memory.buffer), f32: new Float32Array(memory.buffer) };
  const ofTypeScript = generated as unknown as Record<string, number> &
    Record<string, (memory: typeof views, ptr: number, values: Record<string, number>) => void>;
  const PTR = 4096;
  for (const [struct, fields] of Object.entries(abi.structs)) {
    const constant = `${struct.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase()}_BYTES`;
    expect(exports[`sizeof_${struct}`]!(), `size of ${struct}`).toBe(ofTypeScript[constant]);
    expect(ofTypeScript[constant]).toBeLessThanOrEqual(generated.LARGEST_STRUCT_BYTES);
    // No other type could hold the value of a field.
    const valueOf = {
      usize: (index: number) => 2 ** 31 + index,
      i32: (index: number) => -1 - index,
      f32: (index: number) => index + 0.5,
    };
    const values = Object.fromEntries(Object.entries(fields).map(([field, type], index) => [field, valueOf[type](index)]));
    ofTypeScript[`write${struct}`]!(views, PTR, values);
    for (const field of Object.keys(fields)) {
      expect(exports[`${struct}_${field}`]!(PTR), `${struct}.${field}`).toBe(values[field]);
    }
  }
  for (const [name, value] of Object.entries(abi.constants)) {
    expect(exports[`constant_${name}`]!(), name).toBe(value);
    expect(ofTypeScript[name], name).toBe(value);
  }
});

test("a module of another ABI is refused", async () => {
  const binary = await compile("export function abiHash(): u32 { return 4000000000; }");
  expect(() => instantiate("test", binary, { initialBytes: 2 ** 16, maximumBytes: 2 ** 20 })).toThrow(
    new RangeError(
      `test: "wasm" is not a kernel module of this version of headwise: the hash of its ABI is 4000000000, expected ${generated.ABI_HASH}`,
    ),
  );
});

describe("the generator, on changed sources", () => {
  let root = "";
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "headwise-abi-"));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  /** The hash once `find` has become `replace` in a file. */
  function hashWith(file: string, find: string, replace: string): number {
    mkdirSync(root, { recursive: true });
    cpSync("assembly", join(root, "assembly"), { recursive: true });
    cpSync("package.json", join(root, "package.json"));
    const text = readFileSync(file, "utf8");
    expect(text.split(find).length, find).toBe(2);
    writeFileSync(
      join(root, file),
      text.replace(find, () => replace),
    );
    return hashOf(readAbi(root));
  }

  test.each([
    [
      "an additional field",
      "../rows/activations",
      "  /** Elements. */\n  count: usize;\n",
      "  /** Elements. */\n  count: usize;\n  more: usize;\n",
    ],
    ["fields in another order", "attentionParams", "  parts: usize;\n  numParts: usize;", "  numParts: usize;\n  parts: usize;"],
    ["a field of another type", "attentionParams", "  softcap: f32;", "  softcap: i32;"],
    ["names in another order", "activation", "  GELU = 0,\n  GELU_TANH = 1,", "  GELU_TANH = 0,\n  GELU = 1,"],
    ["another name", "linearParams", '// "elu+1"', '// "elu"'],
  ])("%s: a different hash", (_, file, find, replace) => {
    expect(hashWith(`assembly/abi/${file}.ts`, find, replace)).not.toBe(generated.ABI_HASH);
  });

  test("a constant, a signature or a version changes the hash; a comment does not", () => {
    expect(hashWith("assembly/tiles/layout.ts", " BLOCK: usize = 512", " BLOCK: usize = 256")).not.toBe(generated.ABI_HASH);
    expect(
      hashWith(
        "assembly/math/float16.ts",
        "widenFloat16(srcPtr: usize, dstPtr: usize, count: usize",
        "widenFloat16(srcPtr: usize, dstPtr: usize, count: i32",
      ),
    ).not.toBe(generated.ABI_HASH);
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(hashWith("package.json", `"version": "${version}"`, '"version": "99.0.0"')).not.toBe(generated.ABI_HASH);
    cpSync("package.json", join(root, "package.json"));
    expect(hashWith("assembly/rows/activations.ts", "  /** Elements. */", "")).toBe(generated.ABI_HASH);
  });

  test("kernels whose work threads share export a count of units, and the other functions that they need", () => {
    expect(abi.sharedKernels).toEqual(generated.SHARED_KERNELS);
    const index = "assembly/index.ts";
    expect(() => hashWith(index, "activate, activateUnits", "activate")).toThrow("activate: expected activateUnits beside it");
    expect(() =>
      hashWith(index, "softmaxUnits, softmaxWorkspaceBytes", "softmaxUnits, softmaxUnits as softmaxWorkspaceBytes"),
    ).toThrow("softmaxWorkspaceBytes: expected ");
    expect(() => hashWith(index, "matmulUnits, matmulWorkspaceBytes", "matmulUnits")).toThrow(
      "matmulPlace: expected matmulWorkspaceBytes beside it",
    );
    expect(() => hashWith(index, "normalize, normalizeUnits", "normalizeUnits")).toThrow("normalizeUnits: expected a kernel ");
  });

  test.each([
    ["../rows/activations", "  kind: i32;", "  kind: u8;", "ActivateParams.kind: expected a field of usize, i32, f32"],
    ["activation", "  SILU = 2,", "  SILU = 7,", "Activation.SILU must be 2"],
    ["softmaxParams", "@unmanaged\nexport class AxisParams", "export class AxisParams", "AxisParams is not @unmanaged"],
    ["constants", "BLOCK, PANEL", "BLOCK, PANEL_BYTES", "PANEL_BYTES must be an integer that is written out"],
  ])("throws on what it does not understand: %s, %s", (file, find, replace, message) => {
    expect(() => hashWith(`assembly/abi/${file}.ts`, find, replace)).toThrow(message);
  });
});
