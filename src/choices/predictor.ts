/** Centres of windows that are predicted from queries. Luong et al. 2015, arXiv:1508.04025, eq. 9. */
import type { Extra, Reading } from "../attention/extras.js";
import { stridesOf } from "../call/layout.js";
import type { Operand } from "../call/operand.js";
import { readOptions } from "../call/readOptions.js";
import type { TensorLike } from "../call/tensor.js";
import { isAbsent, show, wrongKind, wrongValue } from "../check.js";
import { multiply } from "../product/multiply.js";
import { wholeLines } from "../runtime/arena.js";
import { expectHeadSizes, headStrideOf, projectHeads } from "../scores/headMatrices.js";

/** W and v of a network that predicts centres from queries. */
export interface CenterPredictor {
  /** W: [hidden, headDim], or [numHeads, hidden, headDim]. */
  weight: TensorLike;
  /** v: [hidden], or [numHeads, hidden]. */
  score: TensorLike;
}

/**
 * A network that has been read.
 * @internal
 */
export interface Predictor extends Required<Pick<Extra, "operands" | "bytes">> {
  /** Computes sigmoid(vᵀ tanh(W q)) of each row into its scratch. */
  readonly prepare: (ptr: number) => void;
  /** Where they are, [batch, numHeads, seqLen]. */
  readonly partsAt: (ptr: number) => number;
}

/**
 * See `predictor` in `LocalParameters`.
 * @internal
 */
export function readPredictor({ call, shape, layout, q }: Reading, predictor: CenterPredictor): Predictor {
  const { batchSize, seqLen, numHeads, headDim } = shape;
  const given = readOptions({ name: call.operation, options: ["weight", "score"] }, predictor, "predictor");
  const needed = (name: "weight" | "score", what: string): Operand => {
    const value: TensorLike | undefined = given[name];
    if (isAbsent(value)) throw wrongKind(call.operation, `"predictor.${name}" is missing; it is ${what}`);
    return call.numbers(`predictor.${name}`, value);
  };
  const weight = needed("weight", "W [hidden, headDim]");
  const score = needed("score", "v [hidden]");
  const hidden = score.dims.at(-1) ?? 0;
  if (hidden === 0) {
    throw wrongValue(call.operation, `"predictor.score" has dims ${show(score.dims)}, expected [hidden] with at least 1 element`);
  }
  expectHeadSizes(call, weight, numHeads, "numHeads", [hidden, headDim], "hidden, headDim");
  expectHeadSizes(call, score, numHeads, "numHeads", [hidden], "hidden");

  const rows = batchSize * seqLen * numHeads;
  const hiddenBytes = wholeLines(4 * rows * hidden);
  return {
    operands: [weight, score],
    bytes: hiddenBytes + 4 * rows,
    partsAt: (ptr) => ptr + hiddenBytes,
    prepare: (ptr) => {
      const queries = { batchSize, rows: seqLen, heads: numHeads, channels: headDim };
      const from = { ...queries, ptr: q.ptr, strides: stridesOf(q, layout, headDim) };
      const strides = projectHeads(call, from, weight, true, hidden, undefined, ptr, "tanh");
      multiply(call, {
        numEntries: batchSize * numHeads,
        entryAt: (index) => {
          const [batch, head] = [Math.floor(index / numHeads), index % numHeads];
          return {
            a: ptr + 4 * (batch * strides.batch + head * strides.head),
            b: score.ptr + 4 * head * headStrideOf(score, 1),
            out: ptr + hiddenBytes + 4 * index * seqLen,
          };
        },
        ...{ rows: seqLen, columns: 1, depth: hidden },
        ...{ aRowStride: strides.row, bRowStride: 1, outRowStride: 1 },
        ...{ isATransposed: false, isBTransposed: false, isPacked: false, accumulate: false },
        bias: 0,
        activation: "sigmoid",
      });
    },
  };
}
