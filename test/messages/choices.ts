/** Attention to chosen keys, and to windows around centres. */
import type { Engine } from "headwise";
import { each, type Groups, zeros } from "./provoke.js";

type Change = Record<string, unknown>;

export function choices(engine: Engine): Groups {
  const [q, k, v] = [zeros(2, 5, 4, 8), zeros(2, 7, 2, 8), zeros(2, 7, 2, 8)];
  const topK = (parameters: unknown): unknown => engine.topKAttention(q, k, v, parameters as never);
  const hard = (parameters: unknown): unknown => engine.hardAttention(q, k, v, parameters as never);
  const local = (parameters: Change): unknown => engine.localAttention(q, k, v, { halfWidth: 2, ...parameters });
  const cached = (options: Change): unknown => {
    const { v: values, dispose, cache: config, ...given } = options;
    const cache = engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim: 8, capacity: 9, ...(config as object) });
    cache.append(k, v);
    if (dispose) cache.dispose();
    return engine.topKAttention(q, cache, values as never, { count: 2 }, given);
  };
  return {
    topKAttention: {
      ...each(topK, [{}, { count: 2, causal: true }, { count: 0 }, { count: 1.5 }, { count: "2" }, { k: 2 }]),
      "no parameters": () => topK(undefined),
      "no values": () => engine.topKAttention(q, k, null, { count: 2 }),
    },
    "topKAttention on a cache": {
      ...each(cached, [
        { v: zeros(2, 7, 2, 8) },
        { dispose: true },
        { keyLengths: [1, 2] },
        { causal: "upper-left" },
        { cache: { policy: "rolling", window: 4, capacity: 20 }, window: 2 },
      ]),
      "a getter disposes of the cache": () => {
        const cache = engine.createKVCache({ batchSize: 2, numKvHeads: 2, headDim: 8, capacity: 9 });
        cache.append(k, v);
        const options = {
          bias: {
            dims: [7],
            get data() {
              cache.dispose();
              return new Float32Array(7);
            },
          },
        };
        engine.topKAttention(q, cache, null, { count: 2 }, options);
      },
    },
    hardAttention: each(hard, [
      { choose: "max" },
      { choose: "sample" },
      { choose: "sample", seed: -1 },
      { choose: "sample", seed: 2 ** 32 },
      { choose: "sample", seed: "1" },
      { seed: 1 },
      { picks: zeros(2, 5, 4) },
      { picks: true },
      { temperature: 2 },
    ]),
    "localAttention, looks at weights that do not sum to 1": each(
      (options) => engine.localAttention(q, k, v, { halfWidth: 2, centers: zeros(2, 4, 5) }, options),
      [{ entropy: zeros(2, 4, 5) }, { largestWeight: zeros(2, 4, 5) }],
    ),
    localAttention: each(local, [
      { halfWidth: undefined },
      { halfWidth: 0.5 },
      { halfWidth: Infinity },
      { centers: zeros(2, 5, 4) },
      { centers: 3 },
      { centers: zeros(2, 4, 5), predictor: {} },
      { predictor: {} },
      { predictor: { weight: zeros(3, 8) } },
      { predictor: { weight: zeros(3, 9), score: zeros(3) } },
      { predictor: { weight: zeros(2, 3, 8), score: zeros(3) } },
      { predictor: { weight: zeros(3, 8), score: zeros(2, 3) } },
      { predictor: { weight: zeros(0, 8), score: zeros(0) } },
      { predictor: { weight: zeros(3, 8), score: zeros(3), bias: zeros(3) } },
      { predictor: 3 },
      { renormalize: true },
      { centers: zeros(2, 4, 5), renormalize: "yes" },
      { window: 3 },
    ]),
  };
}
