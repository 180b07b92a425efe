/**
 * Steep inputs next to ordinary ones: scores of which one outweighs all others, and activations and softmax of large numbers. Their powers
 * of e would be subnormal, with which many processors compute in microcode; kernels make them 0 before that.
 */
import { ACTIVATIONS, type Engine, type EngineTensor } from "headwise";
import {
  activate as referenceActivate,
  scaledDotProductAttention as referenceAttention,
  softmax as referenceSoftmax,
} from "headwise/reference";
import { type Context, openEngine, resident, type Row, type Section } from "../context.js";
import { TOLERANCE } from "../correctness.js";
import { normal, type Tensor } from "../data.js";
import { measure } from "../measure.js";

interface Case {
  readonly name: string;
  /** What differs between the calls, the ordinary one first. */
  readonly inputs: readonly string[];
  /** Makes the call with one of the inputs, and returns the largest error of its result, as a share of the largest number. */
  readonly open: (engine: Engine, index: number) => { run: () => unknown; error: number };
}

const ELEMENTS = [512, 512];
const SPREADS = [1, 60, 100];
const spreadOf = (spread: number): Tensor => {
  const { data, dims } = normal(ELEMENTS, 1);
  return { data: data.map((x) => spread * x), dims };
};

function errorOf(out: EngineTensor<"float32">, { data: truth }: { data: ArrayLike<number> }): number {
  let [error, most] = [0, 1];
  for (const [index, value] of out.data.entries()) {
    error = Math.max(error, Math.abs(value - truth[index]!));
    most = Math.max(most, Math.abs(truth[index]!));
  }
  return error / most;
}

const elementwise = (
  name: string,
  call: (engine: Engine, x: EngineTensor<"float32">, out: EngineTensor<"float32">) => unknown,
  truth: (x: Tensor) => { data: ArrayLike<number> },
): Case => ({
  name,
  inputs: SPREADS.map((spread) => `deviation ${spread}`),
  open(engine, index) {
    const input = spreadOf(SPREADS[index]!);
    const [x, out] = [resident(engine, input), engine.tensor(input.dims)];
    const run = (): unknown => call(engine, x, out);
    run();
    return { run, error: errorOf(out, truth(input)) };
  },
});

/** How far the first key's score, which is the same in each row, lies above the others; 0 for an ordinary key. */
const DISTANCES = [0, 40, 75, 85, 90];
const HEADS = 2;
const ROWS = 256;
const CHANNELS = 64;

const attention: Case = {
  name: "attention 2×256×64 full",
  inputs: DISTANCES.map((distance) => (distance === 0 ? "ordinary keys" : `one key ${distance} above`)),
  open(engine, index) {
    const dims = [1, ROWS, HEADS, CHANNELS];
    const [q, k, v] = [normal(dims, 1), normal(dims, 2), normal(dims, 3)];
    for (let row = 0; row < ROWS * HEADS; row++) q.data[row * CHANNELS] = Math.sqrt(CHANNELS);
    if (DISTANCES[index]! > 0) {
      k.data.fill(0, 0, HEADS * CHANNELS);
      for (let head = 0; head < HEADS; head++) k.data[head * CHANNELS] = DISTANCES[index]!;
    }
    const [query, key, value] = [resident(engine, q), resident(engine, k), resident(engine, v)];
    const out = engine.tensor(dims);
    const run = (): unknown => engine.scaledDotProductAttention(query, key, value, { out });
    run();
    return { run, error: errorOf(out, referenceAttention(q, k, v)) };
  },
};

const CASES: readonly Case[] = [
  attention,
  elementwise(
    "softmax [512, 512]",
    (engine, x, out) => engine.softmax(x, { out }),
    (x) => referenceSoftmax(x),
  ),
  elementwise(
    "softmax [512, 512] along axis 0",
    (engine, x, out) => engine.softmax(x, { axis: 0, out }),
    (x) => referenceSoftmax(x, { axis: 0 }),
  ),
  ...ACTIVATIONS.map((kind) =>
    elementwise(
      kind,
      (engine, x, out) => engine.activate(x, kind, { out }),
      (x) => referenceActivate(x, kind),
    ),
  ),
];

export default {
  name: "steep",
  title: "Steep inputs, next to ordinary ones",
  async run({ builds, wants, progress }: Context): Promise<Row[]> {
    const rows: Row[] = [];
    for (const build of builds) {
      for (const { name, inputs, open } of CASES.filter((each) => wants(each.name))) {
        progress(`${build} steep ${name}`);
        const engine = await openEngine(build);
        const calls = inputs.map((_, index) => open(engine, index));
        for (const [index, { error }] of calls.entries()) {
          if (error <= TOLERANCE) continue;
          throw new Error(`${build} ${name}, ${inputs[index]}: error ${error}, no speed is reported on a wrong result`);
        }
        const timings = measure(calls.map(({ run }) => run));
        for (const [index, { median }] of timings.entries()) {
          rows.push({ build, call: name, inputs: inputs[index], ms: median, "× ordinary": median / timings[0]!.median });
        }
        engine.dispose();
      }
    }
    return rows;
  },
} satisfies Section;
