/** Softmax along an axis: elements per second, next to reading as many bytes and to plain JavaScript. */
import { createEngine, type Engine, type PackagedBuild } from "headwise";
import { type ReferenceSoftmaxOptions, softmax as reference } from "headwise/reference";
import { measureAgainst, readProbe } from "../ceilings/ceilings.js";
import { type Context, type Row, type Section, timingCells } from "../context.js";
import { TOLERANCE } from "../correctness.js";
import { normal, type Tensor } from "../data.js";
import { gigaPerSecond } from "../measure.js";

interface SoftmaxShape {
  readonly name: string;
  readonly dims: readonly number[];
  readonly options: Pick<ReferenceSoftmaxOptions, "axis" | "log" | "scale">;
  /** Whether one element in eight is hidden. */
  readonly isMasked?: boolean;
}

const SHAPES: readonly SoftmaxShape[] = [
  { name: "[6144, 512]", dims: [6144, 512], options: {} },
  { name: "[6144, 512] logarithms", dims: [6144, 512], options: { log: true } },
  { name: "[6144, 512] scaled", dims: [6144, 512], options: { scale: 0.125 } },
  { name: "[6144, 512] masked", dims: [6144, 512], options: {}, isMasked: true },
  { name: "[6144, 509]", dims: [6144, 509], options: {} },
  { name: "[256, 512]", dims: [256, 512], options: {} },
  { name: "[100000, 16]", dims: [100000, 16], options: {} },
  { name: "[8, 128256]", dims: [8, 128256], options: {} },
  { name: "[12, 512, 512] along axis 1", dims: [12, 512, 512], options: { axis: 1 } },
  { name: "[6144, 512] along axis 0", dims: [6144, 512], options: { axis: 0 } },
];

/** Rows of the last axis in carefully written plain JavaScript. */
function plainRows({ data, dims }: Tensor, out: Float32Array): void {
  const length = dims.at(-1)!;
  for (let first = 0; first < data.length; first += length) {
    let most = -Infinity;
    for (let j = first; j < first + length; j++) most = Math.max(most, data[j]!);
    let sum = 0;
    for (let j = first; j < first + length; j++) sum += out[j] = Math.exp(data[j]! - most);
    for (let j = first; j < first + length; j++) out[j]! /= sum;
  }
}

function openFull(build: PackagedBuild, threads: number): Promise<Engine> {
  return createEngine({ build, threads });
}

/** A call whose tensors are in the engine's memory, with its results checked against the reference. */
function checkedCall(engine: Engine, { name, dims, options, isMasked }: SoftmaxShape): { run: () => unknown; error: number } {
  const { data } = normal(dims, 1);
  const x = engine.tensor(dims);
  x.data.set(data);
  const out = engine.tensor(dims);
  const length = dims.at(-1)!;
  const mask = isMasked ? { data: Uint8Array.from({ length }, (_, j) => Number(j % 8 > 0)), dims: [length] } : undefined;
  const call = { ...options, mask, out };
  engine.softmax(x, call);
  const truth = reference({ data, dims }, { ...options, mask }).data;
  let error = 0;
  for (const [index, value] of out.data.entries()) {
    const difference = value === truth[index] ? 0 : Math.abs(value - truth[index]!);
    if (!(difference <= error)) error = difference;
  }
  if (!(error <= TOLERANCE))
    throw new Error(`${engine.info.build} ${name}: error ${error}, no speed is reported on a wrong result`);
  return { run: () => engine.softmax(x, call), error };
}

export default {
  name: "softmax",
  title: "Softmax, x and out in the engine's memory",
  async run({ builds, threads, wants, progress }: Context): Promise<Row[]> {
    const rows: Row[] = [];
    for (const build of builds) {
      for (const shape of SHAPES.filter(({ name }) => wants(name))) {
        progress(`${build} softmax ${shape.name}`);
        const [alone, shared] = [await openFull(build, 1), await openFull(build, threads)];
        const { run, error } = checkedCall(alone, shape);
        const sharedCall = checkedCall(shared, shape);
        const plainOut = new Float32Array(shape.dims.reduce((product, size) => product * size, 1));
        const input = normal(shape.dims, 1);
        const read = readProbe(build, 4 * plainOut.length);
        const { timings, ceiling } = measureAgainst([read], [run, sharedCall.run, () => plainRows(input, plainOut)]);
        const [one, several, plain] = timings;
        rows.push({
          build,
          shape: shape.name,
          ...timingCells(one!),
          "G elements/s": gigaPerSecond(plainOut.length, one!),
          "GB/s, read and written": gigaPerSecond(8 * plainOut.length, one!),
          "reading alone, GB/s": ceiling,
          [`ms, ${shared.info.threads} threads`]: several!.median,
          "plain JavaScript, rows, ms": plain!.median,
          "error, 1e-9": 1e9 * error,
        });
        alone.dispose();
        shared.dispose();
      }
    }
    return rows;
  },
} satisfies Section;
