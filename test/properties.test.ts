/** Properties over random shapes, masks and layouts (fast-check): a failure prints its seed and the smallest case. */
import type { Given } from "../src/call/readOptions.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { AttentionOptions } from "headwise";
import { scaledDotProductAttention as reference, type ReferenceOptions } from "headwise/reference";
import {
  checkAgainstReference,
  dimsOf,
  type Inputs,
  largestError,
  naiveFloat32,
  places,
  poison,
  randomInputs,
  type Shape,
  showShape,
} from "./support/attention.js";
import { onEveryEngine } from "./support/engines.js";
import { countOf, normal, randomMask, type TestTensor } from "./support/random.js";

const shapes: fc.Arbitrary<Shape> = fc
  .record({
    batchSize: fc.integer({ min: 1, max: 3 }),
    seqLen: fc.integer({ min: 1, max: 30 }),
    kvLen: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: 60 }) }, fc.integer({ min: 500, max: 1100 })),
    numKvHeads: fc.integer({ min: 1, max: 3 }),
    groupSize: fc.integer({ min: 1, max: 4 }),
    headDim: fc.integer({ min: 1, max: 37 }),
    valueDim: fc.integer({ min: 1, max: 37 }),
  })
  .map(({ groupSize, ...shape }) => ({ ...shape, numHeads: shape.numKvHeads * groupSize }));

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

/** Sizes that broadcast: each axis full or 1, some leading axes omitted. */
const broadcastable = ({ batchSize, numHeads, seqLen, kvLen }: Shape): fc.Arbitrary<number[]> =>
  fc
    .tuple(fc.integer({ min: 0, max: 4 }), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }))
    .map(([rank, whole]) => [batchSize, numHeads, seqLen, kvLen].map((size, axis) => (whole[axis] ? size : 1)).slice(4 - rank));

type Lengths = Pick<
  Given<AttentionOptions>,
  "queryLengths" | "keyLengths" | "keyStarts" | "cuSeqlensQ" | "cuSeqlensK" | "queryOffset"
>;

/** Sequences of different lengths: padded, or packed if the batch is 1. */
const lengthsFor = ({ batchSize, seqLen, kvLen }: Shape): fc.Arbitrary<Lengths> => {
  const position = fc.integer({ min: -seqLen - 3, max: kvLen + 3 });
  const positions = (count: number) => maybe(fc.oneof(position, fc.array(position, { minLength: count, maxLength: count })));
  const lengths = (most: number) => fc.array(fc.integer({ min: 0, max: most }), { minLength: batchSize, maxLength: batchSize });
  const padded = fc.record({
    queryOffset: positions(batchSize),
    queryLengths: maybe(lengths(seqLen)),
    keyLengths: maybe(lengths(kvLen)),
    keyStarts: maybe(lengths(kvLen)),
  });
  const boundaries = (total: number, count: number) =>
    fc
      .array(fc.integer({ min: 0, max: total }), { minLength: count - 1, maxLength: count - 1 })
      .map((inner) => [0, ...inner.sort((a, b) => a - b), total]);
  const packed = fc.integer({ min: 1, max: 4 }).chain((count) =>
    fc.record({
      queryOffset: positions(count),
      cuSeqlensQ: boundaries(seqLen, count),
      cuSeqlensK: boundaries(kvLen, count),
    }),
  );
  return batchSize === 1 ? fc.oneof<fc.Arbitrary<Lengths>[]>(padded, packed) : padded;
};

const optionsFor = (shape: Shape): fc.Arbitrary<Given<AttentionOptions>> => {
  const { batchSize, numHeads, kvLen } = shape;
  const probabilities = fc.double({ min: 0, max: 1, noNaN: true });
  const reach = fc.integer({ min: -1, max: 40 });
  const seeds = fc.integer({ min: 1, max: 1e6 });
  const scales = fc.double({ min: -2, max: 2, noNaN: true });
  const others = fc.record({
    layout: fc.constantFrom("bshd" as const, "bhsd" as const),
    scale: maybe(fc.oneof(scales, fc.array(scales, { minLength: numHeads, maxLength: numHeads }))),
    softcap: maybe(fc.double({ min: 0.1, max: 60, noNaN: true })),
    causal: fc.constantFrom(false as const, true as const, "lower-right" as const, "upper-left" as const),
    window: maybe(fc.oneof(reach, fc.tuple(reach, reach))),
    sinkTokens: maybe(fc.integer({ min: 0, max: 20 })),
    sinks: maybe(seeds.map((seed) => normal([numHeads], seed, 3))),
    keyMask: maybe(fc.tuple(seeds, probabilities).map(([seed, p]) => randomMask([batchSize, kvLen], seed, p))),
    bias: maybe(fc.tuple(broadcastable(shape), seeds).map(([dims, seed]) => normal(dims, seed))),
    scoresStage: fc.constantFrom("scaled" as const, "capped" as const, "biased" as const),
  });
  /** From a key on: the columns of the mask depend on it. */
  const masks = fc
    .oneof(fc.constant(0), fc.integer({ min: 0, max: kvLen }))
    .chain((maskStart) =>
      fc
        .tuple(broadcastable({ ...shape, kvLen: kvLen - maskStart }), seeds, probabilities)
        .map(([dims, seed, p]) => ({ mask: randomMask(dims, seed, p), maskStart: maskStart === 0 ? undefined : maskStart })),
    );
  return fc.tuple(lengthsFor(shape), others, maybe(masks)).map(([lengths, rest, mask]) => ({ ...lengths, ...rest, ...mask }));
};

const callsOf = (shapes: fc.Arbitrary<Shape>) =>
  shapes.chain((shape) =>
    fc.record({ shape: fc.constant(shape), options: optionsFor(shape), seed: fc.integer({ min: 1, max: 1e6 }) }),
  );
const calls = callsOf(shapes);

/** One row, so that small results are not hidden by larger ones: logSumExp near 0, scores that cancel, weights of 1e-9. */
const rows: fc.Arbitrary<Shape> = fc.record({
  batchSize: fc.constant(1),
  seqLen: fc.constant(1),
  numHeads: fc.constant(1),
  numKvHeads: fc.constant(1),
  kvLen: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 30 })),
  headDim: fc.integer({ min: 1, max: 100 }),
  valueDim: fc.integer({ min: 1, max: 3 }),
});

const largest = (numbers: ArrayLike<number>): number =>
  Array.from(numbers).reduce((most, number) => (Number.isFinite(number) ? Math.max(most, Math.abs(number)) : most), 0);

/** The magnitude of the terms that results are sums of, before anything cancels. */
function magnitudesOf(
  { q, k, v }: Inputs,
  options: Given<AttentionOptions>,
  dims: number[],
): Record<"out" | "weights" | "scores", number> {
  const scores = { data: new Float64Array(countOf(dims)), dims };
  const abs = ({ data, dims: sizes }: TestTensor): TestTensor => ({ data: data.map(Math.abs), dims: sizes });
  const { scale: given = 1 / Math.sqrt(q.dims.at(-1)!) } = options;
  const scale = typeof given === "number" ? Math.abs(given) : Array.from(given, Math.abs);
  const plain = { ...(options as ReferenceOptions), scale, softcap: 0, bias: undefined };
  reference(abs(q), abs(k), v, { ...plain, scores, scoresStage: "scaled" });
  const bias = largest((options.bias as TestTensor | undefined)?.data ?? []);
  const sinks = largest((options.sinks as TestTensor | undefined)?.data ?? []);
  return { out: largest(v.data), weights: 1, scores: Math.max(largest(scores.data) + bias, sinks) };
}

onEveryEngine((build, engine) => {
  const numRuns = build === "debug" ? 20 : 50;

  test(`any call agrees with the reference (${numRuns} calls)`, () => {
    fc.assert(
      fc.property(calls, ({ shape, options, seed }) => {
        poison(engine);
        checkAgainstReference(engine, shape, randomInputs(shape, seed, options.layout), options);
      }),
      { numRuns, seed: 20 },
    );
  });

  test("one row: twice the error of naive float32, plus 4 · 2⁻²³ of what is summed (300 calls)", () => {
    fc.assert(
      fc.property(callsOf(rows), ({ shape, options, seed }) => {
        const inputs = randomInputs(shape, seed, options.layout);
        const { q, k, v } = inputs;
        const found = places(shape);
        const exact = ({ dims }: TestTensor) => ({ data: new Float64Array(countOf(dims)), dims });
        const truth = { logSumExp: exact(found.logSumExp), weights: exact(found.weights), scores: exact(found.scores) };
        const { data: truthOut } = reference(q, k, v, { ...(options as ReferenceOptions), ...truth });
        const naive = naiveFloat32(inputs, shape, options as ReferenceOptions);
        const { data: out } = engine.scaledDotProductAttention(q, k, v, { ...options, ...found });
        const magnitudes = magnitudesOf(inputs, options, found.scores.dims);
        const check = (name: string, data: Float32Array, exactly: Float64Array, naively: Float32Array, magnitude: number): void => {
          const bound = 2 * largestError(naively, exactly) + 4 * 2 ** -23 * magnitude + 2 ** -126;
          expect(largestError(data, exactly), `${name}: at most ${bound}`).toBeLessThanOrEqual(bound);
        };
        check("out", out, truthOut, naive.out.data, magnitudes.out);
        check("weights", found.weights.data, truth.weights.data, naive.weights.data, magnitudes.weights);
        for (const name of ["scores", "logSumExp"] as const) {
          const magnitude = Math.max(magnitudes.scores, largest(truth[name].data));
          check(name, found[name].data, truth[name].data, naive[name].data, magnitude);
        }
      }),
      { numRuns: build === "debug" ? 50 : 300, seed: 23 },
    );
  });

  test(`any call in the engine's memory writes its results and nothing else (${numRuns} calls)`, () => {
    const GUARD = 16;
    fc.assert(
      fc.property(calls, ({ shape, options, seed }) => {
        const { layout = "bshd" } = options;
        const inputs = randomInputs(shape, seed, layout);
        const outDims = dimsOf(layout, shape.batchSize, shape.seqLen, shape.numHeads, shape.valueDim);
        const matrix = [shape.batchSize, shape.numHeads, shape.seqLen, shape.kvLen];
        const expected = engine.scaledDotProductAttention(inputs.q, inputs.k, inputs.v, options);

        poison(engine);
        const guards = [guard()];
        const placed = (dims: readonly number[], data?: Float32Array) => {
          const tensor = engine.tensor(dims);
          tensor.data.fill(NaN);
          if (data) tensor.data.set(data);
          guards.push(guard());
          return tensor;
        };
        function guard() {
          const tensor = engine.tensor([GUARD]);
          tensor.data.fill(12345.678);
          return tensor;
        }
        const { q, k, v } = inputs;
        const tensors = { q: placed(q.dims, q.data), k: placed(k.dims, k.data), v: placed(v.dims, v.data) };
        const bias =
          options.bias && "data" in options.bias
            ? placed([...(options.bias.dims as number[])], options.bias.data as Float32Array)
            : undefined;
        const results = {
          out: placed(outDims),
          logSumExp: placed(matrix.slice(0, 3)),
          weights: placed(matrix),
          scores: placed(matrix),
        };
        try {
          const returned = engine.scaledDotProductAttention(tensors.q, tensors.k, tensors.v, { ...options, bias, ...results });
          expect(returned).toBe(results.out);
          expect(results.out.data).toEqual(expected.data);
          for (const name of ["q", "k", "v"] as const)
            expect(tensors[name].data, `${name} is as before`).toEqual(inputs[name].data);
          for (const [index, { data }] of guards.entries()) {
            expect(data, `guard ${index} around ${showShape(shape)}`).toEqual(new Float32Array(GUARD).fill(12345.678));
          }
          if (countOf(matrix) > 0 && options.scoresStage !== "biased") expect(results.scores.data.some(Number.isNaN)).toBe(false);
          expect(results.weights.data.some(Number.isNaN), "weights are written whole").toBe(false);
        } finally {
          for (const tensor of [...guards, ...Object.values(tensors), ...Object.values(results)]) tensor.dispose();
          bias?.dispose();
        }
      }),
      { numRuns, seed: 21 },
    );
    expect(engine.info.memory.inUse).toBe(0);
  });

  test("rows of weights sum to 1, minus the share of a sink, and to 0 if the row sees no key", () => {
    fc.assert(
      fc.property(calls, ({ shape, options: { sinks: _, ...options }, seed }) => {
        const { q, k, v } = randomInputs(shape, seed, options.layout);
        const { batchSize, numHeads, seqLen, kvLen } = shape;
        const weights = normal([batchSize, numHeads, seqLen, kvLen], 1);
        const logSumExp = normal([batchSize, numHeads, seqLen], 1);
        engine.scaledDotProductAttention(q, k, v, { ...options, weights, logSumExp });
        for (const [row, lse] of logSumExp.data.entries()) {
          const sum = weights.data.subarray(row * kvLen, (row + 1) * kvLen).reduce((total, weight) => total + weight, 0);
          expect(Math.abs(sum - (lse === -Infinity ? 0 : 1))).toBeLessThan(1e-5);
        }
      }),
      { numRuns: 20, seed: 22 },
    );
  });
});
