/** The simd build gives the checked-in bits, and the cases cover every public operation; `npm run bits` runs other hosts. */
import { ACTIVATIONS, FEATURE_MAPS } from "../src/runtime/abi.generated.js";
import { createEngine } from "headwise";
import { describe, expect, test, vi } from "vitest";
import type { BitsCase } from "./bits/case.js";
import { bitsCases } from "./bits/discover.js";
import { computeBits, differences, inputsOf, shareEverything } from "./bits/compute.js";
import { readExpected } from "./bits/expected.js";
import { hashesOf } from "./bits/hash.js";
import { AttentionEngine } from "../src/engine/attentionEngine.js";
import { Engine } from "../src/engine/engine.js";
import { KVCache } from "../src/cache/kvCache.js";
import { LinearAttentionState } from "../src/linear/linearAttentionState.js";
import { MultiHeadAttention } from "../src/multiHead/multiHeadAttention.js";
import { RULES } from "../src/linear/linearConfig.js";
import { poison } from "./support/attention.js";
import { binaryOf, canRun, openBuild } from "./support/builds.js";
import { publicOperations } from "./support/publicOperations.js";

const HINT = "npm run bits -- --update writes the hashes of new cases";

/** Public functions that compute nothing, and why. */
const NO_OPERATIONS: Readonly<Record<string, string>> = {
  createEngine: "makes an engine",
  createEngineSync: "makes an engine",
  multiHeadFromTorch: "names parameters",
  multiHeadFromHuggingFace: "names parameters",
  multiHeadFromKeras: "names parameters",
  createWorkerEngine: "makes an engine, which test/workerEngine.node.test.ts compares bit for bit with one here",
  "Engine.tensor": "makes a tensor of zeros",
  "Engine.planAttention": "counts threads and bytes, which are the host's",
  "Engine.dispose": "gives memory back",
  "EngineTensor.reshape": "names other sizes for the same numbers",
  "EngineTensor.dispose": "gives memory back",
  "KVCache.dispose": "gives memory back",
  "LinearAttentionState.dispose": "gives memory back",
  "MultiHeadAttention.dispose": "gives memory back",
  "PackedMatrix.dispose": "gives memory back",
};

const CASES = await bitsCases(import.meta.dirname);
const expected = readExpected();
const open = (): Engine => openBuild("simd");

const CLASSES: Readonly<Record<string, { prototype: object }>> = {
  AttentionEngine,
  Engine,
  KVCache,
  LinearAttentionState,
  MultiHeadAttention,
};

/** The object that has an operation, and its name there; undefined for functions of a module, which cannot be spied on. */
function holderOf(engine: Engine, operation: string): [Record<string, () => unknown>, string] | undefined {
  const [owner, name] = operation.split(".") as [string, string?];
  if (name === undefined) return undefined;
  const places: unknown[] = [engine, CLASSES[owner], CLASSES[owner]?.prototype];
  const holder = places.find((place) => Object.hasOwn(place as object, name));
  return [holder as Record<string, () => unknown>, name];
}

describe("the hashes in test/bits/expected.json", () => {
  test("match the simd build here, whatever its free memory holds", async () => {
    const engine = open();
    expect(differences(await computeBits(engine, CASES, 0, () => poison(engine)), expected.cases), HINT).toEqual(new Map());
  });

  test("match a case that runs first", async () => {
    for (const each of CASES.filter((_, index) => index % 10 === 3)) {
      const engine = open();
      const found = await computeBits(engine, [each]);
      expect(found[each.name], each.name).toEqual(expected.cases[each.name]);
      engine.dispose();
    }
  });

  test("match two threads", async () => {
    const engine = await createEngine({ wasm: binaryOf("simd"), threads: 2 });
    expect(engine.info.threadsReason).toBeUndefined();
    shareEverything(engine);
    expect(differences(await computeBits(engine, CASES, 0, () => poison(engine)), expected.cases), HINT).toEqual(new Map());
    engine.dispose();
  });

  test.skipIf(!canRun("debug"))("match the debug build, which does the same without optimization", async () => {
    expect(differences(await computeBits(openBuild("debug"), CASES), expected.cases), HINT).toEqual(new Map());
  });

  test.skipIf(!canRun("relaxed"))(
    "differ from the relaxed build in nine cases of ten: the others do not round, or only in float64",
    async () => {
      const found = differences(await computeBits(openBuild("relaxed"), CASES), expected.cases);
      expect(found.size).toBeGreaterThan(0.9 * CASES.filter(({ name }) => !name.startsWith("masks: ")).length);
    },
  );
});

describe("the cases", () => {
  test("have unique names", () => {
    expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
  });

  test("cover every public operation and nothing else; for a new operation add a case to its *.bits.ts", () => {
    const operations = publicOperations(["src/index.ts", "src/sync.ts"]);
    const covered = new Set(CASES.flatMap(({ covers }) => covers));
    expect(operations.filter((name) => !covered.has(name) && !(name in NO_OPERATIONS))).toEqual([]);
    expect([...covered, ...Object.keys(NO_OPERATIONS)].filter((name) => !operations.includes(name))).toEqual([]);
    expect([...covered].filter((name) => name in NO_OPERATIONS)).toEqual([]);
  });

  test.each([
    ["activate", ACTIVATIONS],
    ["matmul", ACTIVATIONS],
    ["linear", FEATURE_MAPS],
    ["linear", RULES],
    ["linear state", RULES],
  ])("%s: all of %s", (prefix, kinds) => {
    for (const kind of kinds) {
      expect(
        CASES.some(({ name }) => name.startsWith(`${prefix}: `) && name.includes(`"${kind}"`)),
        kind,
      ).toBe(true);
    }
  });

  test("call the operations that they claim to cover", () => {
    const engine = open();
    for (const each of CASES) {
      const spies = each.covers.flatMap((name) => {
        const holder = holderOf(engine, name);
        return holder ? [{ name, spy: vi.spyOn(...holder) }] : [];
      });
      each.run(engine, inputsOf(each));
      for (const { name, spy } of spies) {
        expect(spy, `${each.name} covers ${name}`).toHaveBeenCalled();
        spy.mockRestore();
      }
    }
  });

  test("give results that all depend on the seed, have more than one number, and are mostly finite", () => {
    const engine = open();
    const outputsOf = (each: BitsCase, seed: number) => each.run(engine, inputsOf(each, seed));
    for (const each of CASES) {
      const [first, second] = [outputsOf(each, 0), outputsOf(each, 1)];
      for (const [name, data] of Object.entries(first)) {
        expect(data, `${each.name}, ${name}`).not.toEqual(second[name]);
        if (data.length > 1) expect(new Set(data).size, `${each.name}, ${name}`).toBeGreaterThan(1);
        const finite = Array.from(data).filter(Number.isFinite).length;
        expect(finite, `${each.name}, ${name}`).toBeGreaterThan(data.length / 4);
      }
    }
    engine.dispose();
  });
});

describe("a hash", () => {
  const hashOf = async (data: Float32Array | Uint8Array) => (await hashesOf({ data }))["data"];
  const floatOf = (bits: number): Float32Array => new Float32Array(Uint32Array.of(bits).buffer);

  test("is SHA-256 over the bytes, the lowest one of a float first", async () => {
    expect(await hashOf(new TextEncoder().encode("abc"))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(await hashOf(Float32Array.of(1, -2))).toBe(await hashOf(Uint8Array.of(0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0)));
  });

  test("is the same for every NaN", async () => {
    expect(await hashOf(floatOf(0xffc00000))).toBe(await hashOf(floatOf(0x7fc12345)));
  });

  test("distinguishes −0 from +0, and neighbouring numbers", async () => {
    expect(await hashOf(Float32Array.of(-0))).not.toBe(await hashOf(Float32Array.of(0)));
    expect(await hashOf(floatOf(1))).not.toBe(await hashOf(floatOf(2)));
  });
});
