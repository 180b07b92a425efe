/** Attention on caches of keys and values. */
import type { CachedAttentionOptions, Engine, KVCache, KVCacheOptions } from "headwise";
import { type BitsCase, casesOf, type Outputs } from "./bits/case.js";
import { type Inputs, place } from "./bits/inputs.js";

const cache = casesOf("cache", "Engine.createKVCache", "KVCache.append", "KVCache.attend");

/** A cache with its inputs, and its outputs by name. */
class Session {
  readonly cache: KVCache;
  readonly outputs: Record<string, Float32Array | Uint8Array> = {};
  readonly #inputs: Inputs;
  readonly #batchSize: number;
  readonly #numKvHeads: number;
  readonly #headDim: number;

  constructor(engine: Engine, inputs: Inputs, options: Omit<KVCacheOptions, "numKvHeads">, numKvHeads = 2) {
    this.cache = engine.createKVCache({ ...options, numKvHeads });
    this.#numKvHeads = numKvHeads;
    this.#inputs = inputs;
    this.#batchSize = options.batchSize ?? 1;
    this.#headDim = options.headDim;
  }

  #rows(count: number, heads: number) {
    return this.#inputs.numbers([this.#batchSize, count, heads, this.#headDim]);
  }

  append(count: number, keyLengths?: readonly number[]): void {
    this.cache.append(this.#rows(count, this.#numKvHeads), this.#rows(count, this.#numKvHeads), { keyLengths });
  }

  /** The last `count` rows of 4 query heads. */
  attend(name: string, count: number, options: CachedAttentionOptions = {}, from: KVCache = this.cache): void {
    this.outputs[name] = from.attend(this.#rows(count, 4), options).data;
  }

  end(...others: readonly KVCache[]): Outputs {
    for (const each of [this.cache, ...others]) each.dispose();
    return this.outputs;
  }
}

const DTYPES = ["float32", "int8"] as const;

export default DTYPES.flatMap((dtype) => [
  cache(`${dtype}, prefill and one by one over a block's end`, (engine, inputs) => {
    const session = new Session(engine, inputs, { headDim: 40, capacity: 700, dtype });
    session.append(509);
    session.attend("prefill", 70);
    for (let step = 0; step < 6; step++) {
      session.append(1);
      session.attend(`token ${step}`, 1);
    }
    return session.end();
  }),
  cache(`${dtype}, one row of one key/value head, whose keys threads share`, (engine, inputs) => {
    const session = new Session(engine, inputs, { headDim: 72, capacity: 1300, dtype }, 1);
    session.append(1290);
    session.attend("token", 1);
    return session.end();
  }),
  cache(`${dtype}, sequences of different lengths, with every option that they share with attention`, (engine, inputs) => {
    const session = new Session(engine, inputs, { batchSize: 2, headDim: 24, capacity: 100, dtype });
    session.append(60, inputs.integers(2, 30, 60));
    const longest = session.cache.length;
    const logSumExp = place(2, 4, 20);
    const options = { softcap: 3, sinks: inputs.numbers([4]), bias: inputs.numbers([4, 20, longest]), logSumExp };
    session.attend("out", 20, { ...options, causal: false, mask: inputs.mask([2, 1, 20, longest], 0.8) });
    session.attend("windowed", 20, { window: 7, sinkTokens: 2, queryLengths: inputs.integers(2, 1, 20) });
    session.outputs["logSumExp"] = logSumExp.data;
    return session.end();
  }),
  cache(`${dtype}, guesses in a tree, a padding mask, a scale for each head`, (engine, inputs) => {
    const session = new Session(engine, inputs, { batchSize: 2, headDim: 24, capacity: 530, dtype });
    session.append(530, [530, 90]);
    const mask = inputs.mask([2, 1, 8, 8], 0.6);
    session.attend("guesses", 8, { mask, maskStart: [522, 82], causal: false });
    session.attend("all", 8, { mask, maskStart: [522, 82], keyMask: inputs.mask([2, 530], 0.8), scale: [0.25, 0.5, 1, 0.125] });
    return session.end();
  }),
  cache(`${dtype}, rolling over blocks that it gives up`, (engine, inputs) => {
    const session = new Session(engine, inputs, {
      headDim: 16,
      capacity: 800,
      policy: "rolling",
      window: 300,
      sinkTokens: 3,
      dtype,
    });
    for (let piece = 0; piece < 4; piece++) {
      session.append(450);
      session.attend(`piece ${piece}`, 30);
    }
    return session.end();
  }),
  cache(
    `${dtype}, serialized, restored, forked, truncated and reordered`,
    (engine, inputs) => {
      const session = new Session(engine, inputs, { batchSize: 2, headDim: 12, valueDim: 12, capacity: 600, dtype });
      session.append(530, inputs.integers(2, 300, 530));
      const bytes = session.cache.serialize();
      session.outputs["bytes"] = bytes;
      const restored = engine.restoreKVCache(bytes);
      const fork = session.cache.fork();
      session.attend("restored", 3, {}, restored);
      session.cache.truncate(inputs.integers(2, 100, 300));
      session.append(5);
      session.attend("truncated", 3);
      fork.reorder([1, 1]);
      session.attend("reordered", 3, {}, fork);
      return session.end(restored, fork);
    },
    "KVCache.serialize",
    "Engine.restoreKVCache",
    "KVCache.fork",
    "KVCache.truncate",
    "KVCache.reorder",
  ),
]) satisfies readonly BitsCase[];
