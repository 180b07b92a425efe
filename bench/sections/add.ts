/** Sums of two tensors: bytes per second, next to a plain loop of vectors on as many and to plain JavaScript. */
import type { Engine } from "headwise";
import { add as reference } from "headwise/reference";
import { addProbe, measureAgainst, type SumSizes } from "../ceilings/ceilings.js";
import { type Context, openEngine, resident, type ResidentCall, type Row, type Section, timingCells } from "../context.js";
import { normal } from "../data.js";
import { gigaPerSecond } from "../measure.js";

interface Shape {
  readonly name: string;
  readonly a: readonly number[];
  readonly b: readonly number[];
  /** Whether the sum overwrites a, as a residual connection does. */
  readonly isInPlace?: boolean;
}

const SHAPES: readonly Shape[] = [
  { name: "[128, 768] + [128, 768]", a: [128, 768], b: [128, 768] },
  { name: "[2048, 768] + [2048, 768]", a: [2048, 768], b: [2048, 768] },
  { name: "[2048, 768] + [2048, 768] in place", a: [2048, 768], b: [2048, 768], isInPlace: true },
  { name: "[16384, 768] + [16384, 768]", a: [16384, 768], b: [16384, 768] },
  { name: "[2048, 768] + [768]", a: [2048, 768], b: [768] },
  { name: "[16384, 768] + [768]", a: [16384, 768], b: [768] },
  { name: "[98304, 16] + [16]", a: [98304, 16], b: [16] },
  { name: "[524288, 3] + [3]", a: [524288, 3], b: [3] },
  { name: "[2048, 768] + [2048, 1]", a: [2048, 768], b: [2048, 1] },
  { name: "[2048, 768] + []", a: [2048, 768], b: [] },
  { name: "[32, 64, 1, 768] + [64, 4, 768]", a: [32, 64, 1, 768], b: [64, 4, 768] },
  { name: "[98304, 4, 1] + [4]", a: [98304, 4, 1], b: [4] },
];

const countOf = (dims: readonly number[]): number => dims.reduce((product, size) => product * size, 1);

/** In carefully written plain JavaScript. */
function plainRow(a: Float32Array, b: Float32Array, out: Float32Array): void {
  for (let index = 0; index < out.length; index++) out[index] = a[index]! + b[index]!;
}

/** Equal sizes, or a row of b for each row of a; undefined for other sizes. */
function plainSum({ a, b }: Shape): (() => void) | undefined {
  const isRow = b.length > 0 && b.every((size, index) => size === a[a.length - b.length + index]);
  if (!isRow) return undefined;
  const [left, right] = [normal(a, 1).data, normal(b, 2).data];
  const out = new Float32Array(left.length);
  if (left.length === right.length) return () => plainRow(left, right, out);
  const { length } = right;
  return () => {
    for (let first = 0; first < left.length; first += length) {
      for (let column = 0; column < length; column++) out[first + column] = left[first + column]! + right[column]!;
    }
  };
}

/** A call whose tensors are in the engine's memory, with its results checked against the reference. */
function checkedCall(engine: Engine, { name, a, b, isInPlace }: Shape): ResidentCall & { sizes: SumSizes } {
  const [left, right] = [normal(a, 1), normal(b, 2)];
  const truth = reference(left, right);
  const [x, y] = [resident(engine, left), resident(engine, right)];
  const out = isInPlace ? x : engine.tensor(truth.dims);
  const run = (): unknown => engine.add(x, y, { out });
  run();
  for (const [index, value] of out.data.entries()) {
    if (value !== Math.fround(truth.data[index]!))
      throw new Error(`${engine.info.build} ${name}: element ${index} is wrong, no speed is reported on a wrong result`);
  }
  return {
    run,
    sizes: { a: 4 * countOf(a), b: 4 * countOf(b), out: 4 * truth.data.length, isInPlace: isInPlace === true },
    dispose: () => {
      for (const tensor of new Set([x, y, out])) tensor.dispose();
    },
  };
}

export default {
  name: "add",
  title: "Sums of two tensors, in the engine's memory",
  async run({ builds, threads, wants, progress }: Context): Promise<Row[]> {
    const rows: Row[] = [];
    for (const build of builds) {
      const engines = [await openEngine(build), ...(threads > 1 ? [await openEngine(build, threads)] : [])];
      for (const shape of SHAPES.filter(({ name }) => wants(name))) {
        progress(`${build} add ${shape.name}`);
        const calls = engines.map((engine) => checkedCall(engine, shape));
        const { sizes } = calls[0]!;
        const bytes = sizes.a + sizes.b + sizes.out;
        const plain = plainSum(shape);
        const contestants = [...calls.map(({ run }) => run), ...(plain ? [plain] : [])];
        const { timings, ceiling } = measureAgainst([addProbe(build, sizes)], contestants);
        const [alone] = timings;
        const reached = gigaPerSecond(bytes, alone!);
        rows.push({
          build,
          shape: shape.name,
          ...timingCells(alone!),
          "GB/s, read and written": reached,
          "plain loop, GB/s": ceiling,
          "% of the loop": (100 * reached) / ceiling,
          [`ms on ${threads}`]: threads > 1 ? timings[1]!.median : undefined,
          "plain JavaScript, ms": plain && timings.at(-1)!.median,
        });
        for (const { dispose } of calls) dispose();
      }
      for (const engine of engines) engine.dispose();
    }
    return rows;
  },
} satisfies Section;
