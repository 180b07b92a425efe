/** One new token on a cache, against a plain read loop over the bytes of its keys and values. */
import { measureAgainst, readProbe } from "../ceilings/ceilings.js";
import { type Context, openEngine, type Row, type Section, timingCells } from "../context.js";
import { CACHE_TYPES, type CacheType, decodingOf } from "../decoding.js";
import { gigaPerSecond } from "../measure.js";
import { areInstalled, raceOn } from "../rivals.js";
import { DECODE, DECODE_ROWS, type DecodeShape } from "../shapes.js";

/** Of keys and values, with their scales. */
const cachedBytes = ({ numKvHeads, headDim, kvLen }: DecodeShape, dtype: CacheType): number =>
  2 * numKvHeads * kvLen * (dtype === "int8" ? headDim + 4 : 4 * headDim);

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
        for (const dtype of CACHE_TYPES) {
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
