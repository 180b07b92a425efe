/** Engines in a worker: each public method and property gives the bits of an engine here. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FullWorkerEngine, type ResultTensor, type WorkerTensor } from "headwise";
import { FullEngine } from "../src/engine/fullEngine.js";
import { KVCache } from "../src/cache/kvCache.js";
import { LinearAttentionState } from "../src/linear/linearAttentionState.js";
import { MultiHeadAttention } from "../src/multiHead/multiHeadAttention.js";
import { PackedMatrix } from "../src/product/packedMatrix.js";
import { hasRelaxedSimd } from "../src/runtime/features.js";
import { EngineTensor } from "../src/call/tensor.js";
import { factsOf, interfaceOf } from "../src/workerEngine/interfaces.js";
import { bitsIn, busy, here, large, open, openHere, openThere, shared, x } from "./support/workerEngines.js";
import { SCENARIOS } from "./support/workerScenarios.js";

describe("every public method and property", () => {
  const ROOMS = {
    Engine: "engine/engine",
    EngineTensor: "call/tensor",
    KVCache: "cache/kvCache",
    PackedMatrix: "product/packedMatrix",
  };
  const ALL_ROOMS = {
    ...ROOMS,
    FullEngine: "engine/fullEngine",
    MultiHeadAttention: "multiHead/multiHeadAttention",
    LinearAttentionState: "linear/linearAttentionState",
  };
  /** Member names of a class in its declaration file, which has no internal members. */
  function declared(name: string, room: string): string[] {
    const text = readFileSync(new URL(`../dist/${room}.d.ts`, import.meta.url), "utf8");
    const [, members] = text.split(new RegExp(`declare class ${name}\\b`)) as [string, string];
    const names = [...members.split("\n}")[0]!.matchAll(/^ {4}(?:readonly |get )?(\w+)[(:<]/gm)].map(([, member]) => member!);
    return [...new Set(names)].filter((member) => member !== "constructor");
  }

  const OBJECTS: Record<string, object> = {
    Engine: here,
    EngineTensor: EngineTensor.prototype,
    KVCache: KVCache.prototype,
    PackedMatrix: PackedMatrix.prototype,
    MultiHeadAttention: MultiHeadAttention.prototype,
    LinearAttentionState: LinearAttentionState.prototype,
  };
  /** Facts that are not properties of the prototype. */
  const OWN_FACTS: Record<string, string[]> = {
    PackedMatrix: ["depth", "columns"],
    EngineTensor: ["type", "dims"],
    MultiHeadAttention: ["config"],
  };
  const askable = (type: string): string[] => {
    const { methods, properties } = interfaceOf(type, OBJECTS[type]!);
    return [...methods, ...properties, ...(OWN_FACTS[type] ?? [])];
  };

  test("can be called remotely, and nothing that is not public", () => {
    const names = Object.entries(ALL_ROOMS).map(
      ([type, room]) => [type === "FullEngine" ? "Engine" : type, declared(type, room)] as const,
    );
    const publicNames = new Set(names.flatMap(([type, all]) => all.map((name) => `${type}.${name}`)));
    const added = ["Engine.restoreKVCache", "EngineTensor.read", "EngineTensor.write", "Engine.createMultiHeadAttention.fromTorch"];
    publicNames.delete("EngineTensor.data"); // read and written as copies
    const found = Object.keys(OBJECTS).flatMap((type) => askable(type).map((name) => `${type}.${name}`));
    expect(found.sort()).toEqual([...publicNames, ...added].sort());
  });

  test("facts match those of the object", () => {
    const tensor = here.tensor([3], "uint8");
    expect(factsOf("EngineTensor", tensor)).toEqual([
      ["type", "uint8"],
      ["dims", [3]],
    ]);
    expect(factsOf("KVCache", here.createKVCache({ numKvHeads: 1, headDim: 1, capacity: 1 }))).toEqual([]);
  });

  test("has a scenario below", () => {
    const found = Object.keys(OBJECTS).flatMap((type) => askable(type).map((name) => `${type}.${name}`));
    expect(Object.keys(SCENARIOS).sort()).toEqual(found.sort());
    expect(OBJECTS["Engine"]).toBeInstanceOf(FullEngine);
  });

  describe.each(["simd", "relaxed"] as const)("%s", (build) => {
    if (build === "relaxed" && !hasRelaxedSimd()) {
      test.skip("not run: this host does not validate relaxed SIMD", () => undefined);
      return;
    }
    let [one, other]: FullWorkerEngine[] = [];
    beforeAll(async () => ([one, other] = await Promise.all([openHere(build), openThere(build)])));
    afterAll(() => Promise.all([one!.dispose(), other!.dispose()]));
    const { "Engine.dispose": ofDispose, ...scenarios } = SCENARIOS;

    test.each(Object.entries(scenarios))("%s: the bits of an engine here", async (_, scenario) => {
      const expected: unknown = bitsIn(await scenario(one!));
      expect(bitsIn(await scenario(other!))).toEqual(expected);
    });

    test("Engine.dispose: what an engine here does", async () => {
      const expected: unknown = await ofDispose!(await openHere(build));
      expect(await ofDispose!(await openThere(build))).toEqual(expected);
    });
  });

  test("on several threads", async () => {
    const engine = await open({ threads: 3 });
    expect(await engine.info).toMatchObject({ threads: 3, threadsReason: undefined, build: "simd" });
    expect(bitsIn(await busy(engine))).toEqual(bitsIn(here.scaledDotProductAttention(large, large, large)));
    const tensor = await engine.tensor([2]);
    expect((await tensor.read()).buffer).toBeInstanceOf(ArrayBuffer);
  });

  test("types: results, places and objects have their declared types", async () => {
    const result: ResultTensor = await shared.matmul(x, await shared.packMatrix({ data: new Float32Array(8), dims: [8, 1] }));
    const place: WorkerTensor<"float32"> = await shared.rmsNorm(result, { out: await shared.tensor([1, 5, 2, 1]) });
    const mine = { data: new Float32Array(10), dims: [1, 5, 2, 1], name: "mine" };
    const { name }: { name: string } = await shared.softmax(place, { out: mine, axis: 0, signal: new AbortController().signal });
    const bytes: WorkerTensor<"uint8"> = await shared.tensor([1], "uint8");
    const cache = await shared.createKVCache({ numKvHeads: 1, headDim: 1, capacity: 1 });
    const length: number = await cache.length;
    expect([name, bytes.type, length]).toEqual(["mine", "uint8", 0]);
    // @ts-expect-error a misspelt option
    await expect(shared.softmax(place, { axs: 0 })).rejects.toThrow('unknown option "axs"');
    // @ts-expect-error a function
    await expect(shared.linearAttention(x, x, x, { featureMap: (y: unknown) => y })).rejects.toThrow("function");
    // @ts-expect-error the data cannot be accessed directly
    expect(bytes.data).toBeUndefined();
  });
});
