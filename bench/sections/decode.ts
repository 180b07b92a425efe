/** One new token on a cache, against a plain read loop over the bytes of its keys and values. */
import type { Engine, EngineTensor, KVCache } from "headwise";
import { scaledDotProductAttention as reference } from "headwise/reference";
import { measureAgainst, readProbe } from "../ceilings/ceilings.js";
import { type Context, openEngine, type Row, type Section, timingCells } from "../context.js";
import { TOLERANCE } from "../correctness.js";
import { normal, type Tensor } from "../data.js";
import { gigaPerSecond } from "../measure.js";
import { areInstalled, raceOn } from "../rivals.js";
import { DECODE, DECODE_ROWS, type DecodeShape } from "../shapes.js";

/** Random keys; longer caches repeat them, which does not change the result. */
const PERIOD = 512;

const DTYPES = ["float32", "int8"] as const;
type CacheType = (typeof DTYPES)[number];

/** Absolute, for values of about 1: several times the error of rounding to 127 steps. */
const INT8_TOLERANCE = 0.02;

/** Of keys and values, with their scales. */
const cachedBytes = ({ numKvHeads, headDim, kvLen }: DecodeShape, dtype: CacheType): number =>
  2 * numKvHeads * kvLen * (dtype === "int8" ? headDim + 4 : 4 * headDim);

interface Decoding {
  readonly run: () => EngineTensor;
  /** Largest absolute error of the result. */
  readonly error: number;
  readonly dispose: () => void;
}

function decodingOf(engine: Engine, { numHeads, numKvHeads, headDim, kvLen }: DecodeShape, dtype: CacheType): Decoding {
  const place = ({ data, dims }: Tensor): EngineTensor<"float32"> => {
    const tensor = engine.tensor(dims);
    tensor.data.set(data);
    return tensor;
  };
  const period = Math.min(PERIOD, kvLen);
  const [k, v] = [normal([1, period, numKvHeads, headDim], 2), normal([1, period, numKvHeads, headDim], 3)];
  const q = normal([1, 1, numHeads, headDim], 1);
  const cache: KVCache = engine.createKVCache({ numKvHeads, headDim, capacity: kvLen, dtype });
  for (let key = 0; key < kvLen; key += period) cache.append(k, v);
  const [query, out] = [place(q), engine.tensor(q.dims)];

  cache.attend(query, { out });
  const truth = reference(q, k, v);
  const error = truth.data.reduce((largest, value, index) => Math.max(largest, Math.abs(value - out.data[index]!)), 0);
  const tolerance = dtype === "int8" ? INT8_TOLERANCE : TOLERANCE * Math.sqrt(kvLen / period); // rounding errors add up like a random walk
  if (!(error <= tolerance)) throw new Error(`decode: error ${error}, no speed is reported on a wrong result`);
  return {
    run: () => cache.attend(query, { out }),
    error,
    dispose: () => {
      for (const held of [cache, query, out]) held.dispose();
    },
  };
}

const RIVALS = ["onnxruntime-node", "onnxruntime-web", "LiteRT.js", "jax-js", "plain JavaScript"];

/** Other libraries on the same task, in a race with headwise. */
async function rivalRows(threads: number, wants: Context["wants"], progress: Context["progress"]): Promise<Row[]> {
  const shapes = DECODE_ROWS.filter(({ name }) => wants(name));
  if (shapes.length === 0 || !areInstalled()) return [];
  const rows: Row[] = [];
  for (const shape of shapes) {
    for (const { contestant, version, threads: count, timing, error } of await raceOn(
      { kind: "attention", ...shape },
      ["headwise", ...RIVALS],
      threads,
      progress,
    )) {
      const bytes = 8 * shape.numKvHeads * shape.kvLen! * shape.headDim;
      rows.push({
        build: `${contestant} ${version}`,
        shape: shape.name,
        dtype: "float32",
        threads: count,
        ...timingCells(timing),
        "GB/s": gigaPerSecond(bytes, timing),
        "error, 1e-6": 1e6 * error,
      });
    }
  }
  return rows;
}

export default {
  name: "decode",
  title: "Decode: one token on a cache; the share is of a plain read loop over the same bytes, on one thread",
  async run({ builds, threads, wants, progress }: Context): Promise<Row[]> {
    const rows: Row[] = [];
    for (const build of builds) {
      const counts = threads > 1 ? [1, threads] : [1];
      const engines = await Promise.all(counts.map(async (count) => openEngine(build, count)));
      for (const shape of DECODE.filter(({ name }) => wants(name))) {
        const medians = new Map<number, number>(); // of float32, by threads
        for (const dtype of DTYPES) {
          progress(`${build} decode ${shape.name} ${dtype}`);
          const bytes = cachedBytes(shape, dtype);
          const decodings = engines.map((engine) => decodingOf(engine, shape, dtype));
          const { timings, ceiling } = measureAgainst(
            [readProbe(build, bytes)],
            decodings.map(({ run }) => run),
          );
          for (const { dispose } of decodings) dispose();
          for (const [index, timing] of timings.entries()) {
            const count = counts[index]!;
            if (dtype === "float32") medians.set(count, timing.median);
            const rate = gigaPerSecond(bytes, timing);
            rows.push({
              build,
              shape: shape.name,
              dtype,
              threads: count,
              ...timingCells(timing),
              "GB/s": rate,
              "read loop GB/s": ceiling,
              "% of it": (100 * rate) / ceiling,
              "× 1 thread": index === 0 ? undefined : timings[0]!.median / timing.median,
              "× float32": dtype === "float32" ? undefined : medians.get(count)! / timing.median,
              "error, 1e-6": 1e6 * decodings[index]!.error,
            });
          }
        }
      }
      for (const engine of engines) engine.dispose();
    }
    return [...rows, ...(await rivalRows(threads, wants, progress))];
  },
} satisfies Section;
