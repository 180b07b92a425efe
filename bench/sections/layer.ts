/** The multi-head layer: four projections and attention, as a share of the peak, and on several threads. */
import type { Engine } from "headwise";
import { multiHeadAttention as reference } from "headwise/reference";
import { measureAgainst, peakProbes } from "../ceilings/ceilings.js";
import { type Context, openEngine, resident, type Row, type Section, timingCells } from "../context.js";
import { normal } from "../data.js";
import { gigaPerSecond } from "../measure.js";

interface LayerShape {
  readonly name: string;
  readonly seqLen: number;
  readonly embedDim: number;
  readonly numHeads: number;
}

const SHAPES: readonly LayerShape[] = [
  { name: "1×768", seqLen: 1, embedDim: 768, numHeads: 12 },
  { name: "128×768", seqLen: 128, embedDim: 768, numHeads: 12 },
  { name: "512×768", seqLen: 512, embedDim: 768, numHeads: 12 },
  { name: "1024×768", seqLen: 1024, embedDim: 768, numHeads: 12 },
];

/** Outputs are about 1. */
const TOLERANCE = 2e-5;

/** Of the projections and of attention. */
const flopsOf = ({ seqLen, embedDim }: LayerShape): number => 8 * seqLen * embedDim ** 2 + 4 * seqLen ** 2 * embedDim;

export default {
  name: "layer",
  title: "Multi-head self-attention, 12 heads, parameters packed at creation, input and output in the engine's memory",
  async run({ builds, threads: several, wants, progress }: Context): Promise<Row[]> {
    const rows: Row[] = [];
    for (const build of builds) {
      const engines = [await openEngine(build), ...(several > 1 ? [await openEngine(build, several)] : [])];
      for (const shape of SHAPES.filter(({ name }) => wants(name))) {
        progress(`${build} ${shape.name}`);
        const layers = engines.map((engine) => residentLayer(engine, shape));
        const error = Math.max(...layers.map(({ checkedError }) => checkedError()));
        const { timings, ceiling } = measureAgainst(
          peakProbes(build),
          layers.map(({ run }) => run),
        );
        const [alone, shared] = timings;
        const gigaflops = gigaPerSecond(flopsOf(shape), alone!);
        rows.push({
          build,
          shape: shape.name,
          ...timingCells(alone!),
          "GFLOP/s": gigaflops,
          "peak GFLOP/s": ceiling,
          "% of peak": (100 * gigaflops) / ceiling,
          [`ms on ${several}`]: shared?.median,
          "times as fast": shared && alone!.median / shared.median,
          "error, 1e-6": 1e6 * error,
        });
        for (const { dispose } of layers) dispose();
      }
      for (const engine of engines) engine.dispose();
    }
    return rows;
  },
} satisfies Section;

const parametersOf = (embedDim: number) => {
  const matrix = (seed: number) => {
    const { data, dims } = normal([embedDim, embedDim], seed);
    return { data: data.map((x) => x / Math.sqrt(embedDim)), dims };
  };
  return { q: matrix(1), k: matrix(2), v: matrix(3), out: matrix(4) };
};
const inputOf = ({ seqLen, embedDim }: LayerShape) => normal([1, seqLen, embedDim], 5);

const truths = new Map<string, Float64Array>();

/** The first rows of the result, computed once. */
function truthOf(shape: LayerShape): Float64Array {
  const { name, seqLen, embedDim, numHeads } = shape;
  const input = inputOf(shape);
  const rows = Math.min(seqLen, 4);
  const query = { data: input.data.subarray(0, rows * embedDim), dims: [1, rows, embedDim] };
  const truth = truths.get(name) ?? reference({ embedDim, numHeads }, parametersOf(embedDim), query, { key: input }).data;
  truths.set(name, truth);
  return truth;
}

function residentLayer(engine: Engine, shape: LayerShape) {
  const { name, seqLen, embedDim, numHeads } = shape;
  const multiHead = engine.createMultiHeadAttention({ embedDim, numHeads }, parametersOf(embedDim));
  const [x, out] = [resident(engine, inputOf(shape)), engine.tensor([1, seqLen, embedDim])];
  const run = (): unknown => multiHead.forward(x, { out });
  return {
    run,
    checkedError: (): number => {
      run();
      const error = truthOf(shape).reduce((most, value, index) => Math.max(most, Math.abs(value - out.data[index]!)), 0);
      if (error <= TOLERANCE) return error;
      throw new Error(`${engine.info.build} ${name}: error ${error}, no speed is reported on a wrong result`);
    },
    dispose: (): void => {
      for (const kept of [multiHead, x, out]) kept.dispose();
    },
  };
}
