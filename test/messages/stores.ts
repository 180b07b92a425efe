/** Caches of keys and values, and linear attention with its states. */
import { expect, vi } from "vitest";
import type { Engine } from "headwise";
import { createEngine as createAttentionEngine } from "../../src/engine/createAttentionEngine.js";
import { openBuild } from "../support/builds.js";
import { bytes, each, type Groups, runtimeOf, zeros } from "./provoke.js";

type Change = Record<string, unknown>;

const CACHE = { numKvHeads: 1, headDim: 4, capacity: 8 };

export function stores(engine: Engine): Groups {
  const cacheOf = (options: object = {}, keys = 3): ReturnType<Engine["createKVCache"]> => {
    const cache = engine.createKVCache({ ...CACHE, ...options });
    if (keys > 0) cache.append(zeros(cache.lengths.length, keys, 1, 4), zeros(cache.lengths.length, keys, 1, 4));
    return cache;
  };
  /** It has 2048 keys, of which those before 1024 have been evicted. */
  const rolling = (): ReturnType<Engine["createKVCache"]> => {
    const cache = cacheOf({ policy: "rolling", window: 16, capacity: 600 }, 0);
    for (const rows of [500, 500, 500, 548]) cache.append(zeros(1, rows, 1, 4), zeros(1, rows, 1, 4));
    return cache;
  };
  const append = ({ k = zeros(1, 2, 1, 4), v = zeros(1, 2, 1, 4), ...options }: Change): unknown =>
    cacheOf().append(k as never, v as never, options);
  const attend = ({ q = zeros(1, 1, 2, 4), ...options }: Change): unknown => cacheOf().attend(q as never, options);
  const damaged = (change: (words: Uint32Array, image: Uint8Array) => void, options = {}): unknown => {
    const image = cacheOf(options).serialize();
    change(new Uint32Array(image.buffer), image);
    return engine.restoreKVCache(image);
  };
  const disposed = (): ReturnType<Engine["createKVCache"]> => {
    const cache = cacheOf();
    cache.dispose();
    return cache;
  };

  const x = zeros(1, 4, 2, 4);
  const linear = ({ q = x, k = x, v = x, ...options }: Change): unknown =>
    engine.linearAttention(q as never, k as never, v as never, options);
  const flat = ({ q = zeros(4, 4), k = zeros(4, 4), v = zeros(4, 4), ...options }: Change): unknown =>
    linear({ q, k, v, ...options });
  const stateOf = (options: object = {}): ReturnType<Engine["createLinearAttentionState"]> =>
    engine.createLinearAttentionState({ numKvHeads: 2, headDim: 4, ...options });
  const step = ({ q = x, k = x, v = x, ...options }: Change): unknown =>
    stateOf().step(q as never, k as never, v as never, options);
  const damagedState = (change: (words: Uint32Array) => void): unknown => {
    const image = stateOf().serialize();
    change(new Uint32Array(image.buffer));
    return engine.restoreLinearAttentionState(image);
  };

  return {
    createKVCache: {
      ...each(
        (options: object) => engine.createKVCache({ ...CACHE, ...options }),
        [
          { numKvHeads: undefined },
          { headDim: "64" },
          { capacity: 0 },
          { batchSize: -1 },
          { policy: "ring" },
          { policy: "rolling" },
          { policy: "rolling", window: 8 },
          { window: -1 },
          { dtype: "float16" },
          { dtype: "int8", headDim: 5000 },
          { sinkTokens: 1.5 },
          { heads: 1 },
        ],
      ),
      "no options": () => engine.createKVCache(undefined as never),
    },
    "KVCache.append": {
      ...each(append, [
        { k: zeros(2, 2, 1, 4) },
        { v: zeros(1, 2, 2, 4) },
        { k: zeros(1, 2, 1, 5) },
        { v: zeros(1, 2, 1, 5) },
        { v: zeros(1, 3, 1, 4) },
        { k: zeros(1, 6, 1, 4), v: zeros(1, 6, 1, 4) },
        { keyLengths: [3] },
        { layout: "x" },
        { length: 1 },
      ]),
      "more than a rolling cache holds at once": () => rolling().append(zeros(1, 599, 1, 4), zeros(1, 599, 1, 4)),
      "a position beyond the last": () => {
        const image = rolling().serialize();
        new Uint32Array(image.buffer).set([2 ** 29, 2 ** 29 - 1024], 11);
        engine.restoreKVCache(image).append(zeros(1, 1, 1, 4), zeros(1, 1, 1, 4));
      },
      "a number that int8 cannot store": () => {
        const k = zeros(1, 1, 1, 4);
        k.data[2] = NaN;
        cacheOf({ dtype: "int8" }).append(k, zeros(1, 1, 1, 4));
      },
      "after dispose": () => disposed().append(zeros(1, 1, 1, 4), zeros(1, 1, 1, 4)),
    },
    "KVCache.attend": {
      ...each(attend, [
        { q: zeros(2, 1, 2, 4) },
        { q: zeros(1, 1, 2, 5) },
        { q: zeros(1, 1, 0, 4) },
        { q: zeros(1, 4, 1, 4) },
        { causal: "upper-left" },
        { mask: bytes(1, 2) },
        { keyLengths: [1] },
      ]),
      "a window option of a rolling cache": () => rolling().attend(zeros(1, 1, 1, 4), { window: 3 }),
      "rows whose window holds evicted keys": () => rolling().attend(zeros(1, 1020, 1, 4)),
      "a getter appends to the cache": () => {
        const cache = cacheOf();
        const mask = {
          dims: [3],
          get data() {
            cache.append(zeros(1, 1, 1, 4), zeros(1, 1, 1, 4));
            return new Uint8Array(3);
          },
        };
        cache.attend(zeros(1, 1, 1, 4), { mask });
      },
      "two heads in the cache, three in q": () => cacheOf({ numKvHeads: 2 }, 0).attend(zeros(1, 1, 3, 4)),
    },
    "KVCache.truncate": {
      ...each(
        ({ lengths }: Change) => cacheOf().truncate(lengths as never),
        [{ lengths: 4 }, { lengths: [1, 2] }, { lengths: "3" }, { lengths: -1 }],
      ),
      "to evicted keys": () => rolling().truncate(1030),
    },
    "KVCache.read": {
      ...each(
        ({ from, to, ...options }: Change) => cacheOf().read(from as never, to as never, options),
        [{ from: 2, to: 1 }, { from: "1" }, { to: 4 }, { layout: "x" }, { out: 1 }],
      ),
      "evicted keys": () => rolling().read(1000, 1100),
    },
    "KVCache.remove": {
      ...each(
        ({ from = 0, to, ...options }: Change) => cacheOf().remove(from as never, to as never, options),
        [
          { from: 3, to: 9 },
          { from: [1, 2] },
          { rotary: true },
          { rotary: { offset: 3 } },
          { from: 1, to: 2, rotary: { tables: { cos: zeros(1, 2), sin: zeros(1, 2) } } },
          { from: 1, to: 2, rotary: { tables: { cos: zeros(2, 2), sin: zeros(2, 2) } } },
          { rotate: {} },
        ],
      ),
      "keys before evicted ones": () => rolling().remove(0, 1100),
      "rotary, and an engine for attention alone": async () =>
        (await createAttentionEngine({ build: "simd" })).createKVCache(CACHE).remove(0, 0, { rotary: {} }),
    },
    "KVCache.reorder": each(
      ({ indices }: Change) => cacheOf({ batchSize: 2 }).reorder(indices as never),
      [{ indices: [0] }, { indices: [0, 2] }, { indices: null }],
    ),
    restoreKVCache: {
      "not bytes": () => engine.restoreKVCache([1] as never),
      "too short": () => engine.restoreKVCache(new Uint8Array(3)),
      "other bytes": () => engine.restoreKVCache(new Uint8Array(64)),
      "another version": () => damaged((words) => words.set([7], 1)),
      "an unknown policy": () => damaged((words) => words.set([9], 7)),
      "lengths that do not fit": () => damaged((words) => words.set([9999], 11)),
      "a scale that is not finite": () => damaged((words) => words.set([0x7fc00000], 13), { dtype: "int8" }),
      "−128": () => damaged((_, image) => image.fill(0x80, image.length - 8), { dtype: "int8" }),
    },

    linearAttention: {
      ...each(linear, [
        { q: zeros(1, 5, 2, 4), causal: true },
        { q: zeros(4, 4) },
        { k: zeros(2, 4, 2, 4) },
        { k: zeros(1, 4, 2, 5) },
        { v: zeros(1, 5, 2, 4) },
        { k: zeros(1, 4, 0, 4) },
        { k: zeros(1, 4, 3, 4), v: zeros(1, 4, 2, 4) },
        { q: zeros(1, 4, 3, 4) },
        { rule: "deltas" },
        { rule: "linear", featureMap: "relu" },
        { rule: "linear", normalize: true },
        { rule: "linear", causal: false },
        { rule: "linear", decay: zeros(1, 4, 2) },
        { rule: "gated" },
        { rule: "delta" },
        { rule: "gated", decay: zeros(3) },
        { rule: "delta", beta: zeros(1, 4, 3) },
        { decay: zeros(2) },
        { beta: zeros(2) },
        { featureMap: 3 },
        { featureMap: "gelu" },
        { featureMap: "softmax", causal: true },
        { featureMap: "softmax", normalize: true },
        { normalize: false, eps: 1 },
        { seed: 1 },
        { features: 8 },
        { featureMap: "favor+", features: 0 },
        { chunkSize: 513 },
        { eps: -1 },
        { scale: NaN },
        { keyLengths: [5] },
        { keyLengths: [4], cuSeqlens: [0, 4] },
        { q: zeros(2, 4, 2, 4), k: zeros(2, 4, 2, 4), v: zeros(2, 4, 2, 4), cuSeqlens: [0, 4] },
        { q: zeros(1, 3, 2, 4), cuSeqlens: [0, 3] },
        { cuSeqlens: [1, 4] },
        { keyMask: zeros(4) },
        { keyMask: bytes(5) },
        { out: zeros(4) },
        { rules: 1 },
      ]),
      ...each(flat, [{ rule: "gated", decay: zeros(3) }]),
      "a feature map of other sizes": () => linear({ featureMap: () => zeros(1, 4, 1, 4), normalize: false }),
    },
    createLinearAttentionState: {
      ...each(stateOf, [
        { numKvHeads: null },
        { numKeyHeads: 3 },
        { channelDecay: true },
        { channelDecay: 1, rule: "gated" },
        { initialState: zeros(1, 2, 4, 4) },
        { rule: "linear", initialState: zeros(2, 2) },
        { causal: true },
      ]),
    },
    "LinearAttentionState.step": {
      ...each(step, [
        { q: zeros(2, 4, 2, 4), k: zeros(2, 4, 2, 4), v: zeros(2, 4, 2, 4) },
        { k: zeros(1, 4, 1, 4) },
        { q: zeros(1, 4, 1, 4), k: zeros(1, 4, 1, 4), v: zeros(1, 4, 1, 4) },
        { q: zeros(1, 4, 2, 5), k: zeros(1, 4, 2, 5) },
        { v: zeros(1, 4, 2, 5) },
        { scale: 1 },
        { cuSeqlens: [0, 1, 4] },
      ]),
      "another size of features": () =>
        stateOf({ featureMap: () => zeros(1, 4, 2, 3), features: 5, normalize: false }).step(x, x, x),
      "a decay for channels, where the state has one for heads": () =>
        stateOf({ rule: "gated" }).step(x, x, x, { decay: zeros(1, 4, 2, 4) }),
      "after dispose": () => {
        const state = stateOf();
        state.dispose();
        state.step(x, x, x);
      },
      "after a call that failed on a worker": () => {
        const other = openBuild("simd");
        const state = other.createLinearAttentionState({ numKvHeads: 2, headDim: 4 });
        const run = vi.spyOn(runtimeOf(other), "run").mockImplementation(() => {
          throw new Error("a worker failed");
        });
        expect(() => state.step(x, x, x)).toThrow("a worker failed");
        run.mockRestore();
        state.step(x, x, x);
      },
      "a getter steps, too": () => {
        const state = stateOf();
        const keyMask = {
          dims: [4],
          get data() {
            state.step(x, x, x);
            return new Uint8Array(4);
          },
        };
        state.step(x, x, x, { keyMask });
      },
    },
    restoreLinearAttentionState: {
      "not bytes": () => engine.restoreLinearAttentionState("HWLS" as never),
      "too short": () => engine.restoreLinearAttentionState(new Uint8Array(8)),
      "other bytes": () => engine.restoreLinearAttentionState(new Uint8Array(400)),
      "another version": () => damagedState((words) => words.set([7], 1)),
      "an unknown feature map": () => damagedState((words) => words.set([99], 9)),
      "sizes that do not fit": () => damagedState((words) => words.set([3], 4)),
      "another number of features": () => damagedState((words) => words.set([9], 6)),
      "a length that is not one": () => damagedState((words) => words.set([5, 2 ** 30], 18)),
      "without its function": () =>
        engine.restoreLinearAttentionState(stateOf({ featureMap: () => x, normalize: false }).serialize()),
      "with a function that it does not have": () => engine.restoreLinearAttentionState(stateOf().serialize(), () => x),
    },
    "A tensor of another engine": {
      "after its dispose": () => {
        const other = openBuild("simd");
        const tensor = other.tensor([2]);
        tensor.dispose();
        engine.rmsNorm(tensor);
      },
    },
  };
}
