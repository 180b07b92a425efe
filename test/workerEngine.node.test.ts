/** Engines in a worker: each public method and property gives the bits of an engine here. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type WorkerEngine, type ResultTensor, type WorkerTensor } from "headwise";
import { hasRelaxedSimd } from "../src/runtime/features.js";
import { ask } from "../src/workerEngine/ask.js";
import { CLASSES, type ClassName, factsOf, memberOf } from "../src/workerEngine/methods.js";
import { bitsCases } from "./bits/discover.js";
import { descriptors } from "./support/descriptors.js";
import { bitsIn, busy, here, large, open, openHere, openThere, shared, x } from "./support/workerEngines.js";
import { recordedCalls } from "./support/recordedCalls.js";
import { SCENARIOS } from "./support/workerScenarios.js";

/** The calls of the bits cases, by operation. */
const RECORDED = [...recordedCalls(here, await bitsCases(import.meta.dirname))].filter(([, calls]) => calls.length > 0);

describe("every public method and property", () => {
  const FILES: Readonly<Record<ClassName, string>> = {
    AttentionEngine: "engine/attentionEngine",
    Engine: "engine/engine",
    EngineTensor: "call/tensor",
    KVCache: "cache/kvCache",
    LinearAttentionState: "linear/linearAttentionState",
    MultiHeadAttention: "multiHead/multiHeadAttention",
    PackedMatrix: "product/packedMatrix",
  };
  const NAMES = Object.keys(FILES) as ClassName[];
  /** Names of a class in its declaration file, where what is internal has been left out. */
  function declared(name: ClassName): string[] {
    const text = readFileSync(new URL(`../dist/${FILES[name]}.d.ts`, import.meta.url), "utf8");
    const [, members] = text.split(new RegExp(`declare class ${name}\\b`)) as [string, string];
    const names = [...members.split("\n}")[0]!.matchAll(/^ {4}(?:readonly |get )?(\w+)[(:<]/gm)].map(([, member]) => member!);
    return [...new Set(names)].filter((member) => member !== "constructor");
  }

  const askable = (type: ClassName): string[] => {
    const { methods, properties = [] } = CLASSES[type];
    return [...Object.keys(methods), ...properties, ...factsOf(type)];
  };
  const allMembers = NAMES.flatMap((type) => Object.keys(CLASSES[type].methods).map((path) => memberOf(type, path)!));

  /** What objects have in a worker only, or by a method of a method. */
  const ADDED: Partial<Record<ClassName, string[]>> = {
    EngineTensor: ["read", "write"],
  };
  test.each(NAMES)("%s: the table has its public members and no others", (type) => {
    const inherited = type === "Engine" ? declared("AttentionEngine") : [];
    const expected = new Set([...inherited, ...declared(type), ...(ADDED[type] ?? [])]);
    if (type === "EngineTensor") expected.delete("data"); // is read and written by copies
    expect(askable(type).sort()).toEqual([...expected].sort());
  });

  test("internal members cannot be called remotely", () => {
    const matrix = here.packMatrix({ data: new Float32Array(4), dims: [2, 2] });
    for (const name of ["columnsAt", "ptrFor", "constructor", "toString"])
      expect(() => ask("PackedMatrix", matrix, name, [[0]])).toThrow(`PackedMatrix.${name} is not public`);
    matrix.dispose();
  });

  test("the table agrees with the descriptors of operations", async () => {
    const operations = await descriptors();
    expect(operations.length).toBeGreaterThan(15);
    for (const { name, places, reads } of operations) {
      const members = allMembers.filter((member) => member.name === name);
      expect(members.length, `${name} in src/workerEngine/methods.ts`).toBeGreaterThan(0);
      for (const member of members) expect([member.places ?? [], member.reads], name).toEqual([places, reads]);
    }
    const names = operations.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(allMembers.filter(({ name, places }) => places && !names.includes(name))).toEqual([]);
    for (const { name, options, parameters = [], places } of operations) {
      expect([...options, ...parameters], name).toEqual(expect.arrayContaining(places.map((place) => place.split(".")[0])));
    }
  });

  test("a method that takes options has a descriptor", async () => {
    const names = (await descriptors()).map(({ name }) => name);
    const text = NAMES.map((type) => readFileSync(new URL(`../dist/${FILES[type]}.d.ts`, import.meta.url), "utf8")).join("");
    const methods = [...text.matchAll(/^ {4}(\w+)(?:<[^(]*>)?\((?:[^()]|\([^()]*\))*\boptions\??:/gm)].map(([, method]) => method!);
    expect(methods.length).toBeGreaterThan(10);
    for (const method of methods.filter((each) => each !== "planAttention" && each !== "constructor"))
      expect(
        names.some((name) => name === method || name.endsWith(`.${method}`)),
        method,
      ).toBe(true);
  });

  test("has a call in a bits case, or a scenario in support/workerScenarios.ts", () => {
    const found = NAMES.filter((type) => type !== "AttentionEngine").flatMap((type) =>
      askable(type).map((name) => `${type}.${name}`),
    );
    const tried = [...Object.keys(SCENARIOS), ...RECORDED.map(([method]) => `Engine.${method}`)];
    expect([...new Set(tried)].sort()).toEqual(found.sort());
  });

  describe.each(["simd", "relaxed"] as const)("%s", (build) => {
    if (build === "relaxed" && !hasRelaxedSimd()) {
      test.skip("not run: this host does not validate relaxed SIMD", () => undefined);
      return;
    }
    let [one, other]: WorkerEngine[] = [];
    beforeAll(async () => ([one, other] = await Promise.all([openHere(build), openThere(build)])));
    afterAll(() => Promise.all([one!.dispose(), other!.dispose()]));
    const { "Engine.dispose": ofDispose, ...scenarios } = SCENARIOS;

    test.each(Object.entries(scenarios))("%s: the bits of an engine here", async (_, scenario) => {
      const expected: unknown = bitsIn(await scenario(one!));
      expect(bitsIn(await scenario(other!))).toEqual(expected);
    });

    test.each(RECORDED)("%s in bits cases: the bits of an engine here", async (method, calls) => {
      const run = async (engine: WorkerEngine, recorded: unknown[]): Promise<unknown> => {
        const args = structuredClone(recorded);
        const result = await (engine as unknown as Record<string, (...all: unknown[]) => unknown>)[method]!(...args);
        return bitsIn([result, args]); // places lie in the arguments
      };
      for (const recorded of calls) expect(await run(other!, recorded)).toEqual(await run(one!, recorded));
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
