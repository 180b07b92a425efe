/** Centres of windows that are predicted from queries. Luong et al. 2015, arXiv:1508.04025, eq. 9. */
import type { Reading } from "../attention/extras.js";
import { stridesOf } from "../call/layout.js";
import type { Operand } from "../call/operand.js";
import { type KnownOptions, readOptions } from "../call/readOptions.js";
import type { TensorLike } from "../call/tensor.js";
import { show, wrongValue } from "../check.js";
import { multiply, type Products } from "../product/multiply.js";
import { wholeLines } from "../runtime/arena.js";

/** W and v of a network that predicts centres from queries. */
export interface CenterPredictor {
  /** W: [hidden, headDim], or [numHeads, hidden, headDim]. */
  weight: TensorLike;
  /** v: [hidden], or [numHeads, hidden]. */
  score: TensorLike;
}

/** A network that has been read, and the scratch that it takes. */
export interface Predictor {
  readonly operands: readonly Operand[];
  readonly bytes: number;
  /** Computes sigmoid(vᵀ tanh(W q)) of each row, [batch, numHeads, seqLen]. */
  readonly prepare: (ptr: number) => void;
  /** Where they are. */
  readonly centersAt: (ptr: number) => number;
}

/** See `predictor` in `LocalParameters`. */
export function readPredictor(reading: Reading, predictor: CenterPredictor): Predictor {
  const { call, shape, layout, q } = reading;
  const { batchSize, seqLen, numHeads, headDim } = shape;
  const known: KnownOptions = { name: call.operation, options: ["weight", "score"] };
  const given = readOptions(known, predictor, "predictor");
  const weight = call.numbers("weight", given.weight);
  const hidden = weight.dims.at(-2) ?? 0;
  expectEach(reading, weight, [hidden, headDim], "hidden, headDim");
  const score = call.numbers("score", given.score);
  expectEach(reading, score, [hidden], `hidden, as in weight`);

  const rows = batchSize * numHeads * seqLen;
  const hiddenBytes = wholeLines(4 * rows * hidden);
  const centersAt = (ptr: number): number => ptr + hiddenBytes;
  return {
    operands: [weight, score],
    bytes: hiddenBytes + 4 * rows,
    centersAt,
    prepare(ptr) {
      const strides = stridesOf(q, layout, headDim);
      const shared = { numEntries: batchSize * numHeads, rows: seqLen, ...PLAIN };
      multiply(call, {
        ...shared,
        entryAt: (index) => {
          const [batch, head] = [Math.floor(index / numHeads), index % numHeads];
          return {
            a: q.ptr + 4 * (batch * strides.batch + head * strides.head),
            b: weight.ptr + 4 * (weight.dims.length === 3 ? head * hidden * headDim : 0),
            out: ptr + 4 * index * seqLen * hidden,
          };
        },
        columns: hidden,
        depth: headDim,
        aRowStride: strides.row,
        bRowStride: headDim,
        outRowStride: hidden,
        isBTransposed: true,
        activation: "tanh",
      });
      multiply(call, {
        ...shared,
        entryAt: (index) => ({
          a: ptr + 4 * index * seqLen * hidden,
          b: score.ptr + 4 * (score.dims.length === 2 ? (index % numHeads) * hidden : 0),
          out: centersAt(ptr) + 4 * index * seqLen,
        }),
        columns: 1,
        depth: hidden,
        aRowStride: hidden,
        bRowStride: 1,
        outRowStride: 1,
        isBTransposed: false,
        activation: "sigmoid",
      });
    },
  };
}

/** What both products have. */
const PLAIN = { bias: 0, isATransposed: false, isPacked: false, accumulate: false } satisfies Partial<Products>;

/** Refuses other sizes than these, or these for each head. */
function expectEach({ call, shape }: Reading, { name, dims }: Operand, expected: readonly number[], axes: string): void {
  const rest = dims.length === expected.length + 1 && dims[0] === shape.numHeads ? dims.slice(1) : dims;
  const fits = rest.length === expected.length && rest.every((size, axis) => size === expected[axis] && size > 0);
  if (fits) return;
  const sizes = axes.startsWith("hidden, headDim") ? `[hidden, ${shape.headDim}]` : show(expected);
  throw wrongValue(
    call.operation,
    `"predictor.${name}" has dims ${show(dims)}, expected ${sizes} (${axes}), or with ${shape.numHeads} first (numHeads)`,
  );
}
