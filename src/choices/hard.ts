/** Hard attention: each row takes the value of one key. */
import { MISPLACED_NAMES } from "../attention/foreignNames.js";
import { expectExactKeys } from "../attention/keyNumbers.js";
import type { AttentionOptions } from "../attention/options.js";
import { axesOfRows } from "../attention/attentionCall.js";
import type { Extra, Reading } from "../attention/extras.js";
import { SCALED_DOT_PRODUCT_ATTENTION } from "../attention/scaledDotProductAttention.js";
import { attendOn, type Keys, type Values } from "../cache/keysOrCache.js";
import type { Operation } from "../call/operation.js";
import { type KnownOptions, readOptions } from "../call/readOptions.js";
import type { PlaceTensor, ResultTensor, TensorLike } from "../call/tensor.js";
import { integer, isAbsent, oneOf, optional, wrongValue } from "../check.js";
import { CHOICES } from "../runtime/abi.generated.js";
import type { Runtime } from "../runtime/runtime.js";

const WAYS = ["argmax", "sample"] as const;

/** Parameters of `hardAttention`. */
export interface HardParameters {
  /** The key of the largest score, "argmax", or one with the probability of its weight, "sample". Default "argmax". */
  choose?: (typeof WAYS)[number] | null | undefined;
  /** For samples: an integer from 0 to 2³² − 1. The same seed gives the same keys. */
  seed?: number | bigint | null | undefined;
  /** Receives the key that each row takes, −1 where it sees none: [batch, numHeads, seqLen]. */
  picks?: PlaceTensor | null | undefined;
}

export const HARD_ATTENTION: Operation = {
  ...SCALED_DOT_PRODUCT_ATTENTION,
  name: "hardAttention",
  parameters: ["choose", "seed", "picks"],
  places: [...SCALED_DOT_PRODUCT_ATTENTION.places, "picks"],
};
const PARAMETERS: KnownOptions = {
  name: HARD_ATTENTION.name,
  options: HARD_ATTENTION.parameters!,
  foreign: { ...MISPLACED_NAMES, choose: "mode sampling", picks: "indices index" },
};

/** Multiply-adds of an exponential and its place in two scans. */
const SAMPLE_WORK = 20;

/**
 * See `Engine.hardAttention`.
 * @internal
 */
export function hardAttention<Out extends PlaceTensor = ResultTensor>(
  runtime: Runtime,
  q: TensorLike,
  k: Keys,
  v: Values,
  parameters?: HardParameters | null,
  options?: AttentionOptions<Out> | null,
): Out {
  return attendOn(runtime, HARD_ATTENTION, q, k, v, options, () => {
    const { choose, seed, picks } = readOptions(PARAMETERS, parameters, "parameters");
    const isSample = oneOf(PARAMETERS.name, "choose", choose ?? "argmax", WAYS) === "sample";
    if (!isSample && !isAbsent(seed)) throw wrongValue(PARAMETERS.name, '"seed" needs choose: "sample"');
    const seedOfSample = isSample ? integer(PARAMETERS.name, "seed", seed, 0, 2 ** 32 - 1) : 0;
    return { read: (reading) => readChoice(reading, isSample, seedOfSample, picks) };
  });
}

function readChoice({ call, shape }: Reading, isSample: boolean, seed: number, picks: PlaceTensor | undefined): Extra {
  const { headDims, seqLen, kvLen, headDim } = shape;
  const place = optional(picks, (given) => call.place("picks", given, [...headDims, seqLen], axesOfRows(shape)));
  if (place) expectExactKeys(call.operation, place, kvLen);
  return {
    operands: place ? [place] : [],
    isWhole: true,
    workOfPair: isSample ? 2 * headDim + SAMPLE_WORK : headDim, // scores are computed again
    fields: () => ({
      choice: CHOICES.indexOf(isSample ? "sample" : "largest"),
      keptKeys: 1,
      seed,
      picks: place?.ptr ?? 0,
      sinks: 0, // they have no value to take
    }),
  };
}
