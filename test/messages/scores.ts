/** Attention with other scores. */
import type { Engine } from "headwise";
import { each, type Groups, zeros } from "./provoke.js";

type Change = Record<string, unknown>;

export function scores(engine: Engine): Groups {
  const [q, k, v] = [zeros(2, 5, 4, 8), zeros(2, 7, 2, 6), zeros(2, 7, 2, 3)];
  const additive = ({ query = zeros(16, 8), key = zeros(16, 6), score = zeros(16), ...parameters }: Change): unknown =>
    engine.additiveAttention(q, k, v, { query, key, score, ...parameters } as never);
  const bilinear = ({ weight = zeros(8, 6), ...parameters }: Change): unknown =>
    engine.bilinearAttention(q, k, v, { weight, ...parameters } as never);
  const cosine = ({ k: keys = zeros(2, 7, 2, 8), v: values = v, ...options }: Change): unknown =>
    engine.cosineAttention(q, keys as never, values as never, options);
  const cacheOf = (dtype: "float32" | "int8", headDim = 8) => {
    const cache = engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim, valueDim: 3, capacity: 9, dtype });
    cache.append(zeros(2, 7, 2, headDim), v);
    return cache;
  };
  const additiveOn =
    (dtype: "float32" | "int8", headDim: number, parameters: Change = {}): (() => unknown) =>
    () =>
      engine.additiveAttention(q, cacheOf(dtype, headDim), null, { query: zeros(16, 8), score: zeros(16), ...parameters });

  return {
    "additiveAttention: parameters": {
      ...each(additive, [
        { query: null },
        { score: null },
        { query: 1 },
        { query: zeros(16, 7) },
        { query: zeros(2, 16, 8) },
        { query: zeros(8) },
        { key: zeros(16, 5) },
        { key: zeros(15, 6) },
        { key: zeros(4, 16, 6) },
        { score: zeros(0) },
        { score: zeros(2, 16) },
        { score: zeros() },
        { bias: zeros(15) },
        { bias: zeros(2, 16) },
        { activation: "sigmoid" },
        { activation: 1 },
        { weight: zeros(1) },
      ]),
      "no parameters": () => engine.additiveAttention(q, k, v, null as never),
      "keys that are not projected, without key": () =>
        engine.additiveAttention(q, k, v, { query: zeros(16, 8), score: zeros(16) }),
      "a cache of int8": additiveOn("int8", 16),
      "a cache, and key": additiveOn("float32", 6, { key: zeros(16, 6) }),
      "a cache of keys of another size": additiveOn("float32", 8),
    },
    "bilinearAttention: parameters": {
      ...each(bilinear, [
        { weight: null },
        { weight: zeros(6, 8) },
        { weight: zeros(8) },
        { weight: zeros(2, 8, 6) },
        { weight: "U" },
        { key: zeros(1) },
      ]),
      "no parameters": () => engine.bilinearAttention(q, k, v, undefined as never),
      "a cache of keys of another size": () => engine.bilinearAttention(q, cacheOf("float32"), null, { weight: zeros(8, 6) }),
    },
    cosineAttention: {
      ...each(cosine, [
        { k },
        { k: null },
        { v: null },
        { scale: NaN },
        { relativeKeys: zeros(5, 1, 8) },
        { contentBias: zeros(4, 8) },
        { temperature: 2 },
      ]),
      "a cache, and v": () => cosine({ k: cacheOf("float32") }),
      "a cache, disposed of": () => {
        const cache = cacheOf("float32");
        cache.dispose();
        engine.cosineAttention(q, cache, null);
      },
      "a cache, and keyLengths": () => engine.cosineAttention(q, cacheOf("float32"), null, { keyLengths: [1, 2] }),
      "a cache of keys of another size": () => engine.cosineAttention(q, cacheOf("float32", 6), null),
    },
  };
}
