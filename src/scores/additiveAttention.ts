/** Attention by additive scores: queries and keys are projected once, and the kernel adds them pair by pair. */
import { attendOn, type Keys, type Values } from "../cache/keysOrCache.js";
import type { Call } from "../call/call.js";
import { stridesOf } from "../call/layout.js";
import type { Operand } from "../call/operand.js";
import type { Operation } from "../call/operation.js";
import { type Given, readOptions } from "../call/readOptions.js";
import type { PlaceTensor, ResultTensor, TensorLike } from "../call/tensor.js";
import { isAbsent, oneOf, optional, show, wrongKind, wrongValue } from "../check.js";
import { MISPLACED_NAMES } from "../attention/foreignNames.js";
import type { Extra, Reading } from "../attention/extras.js";
import { wholeLines } from "../runtime/arena.js";
import { ACTIVATIONS, SCORES } from "../runtime/abi.generated.js";
import type { Runtime } from "../runtime/runtime.js";
import { expectHeadSizes, headStrideOf, projectHeads } from "./headMatrices.js";
import { scoreOperation, type ScoreOptions } from "./scoreOptions.js";

/** What to do where keys are to be in a cache. */
const PROJECT_ONCE = "append engine.matmul(k, key, { transposeB: true }), which projects them once";
const SCORE_ACTIVATIONS = ["tanh", "relu", "gelu"] as const;

/** Parameters of `additiveAttention`. */
export interface AdditiveParameters {
  /** B [hidden, headDim], or [numHeads, hidden, headDim]: projects queries. */
  query: TensorLike;
  /** A [hidden, kDim], or [numKvHeads, hidden, kDim]: projects keys. Default: keys are projected already, and have hidden elements. */
  key?: TensorLike | null | undefined;
  /** u [hidden], or [numHeads, hidden]. */
  score: TensorLike;
  /** b [hidden], or [numHeads, hidden]. Default none. */
  bias?: TensorLike | null | undefined;
  /** Default "tanh". */
  activation?: (typeof SCORE_ACTIVATIONS)[number] | null | undefined;
}

export const ADDITIVE_ATTENTION = scoreOperation("additiveAttention");
const PARAMETERS: Pick<Operation, "name" | "options" | "foreign"> = {
  name: ADDITIVE_ATTENTION.name,
  options: ["query", "key", "score", "bias", "activation"],
  foreign: MISPLACED_NAMES,
};

/**
 * See `Engine.additiveAttention`.
 * @internal
 */
export function additiveAttention<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  q: TensorLike,
  k: Keys,
  v: Values,
  parameters: AdditiveParameters,
  options?: ScoreOptions<Out> | null,
): Out {
  return attendOn(runtime, ADDITIVE_ATTENTION, q, k, v, options, (call, isCached) => {
    const operands = readParameters(call, readOptions(PARAMETERS, parameters, "parameters"));
    const { key, score } = operands;
    if (key && isCached) {
      throw wrongValue(call.operation, `"key" cannot be combined with a cache, which holds projected keys; ${PROJECT_ONCE}`);
    }
    const owner = key ?? score;
    const why = `${owner.name} has dims ${show(owner.dims)}${isCached ? `; ${PROJECT_ONCE}` : ""}`;
    return {
      keySize: { count: owner.dims.at(-1)!, why },
      read: (reading) => readScore(reading, operands),
    };
  });
}

interface AdditiveOperands {
  readonly query: Operand;
  readonly key: Operand | undefined;
  readonly score: Operand;
  readonly bias: Operand | undefined;
  readonly hidden: number;
  /** The number of the activation. */
  readonly activation: number;
}

function readParameters(call: Call, given: Given<AdditiveParameters>): AdditiveOperands {
  const { operation } = call;
  const needed = (name: "query" | "score", what: string): Operand => {
    const value: TensorLike | undefined = given[name];
    if (isAbsent(value)) throw wrongKind(operation, `"${name}" is missing; it is ${what}`);
    return call.numbers(name, value);
  };
  const activation = oneOf(operation, "activation", given.activation ?? "tanh", SCORE_ACTIVATIONS);
  const query = needed("query", "B [hidden, headDim]");
  const score = needed("score", "u [hidden]");
  const hidden = score.dims.at(-1) ?? 0;
  if (hidden === 0) throw wrongValue(operation, `"score" has dims ${show(score.dims)}, expected [hidden] with at least 1 element`);
  return {
    query,
    score,
    hidden,
    key: optional(given.key, (value) => call.numbers("key", value)),
    bias: optional(given.bias, (value) => call.numbers("parameters.bias", value)),
    activation: ACTIVATIONS.indexOf(activation),
  };
}

function readScore(reading: Reading, { query, key, score, bias, hidden, activation }: AdditiveOperands): Extra {
  const { call, shape, layout, q, k, isInt8 } = reading;
  const { batchSize, seqLen, kvLen, numHeads, numKvHeads, headDim, keyDim } = shape;
  if (isInt8)
    throw wrongValue(call.operation, '"k" is a cache of int8, whose keys can only be multiplied; expected dtype "float32"');
  expectHeadSizes(call, query, numHeads, "numHeads", [hidden, headDim], "hidden, headDim");
  if (key) expectHeadSizes(call, key, numKvHeads, "numKvHeads", [hidden, keyDim], "hidden, kDim");
  expectHeadSizes(call, score, numHeads, "numHeads", [hidden], "hidden");
  if (bias) expectHeadSizes(call, bias, numHeads, "numHeads", [hidden], "hidden");

  const queryBytes = wholeLines(4 * batchSize * seqLen * numHeads * hidden);
  const keyBytes = key ? 4 * batchSize * kvLen * numKvHeads * hidden : 0;
  return {
    operands: [query, key, score, bias].filter((operand) => operand !== undefined),
    scale: 1,
    workOfPair: 2 * hidden,
    bytes: queryBytes + keyBytes,
    prepare: (ptr) => {
      const queries = { batchSize, rows: seqLen, heads: numHeads, channels: headDim };
      projectHeads(call, { ...queries, ptr: q.ptr, strides: stridesOf(q, layout, headDim) }, query, true, hidden, bias, ptr);
      if (!key || !k) return;
      const keys = { batchSize, rows: kvLen, heads: numKvHeads, channels: keyDim };
      projectHeads(
        call,
        { ...keys, ptr: k.ptr, strides: stridesOf(k, layout, keyDim) },
        key,
        true,
        hidden,
        undefined,
        ptr + queryBytes,
      );
    },
    fields: (ptr) => ({
      q: ptr,
      qRowStride: numHeads * hidden,
      qHeadStride: hidden,
      qBatchStride: seqLen * numHeads * hidden,
      ...(key && {
        k: ptr + queryBytes,
        kRowStride: numKvHeads * hidden,
        kHeadStride: hidden,
        kBatchStride: kvLen * numKvHeads * hidden,
      }),
      headDim: hidden,
      score: SCORES.indexOf("additive"),
      scoreVector: score.ptr,
      scoreVectorHeadStride: headStrideOf(score, 1),
      scoreActivation: activation,
    }),
  };
}
