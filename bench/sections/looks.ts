/** What looks at the weights cost, each alone and all together: the time of the call next to that of the plain one. */
import type { AttentionOptions, Engine, PlaceTensor } from "headwise";
import { measureAgainst, peakProbes } from "../ceilings/ceilings.js";
import { type Context, openEngine, resident, type Row, type Section, timingCells } from "../context.js";
import { inputsOf } from "../data.js";
import { gigaPerSecond, type Timing } from "../measure.js";
import { type AttentionShape, flopsOf, FORWARD } from "../shapes.js";

const SHAPES = FORWARD.filter(({ seqLen }) => seqLen === 512 || seqLen === 2048);
/** Keys for each row, as many as a picture of attention shows. */
const COUNT = 8;

/** Options that ask for each look, and for all of them. */
function looksAt(engine: Engine, { numHeads, seqLen, kvLen = seqLen }: AttentionShape): [string, AttentionOptions<PlaceTensor>][] {
  const rows = [1, numHeads, seqLen];
  const looks = {
    entropy: engine.tensor(rows),
    largestWeight: engine.tensor(rows),
    topKeys: { indices: engine.tensor([...rows, COUNT]), weights: engine.tensor([...rows, COUNT]) },
    keyWeights: engine.tensor([1, numHeads, kvLen]),
  };
  const each = Object.entries(looks).map(([name, place]): [string, AttentionOptions<PlaceTensor>] => [name, { [name]: place }]);
  return [["plain", {}], ...each, ["all", looks]];
}

export default {
  name: "looks",
  title: `Attention with looks at the weights (topKeys of ${COUNT}), one thread, inputs and outputs in the engine's memory`,
  async run({ builds, wants, progress }: Context): Promise<Row[]> {
    const rows: Row[] = [];
    for (const build of builds) {
      for (const shape of SHAPES.filter(({ name }) => wants(name))) {
        progress(`${build} ${shape.name}`);
        const engine = await openEngine(build);
        const inputs = inputsOf(shape);
        const [q, k, v] = [resident(engine, inputs.q), resident(engine, inputs.k), resident(engine, inputs.v)];
        const out = engine.tensor(inputs.q.dims);
        const looks = looksAt(engine, shape);
        const { timings, ceiling: peak } = measureAgainst(
          peakProbes(build),
          looks.map(
            ([, look]) =>
              () =>
                engine.scaledDotProductAttention(q, k, v, { causal: shape.causal, ...look, out }),
          ),
        );
        engine.dispose();
        const [plain] = timings as [Timing];
        for (const [index, [look]] of looks.entries()) {
          const timing = timings[index]!;
          const gigaflops = gigaPerSecond(flopsOf(shape), timing);
          rows.push({
            build,
            shape: shape.name,
            look,
            ...timingCells(timing),
            "× plain": timing.median / plain.median,
            "% of peak": (100 * gigaflops) / peak,
          });
        }
      }
    }
    return rows;
  },
} satisfies Section;
