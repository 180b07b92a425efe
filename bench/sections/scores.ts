/**
 * Other scores and positions next to the plain product: what they cost, and how near additive scores come to the bound that divisions set.
 *
 * The formula of additive scores has a tanh, and so at least a division, for each channel of a query and a key. 100 % is one such division each,
 * at the speed that the host divides with. The tile shares a division between two channels, so more than 100 % is possible. Its time is
 * that of the call less that of a call with one channel, which has everything else.
 */
import type { Engine, PackagedBuild } from "headwise";
import {
  additiveAttention,
  bilinearAttention,
  cosineAttention,
  type ReferenceOptions,
  scaledDotProductAttention,
} from "headwise/reference";
import { divisionProbe, measureAgainst } from "../ceilings/ceilings.js";
import { type Context, openEngine, resident, type Row, type Section, timingCells } from "../context.js";
import { TOLERANCE } from "../correctness.js";
import { normal, type Tensor } from "../data.js";
import { FORWARD } from "../shapes.js";

const [HEADS, LENGTH, DIM] = [12, 512, 64];
/** From −511 to 511. */
const DISTANCES = 2 * LENGTH - 1;
const MASKS = ["full", "causal"] as const;

const times = ({ data, dims }: Tensor, factor: number): Tensor => ({ data: data.map((x) => factor * x), dims });

interface Contestant {
  readonly name: string;
  readonly run: (engine: Engine, q: Tensor, k: Tensor, v: Tensor, options: object) => unknown;
  readonly reference: (q: Tensor, k: Tensor, v: Tensor, options: ReferenceOptions) => { data: ArrayLike<number> };
}

const product = (name: string, ofPosition: object = {}): Contestant => ({
  name,
  run: (engine, q, k, v, options) => engine.scaledDotProductAttention(q, k, v, { ...options, ...ofPosition }),
  reference: (q, k, v, options) => scaledDotProductAttention(q, k, v, { ...options, ...ofPosition }),
});

/** Additive scores with so many channels; `isFar` adds one without influence that is beyond what exponentials reach. */
function additive(name: string, hidden: number, isFar = false): Contestant {
  const parameters = {
    query: times(normal([hidden, DIM], 4), 1 / Math.sqrt(DIM)),
    key: times(normal([hidden, DIM], 5), 1 / Math.sqrt(DIM)),
    score: normal([hidden], 6),
    bias: { data: new Float32Array(hidden), dims: [hidden] },
  };
  if (isFar) {
    parameters.score.data[hidden - 1] = 0;
    parameters.bias.data[hidden - 1] = 1000;
  }
  return {
    name,
    run: (engine, q, k, v, options) => engine.additiveAttention(q, k, v, parameters, options),
    reference: (q, k, v, options) => additiveAttention(q, k, v, parameters, options),
  };
}

const ADDITIVE = `additive, ${DIM} channels`;
const ONE_CHANNEL = "additive, 1 channel";
const weight = times(normal([DIM, DIM], 7), 1 / DIM);

const CONTESTANTS: readonly Contestant[] = [
  product("product"),
  {
    name: "cosine",
    run: (engine, q, k, v, options) => engine.cosineAttention(q, k, v, options),
    reference: (q, k, v, options) => cosineAttention(q, k, v, options),
  },
  {
    name: "bilinear",
    run: (engine, q, k, v, options) => engine.bilinearAttention(q, k, v, { weight }, options),
    reference: (q, k, v, options) => bilinearAttention(q, k, v, { weight }, options),
  },
  additive(ADDITIVE, DIM),
  additive("additive, a tanh for each channel", DIM, true),
  additive(ONE_CHANNEL, 1),
  product("alibiSlopes", { alibiSlopes: times(normal([HEADS], 8), 0.01) }),
  product("relativeBias", { relativeBias: normal([HEADS, DISTANCES], 9) }),
  product("relativeKeys", { relativeKeys: normal([DISTANCES, HEADS, DIM], 10) }),
];

/** Throws unless the last rows, in all heads, are those of the reference. */
function check(build: PackagedBuild, { name, reference }: Contestant, found: ArrayLike<number>, causal: boolean): void {
  const [q, k, v] = INPUTS;
  const rows = 2;
  const first = LENGTH - rows;
  const last = { data: q.data.subarray(first * HEADS * DIM), dims: [1, rows, HEADS, DIM] };
  const truth = reference(last, k, v, { causal, queryOffset: first }).data;
  for (let index = 0; index < truth.length; index++) {
    const error = Math.abs(found[first * HEADS * DIM + index]! - truth[index]!);
    if (error <= TOLERANCE) continue;
    throw new Error(`${build} ${name}: error ${error}, no speed is reported on a wrong result`);
  }
}

const dims = [1, LENGTH, HEADS, DIM];
const INPUTS = [normal(dims, 1), normal(dims, 2), normal(dims, 3)] as const;

export default {
  name: "scores",
  title: "Other scores and positions on one thread, next to the plain product in the same alternation",
  async run({ builds, wants, progress }: Context): Promise<Row[]> {
    const rows: Row[] = [];
    for (const build of builds) {
      const engine = await openEngine(build);
      const [q, k, v] = INPUTS.map((input) => resident(engine, input)) as unknown as readonly [Tensor, Tensor, Tensor];
      const out = engine.tensor(dims);
      for (const mask of MASKS) {
        const shape = FORWARD.find(({ name }) => name === `${HEADS}×${LENGTH}×${DIM} ${mask}`)!;
        if (!wants(shape.name)) continue;
        const options = { causal: mask === "causal", queryOffset: 0, out };
        progress(`${build} scores ${shape.name}`);
        const calls = CONTESTANTS.map(
          ({ run }) =>
            () =>
              run(engine, q, k, v, options),
        );
        for (const [index, contestant] of CONTESTANTS.entries()) {
          calls[index]!();
          check(build, contestant, out.data, options.causal);
        }
        const { timings, ceiling } = measureAgainst([divisionProbe(build)], calls);
        const medianOf = (name: string): number => timings[CONTESTANTS.findIndex((each) => each.name === name)]!.median;
        const pairs = HEADS * (mask === "causal" ? (LENGTH * (LENGTH + 1)) / 2 : LENGTH * LENGTH);
        const rate = (pairs * (DIM - 1)) / (medianOf(ADDITIVE) - medianOf(ONE_CHANNEL)) / 1e6;
        for (const [index, { name }] of CONTESTANTS.entries()) {
          rows.push({
            build,
            shape: shape.name,
            score: name,
            ...timingCells(timings[index]!),
            "× product": timings[index]!.median / timings[0]!.median,
            ...(name === ADDITIVE && { "G channels/s": rate, "G divisions/s": ceiling, "% of divisions": (100 * rate) / ceiling }),
            ...(name.includes("tanh") && { "× additive": timings[index]!.median / medianOf(ADDITIVE) }),
          });
        }
      }
      engine.dispose();
    }
    return rows;
  },
} satisfies Section;
