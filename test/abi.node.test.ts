/** The contract between wrapper and kernels: exports, imports, the structs, and nothing that runs at instantiation. */
import { main as asc } from "assemblyscript/asc";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { KVCache } from "headwise";
import { Engine } from "../src/engine/engine.js";
import { instantiate } from "../src/runtime/instantiate.js";
import { ABI_VERSION } from "../src/runtime/kernels.js";
import {
  ACTIVATE_PARAMS,
  ATTENTION_PARAMS,
  AVERAGE_PARAMS,
  AXIS_PARAMS,
  CACHE_PARAMS,
  GATE_PARAMS,
  KEY_SPAN,
  LINEAR_PARAMS,
  MATMUL_ENTRY,
  MATMUL_PARAMS,
  MERGE_PARAMS,
  MERGE_PART,
  SEQUENCE_PARAMS,
  NORMALIZE_PARAMS,
  ROTARY_PARAMS,
  ROTARY_TABLES_PARAMS,
  sizeOf,
  SOFTMAX_PARAMS,
} from "../src/runtime/params.js";
import { withMemory } from "../src/runtime/memorySharing.js";
import { openRuntime, readOptions } from "../src/engine/openEngine.js";
import { expectSameBits, largestError } from "./support/attention.js";
import { attentionBinaryOf, binaryOf, onEveryBuild } from "./support/builds.js";
import { normal } from "./support/random.js";

const EXPORTS = [
  ...[
    "abiVersion",
    "activate",
    "addValues",
    "appendKeys",
    "attention",
    "averageWeights",
    "block",
    "build",
    "cacheBlockBytes",
    "exponentials",
    "gateHeads",
    "heapBase",
    "linearAttention",
    "linearStateBytes",
    "linearWorkBytes",
    "matmul",
    "memory",
    "merge",
    "multiplyAdd",
    "multiplyAdds",
    "normalize",
    "packKeys",
    "packMatrix",
  ],
  ...[
    "packRows",
    "packSums",
    "packValues",
    "packedBytes",
    "panel",
    "placeLinearWork",
    "placeProduct",
    "placeWorkspace",
    "productUnits",
    "productWorkspaceBytes",
    "randomProjections",
    "readKeys",
    "readSums",
    "rotary",
    "rotaryFrequencies",
    "rotaryTables",
    "rowMax",
    "scoreStrip",
    "sharedScoresBytes",
    "softcapRow",
    "softmax",
    "splitScores",
    "splitValues",
    "transferBytes",
    "unpackColumns",
    "widenFloat16",
    "workspaceBytes",
    "writeExtraRows",
  ],
];
const START_SECTION = 8;

/** Numbers of the sections of a binary. */
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
  const module = new WebAssembly.Module(withMemory("test", binaryOf(build), "unshared"));
  const instance = instantiate("test", binaryOf(build), 2 ** 16, 2 ** 20);

  test("exports just the kernels and the memory", () => {
    expect(
      WebAssembly.Module.exports(module)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(EXPORTS);
  });

  test("the binary for attention alone exports a part of them, and computes with it", () => {
    if (build === "debug") return; // not packaged
    const bytes = attentionBinaryOf(build);
    const exported = WebAssembly.Module.exports(new WebAssembly.Module(bytes)).map(({ name }) => name);
    expect(EXPORTS).toEqual(expect.arrayContaining(exported));
    expect(exported).not.toContain("matmul");
    const engine = new Engine(openRuntime("test", readOptions("test", {}), bytes).runtime); // passes the self-test
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
      expect(KVCache.restore(engine, cache.serialize()).length).toBe(3);
    }
    expect(() => openRuntime("test", readOptions("test", { operations: "all" }), bytes)).toThrow(
      new RangeError('test: "wasm" holds the kernels of attention alone, expected those of all operations'),
    );
  });

  test("imports the memory and nothing else", () => {
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
  });

  test("has no start function: instantiating it changes nothing but its static data, which begin at 1024", () => {
    expect(sections(binaryOf(build))).not.toContain(START_SECTION);
    const { memory, kernels } = instantiate("test", binaryOf(build), 2 ** 16, 2 ** 20);
    expect(memory.u8.subarray(0, 1024).every((byte) => byte === 0)).toBe(true);
    expect(memory.u8.subarray(kernels.heapBase()).every((byte) => byte === 0)).toBe(true);
  });

  test("says its ABI, its build, its panels and blocks", () => {
    const { kernels } = instance;
    expect([kernels.abiVersion(), instance.build, kernels.panel(), kernels.block()]).toEqual([ABI_VERSION, build, 8, 512]);
  });

  test("fuses multiply-adds where the build may, and instance.fused says so", () => {
    expect(instance.fused).toBe(build === "relaxed" || build === "wide"); // on hosts with FMA instructions; without, relaxed rounds twice as well
  });

  test("is compiled for shared memory, from which unsharing differs in one byte", () => {
    const shared = binaryOf(build);
    const unshared = withMemory("test", shared, "unshared");
    const differing = [...shared.keys()].filter((index) => shared[index] !== unshared[index]);
    expect(differing.map((index) => [shared[index], unshared[index]])).toEqual([[3, 1]]);
    expect(Buffer.compare(withMemory("test", unshared, "shared"), shared)).toBe(0);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 16, shared: true });
    expect(() => new WebAssembly.Instance(new WebAssembly.Module(shared), { env: { memory } })).not.toThrow();
    expect(instance.memory.buffer).toBeInstanceOf(ArrayBuffer);
  });
});

test("the structs have the same fields at the same offsets on both sides", async () => {
  const structs = {
    AttentionParams: ATTENTION_PARAMS,
    SequenceParams: SEQUENCE_PARAMS,
    ActivateParams: ACTIVATE_PARAMS,
    GateParams: GATE_PARAMS,
    AverageParams: AVERAGE_PARAMS,
    SoftmaxParams: SOFTMAX_PARAMS,
    AxisParams: AXIS_PARAMS,
    NormalizeParams: NORMALIZE_PARAMS,
    RotaryParams: ROTARY_PARAMS,
    RotaryTablesParams: ROTARY_TABLES_PARAMS,
    MergeParams: MERGE_PARAMS,
    MergePart: MERGE_PART,
    CacheParams: CACHE_PARAMS,
    KeySpan: KEY_SPAN,
    LinearParams: LINEAR_PARAMS,
    MatmulParams: MATMUL_PARAMS,
    MatmulEntry: MATMUL_ENTRY,
  };
  const offsets = Object.entries(structs).flatMap(([struct, fields]) => [
    `export function sizeof_${struct}(): i32 { return offsetof<${struct}>(); }`,
    ...Object.keys(fields).map((field) => `export function ${struct}_${field}(): i32 { return offsetof<${struct}>("${field}"); }`),
  ]);
  const params = ["attention", "row", "linear", "matmul", "multiHead"]
    .map((part) => readFileSync(new URL(`../assembly/abi/${part}Params.ts`, import.meta.url), "utf8"))
    .join("\n");
  const source = `import { ${Object.keys(structs).join(", ")} } from "./params";\n${offsets.join("\n")}`;
  const files: Record<string, string> = { "entry.ts": source, "params.ts": params };
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const { error, stderr } = await asc(["entry.ts", "--outFile", "out.wasm", "--runtime", "stub", "--use", "abort="], {
    readFile: (name) => files[name] ?? null,
    writeFile: (_, contents) => {
      binary = contents as Uint8Array<ArrayBuffer>;
    },
    listFiles: () => [],
  });
  expect(error, stderr.toString()).toBeNull();
  const exports = new WebAssembly.Instance(new WebAssembly.Module(binary!)).exports as Record<string, () => number>;
  for (const [struct, fields] of Object.entries(structs)) {
    expect(exports[`sizeof_${struct}`]!(), `size of ${struct}`).toBe(sizeOf(fields));
    for (const [index, field] of Object.keys(fields).entries())
      expect(exports[`${struct}_${field}`]!(), `${struct}.${field}`).toBe(4 * index);
  }
  // types: an f32 on one side and an integer on the other would have the same offset
  for (const [field, type] of Object.values(structs).flatMap((fields) => Object.entries(fields))) {
    expect(params, `${field} is ${type}`).toMatch(new RegExp(`^  ${field}: ${type};$`, "m"));
  }
});
