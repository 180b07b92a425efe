/** A random walk over all operations of a cache, compared with a model that keeps plain rows. */
import type { Given } from "../src/call/readOptions.js";
import { expect, test } from "vitest";
import type { Engine, KVCache, KVCacheOptions } from "headwise";
import { scaledDotProductAttention as reference } from "headwise/reference";
import { expectSameBits } from "./support/attention.js";
import { onEveryBuild } from "./support/builds.js";
import { type BoundedTruth, expectWithin, int8Truth, roundToInt8 } from "./support/int8.js";
import { uniform } from "./support/random.js";

const STEPS = 10_000;
/** Sequences that exceed this length start over: it is beyond the point where a rolling cache evicts its second block. */
const LONGEST = 1300;
const [BATCH, KV_HEADS, HEADS, HEAD_DIM, VALUE_DIM] = [2, 2, 4, 4, 5];

/** The rows of keys and values that each sequence has received. */
interface Model {
  cache: KVCache;
  sequences: { k: number[][]; v: number[][] }[];
}

class Walk {
  readonly #engine: Engine;
  readonly #options: Given<KVCacheOptions>;
  readonly #random: () => number;
  /** The expected result of each `attend`: the same on every build, so computed once. */
  readonly #truths: BoundedTruth[];
  #models: Model[];
  attended = 0;

  constructor(engine: Engine, options: Given<KVCacheOptions>, seed: number, truths: BoundedTruth[]) {
    this.#engine = engine;
    this.#options = options;
    this.#random = uniform(seed);
    this.#truths = truths;
    this.#models = [this.#empty()];
  }

  #empty(): Model {
    return { cache: this.#engine.createKVCache(this.#options), sequences: Array.from({ length: BATCH }, () => ({ k: [], v: [] })) };
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #rows(count: number, width: number): number[][] {
    return Array.from({ length: count }, () => Array.from({ length: width }, () => Math.fround(4 * this.#random() - 2)));
  }

  step(): void {
    const index = this.#below(this.#models.length);
    const model = this.#models[index]!;
    if (model.sequences.some(({ k }) => k.length > LONGEST)) {
      model.cache.dispose();
      this.#models[index] = this.#empty();
      return;
    }
    const choice = this.#random();
    if (choice < 0.4) this.#append(model);
    else if (choice < 0.8) this.#attend(model);
    else if (choice < 0.87) this.#truncate(model);
    else if (choice < 0.92) this.#fork(model);
    else if (choice < 0.96) this.#reorder(model);
    else this.#serialize(model);
  }

  end(): void {
    for (const { cache } of this.#models) cache.dispose();
    expect(this.#engine.info.memory.inUse).toBe(0);
  }

  #append({ cache, sequences }: Model): void {
    const count = this.#random() < 0.1 ? this.#below(300) : this.#below(9);
    const counts = sequences.map(() => this.#below(count + 1));
    const k = sequences.map(() => this.#rows(count, KV_HEADS * HEAD_DIM));
    const v = sequences.map(() => this.#rows(count, KV_HEADS * VALUE_DIM));
    const tensor = (given: number[][][], channels: number) => ({
      data: Float32Array.from(given.flat(2)),
      dims: [BATCH, count, KV_HEADS, channels],
    });
    const { capacity, window } = this.#options;
    const fits = sequences.every((sequence, b) => (window ?? sequence.k.length) + counts[b]! <= capacity);
    const append = (): void => cache.append(tensor(k, HEAD_DIM), tensor(v, VALUE_DIM), { keyLengths: counts });
    if (!fits) {
      expect(append).toThrow(RangeError);
      return;
    }
    append();
    for (const [b, sequence] of sequences.entries()) {
      sequence.k.push(...k[b]!.slice(0, counts[b]));
      sequence.v.push(...v[b]!.slice(0, counts[b]));
    }
  }

  /** Attends with a few of the last rows, and compares with the definition. */
  #attend({ cache, sequences }: Model): void {
    const seqLen = 1 + this.#below(3);
    const queryLengths = sequences.map(({ k }) => Math.min(seqLen, k.length));
    const q = {
      data: Float32Array.from(this.#rows(BATCH * seqLen * HEADS, HEAD_DIM).flat()),
      dims: [BATCH, seqLen, HEADS, HEAD_DIM],
    };
    const keyLengths = sequences.map(({ k }) => k.length);
    const { window, sinkTokens, dtype } = this.#options;
    let out: Float32Array;
    try {
      out = cache.attend(q, { queryLengths }).data;
    } catch (error) {
      expect(String(error)).toMatch(/but keys before \d+ have been evicted/); // rows from before a truncation
      return;
    }
    const options = { causal: true, queryLengths, keyLengths, window: [window, 0] as const, sinkTokens };
    const truth = (): BoundedTruth => {
      const [k, v] = [this.#tensor(sequences, "k", HEAD_DIM), this.#tensor(sequences, "v", VALUE_DIM)];
      if (dtype === "int8") return int8Truth(q, roundToInt8(k), roundToInt8(v), options);
      const { data } = reference(q, k, v, options);
      return { truth: data, bounds: new Float64Array(data.length).fill(2e-6) };
    };
    expectWithin(out, (this.#truths[this.attended] ??= truth()));
    this.attended++;
  }

  #tensor(sequences: Model["sequences"], name: "k" | "v", channels: number) {
    const kvLen = sequences.reduce((most, { k }) => Math.max(most, k.length), 0);
    const data = new Float32Array(BATCH * kvLen * KV_HEADS * channels);
    for (const [b, sequence] of sequences.entries()) data.set(sequence[name].flat(), b * kvLen * KV_HEADS * channels);
    return { data, dims: [BATCH, kvLen, KV_HEADS, channels] };
  }

  #truncate({ cache, sequences }: Model): void {
    const lengths = sequences.map(({ k }) => Math.max(0, k.length - this.#below(this.#random() < 0.2 ? 700 : 20)));
    try {
      cache.truncate(lengths);
    } catch (error) {
      expect(String(error)).toMatch(/earlier keys of sequence \d+ have been evicted/);
      return;
    }
    for (const [b, sequence] of sequences.entries()) {
      sequence.k.length = lengths[b]!;
      sequence.v.length = lengths[b]!;
    }
  }

  #fork({ cache, sequences }: Model): void {
    this.#models.push({ cache: cache.fork(), sequences: sequences.map(({ k, v }) => ({ k: [...k], v: [...v] })) });
    if (this.#models.length > 3) this.#models.splice(this.#below(4), 1)[0]!.cache.dispose();
  }

  #reorder({ cache, sequences }: Model): void {
    const indices = sequences.map(() => this.#below(BATCH));
    cache.reorder(indices);
    const old = sequences.map(({ k, v }) => ({ k: [...k], v: [...v] }));
    for (const [b, index] of indices.entries()) sequences[b] = { k: [...old[index]!.k], v: [...old[index]!.v] };
  }

  #serialize(model: Model): void {
    const image = model.cache.serialize();
    model.cache.dispose();
    model.cache = this.#engine.restoreKVCache(image);
    expectSameBits(model.cache.serialize(), image, "image");
  }
}

/** By the name of the options. */
const truths: Record<string, BoundedTruth[]> = {};

onEveryBuild((build, engine) => {
  const sizes = { batchSize: BATCH, numKvHeads: KV_HEADS, headDim: HEAD_DIM, valueDim: VALUE_DIM };
  const rolling = { policy: "rolling", capacity: 360, window: 60, sinkTokens: 3 } as const;
  test.each<[string, Pick<Given<KVCacheOptions>, "policy" | "capacity" | "window" | "sinkTokens" | "dtype">]>([
    ["float32, append", { capacity: 600 }],
    ["float32, rolling", rolling],
    ["int8, append", { capacity: 600, dtype: "int8" }],
    ["int8, rolling", { ...rolling, dtype: "int8" }],
  ])(`${STEPS} random steps on a cache of %s › seed 1`, { timeout: 120_000 }, (name, options) => {
    const walk = new Walk(engine, { ...sizes, ...options }, 1, (truths[name] ??= []));
    for (let step = 0; step < STEPS; step++) walk.step();
    expect(walk.attended).toBeGreaterThan(STEPS / 5);
    walk.end();
  });
});
