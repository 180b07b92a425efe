/** The options of scaled dot-product attention. */
import type { Integers } from "../check.js";
import type { Layout } from "../call/layout.js";
import type { Float32Tensor, PlaceTensor, MaskLike, TensorLike } from "../call/tensor.js";
import type { SCORES_STAGES } from "../runtime/abi.generated.js";

/** What the elements of a mask mean, in errors. */
export const MAY_ATTEND = "other than 0 where a query may attend";

/** A stage of the scores: scale · q·k, after the softcap, after bias and masks. */
export type ScoresStage = (typeof SCORES_STAGES)[number];

/** What a mask or bias shorter than the keys means. */
export type ShortMask = "error" | "hide";

/** Places for the keys of each row's largest weights: [batch, numHeads, seqLen, n], for any n. */
export interface TopKeys {
  /** Their indices in k, largest weight first. */
  readonly indices: PlaceTensor;
  readonly weights: PlaceTensor;
}

/** Query heads and rows, from the first to before the last. */
export interface WeightsRange {
  /** Default all. */
  readonly heads?: readonly [from: number, to: number] | null | undefined;
  /** Default all. */
  readonly rows?: readonly [from: number, to: number] | null | undefined;
}

/** Options of scaled dot-product attention. */
export interface AttentionOptions<Out extends PlaceTensor = Float32Tensor> {
  /**
   * Order of axes: "bshd" = [batch, seq, heads, headDim], "bhsd" = [batch, heads, seq, headDim], "sbhd" = [seq, batch, heads,
   * headDim]. Default "bshd".
   */
  layout?: Layout | null | undefined;
  /** Heads of q, where its rows hold them side by side: [batch, seq, numHeads · headDim], as in ONNX. The result is of rank 3 too. */
  numHeads?: number | null | undefined;
  /** The same for k and v. Default numHeads. */
  numKvHeads?: number | null | undefined;
  /** Factor on q·k, for all heads or for each [numHeads]. Default 1/√headDim. */
  scale?: number | ArrayLike<number> | null | undefined;
  /** Bounds scores to ±softcap by softcap · tanh(score / softcap) (Gemma 2, arXiv:2408.00118). Default 0: off. */
  softcap?: number | null | undefined;
  /** Added to the scores; −∞ hides a key. Broadcasts to [batch, numHeads, seqLen, kvLen], aligned to the right. */
  bias?: TensorLike | null | undefined;
  /** Integers or booleans, other than 0 where a query may attend. Broadcasts as `bias` does. */
  mask?: MaskLike | null | undefined;
  /**
   * The first key that `mask` covers, for all sequences or for each [batch]; keys before it are visible. The mask's last axis is
   * then kvLen − maskStart. For a tree of guesses after many older keys. Default 0.
   */
  maskStart?: number | ArrayLike<number> | null | undefined;
  /** Integers or booleans [batch, kvLen], other than 0 where a key counts: the mask of a tokenizer. Combined with `mask`. Default every key. */
  keyMask?: MaskLike | null | undefined;
  /**
   * What a last axis of `mask` or `bias` means that is shorter than the keys, but not 1: an "error", or "hide" the keys beyond it,
   * as in ONNX. Default "error".
   */
  shortMask?: ShortMask | null | undefined;
  /**
   * Row i sees no key after its position: `true` or "lower-right" aligns the last query with the last key, "upper-left" the first
   * with the first. Default false.
   */
  causal?: boolean | "lower-right" | "upper-left" | null | undefined;
  /** Position of a sequence's query row 0, for all sequences or for each. Default keyLength − queryLength, 0 for "upper-left". */
  queryOffset?: number | bigint | Integers | null | undefined;
  /**
   * How many keys before and after its position a row sees, both ends included: n is [n, n], or [n, 0] when causal; −1 is unlimited
   * (Longformer, arXiv:2004.05150). Default unlimited.
   */
  window?: number | readonly [number | null | undefined, number | null | undefined] | null | undefined;
  /** Number of first keys that the window does not hide (StreamingLLM, arXiv:2309.17453). Default 0. */
  sinkTokens?: number | null | undefined;
  /** Number of query rows in each sequence [batch]; results of the rows beyond are 0. Default seqLen. */
  queryLengths?: Integers | null | undefined;
  /** Number of keys in each sequence [batch]; those beyond are hidden. Default kvLen. */
  keyLengths?: Integers | null | undefined;
  /** First visible key of each sequence [batch], for padding on the left; sinkTokens count from there. Default 0. */
  keyStarts?: Integers | null | undefined;
  /**
   * Several sequences one after the other in a batch of 1: where each begins, and where the last one ends [sequences + 1], from 0
   * to seqLen. Each sees only its own keys and has its own positions. Default one sequence.
   */
  cuSeqlensQ?: Integers | null | undefined;
  /** The same for their keys, from 0 to kvLen. Default cuSeqlensQ. */
  cuSeqlensK?: Integers | null | undefined;
  /** One more logit per head [numHeads], without scale, softcap, bias or value. */
  sinks?: TensorLike | null | undefined;
  /**
   * Subtracts slope · │position − key│ from each score, for each head [numHeads], or for each entry [batch, numHeads] (ALiBi,
   * arXiv:2108.12409). `alibiSlopes` gives the paper's. Default none.
   */
  alibiSlopes?: TensorLike | null | undefined;
  /**
   * Added to the score by the distance key − position: [numHeads or 1, distances], where index `relativeZero` is distance 0; the ends
   * serve all distances beyond. `t5RelativeBias` makes T5's. −∞ hides a key. Default none.
   */
  relativeBias?: TensorLike | null | undefined;
  /** The index of distance 0 in `relativeBias` and `relativeKeys`. Default (distances − 1) / 2. */
  relativeZero?: number | null | undefined;
  /**
   * A key for each distance: [distances, numHeads or 1, headDim]. A score is scale · ((q + contentBias)·k + (q + positionBias)·r), where r
   * is the key of the distance (Shaw et al. 2018, arXiv:1803.02155; Transformer-XL, arXiv:1901.02860). For engines of `headwise`. Default none.
   */
  relativeKeys?: TensorLike | null | undefined;
  /** Added to q for the product with k: [numHeads, headDim]. Needs `relativeKeys`. Default none. */
  contentBias?: TensorLike | null | undefined;
  /** Added to q for the product with `relativeKeys`: [numHeads, headDim]. Default none. */
  positionBias?: TensorLike | null | undefined;
  /** Receives the output, and is returned: [batch, seq, heads, valueDim] in the layout of q. */
  out?: Out | null | undefined;
  /** Receives maximum + ln Σ exp(score − maximum) of each row: [batch, numHeads, seqLen]. */
  logSumExp?: PlaceTensor | null | undefined;
  /** Receives the weights: [batch, numHeads, seqLen, kvLen]. */
  weights?: PlaceTensor | null | undefined;
  /**
   * The heads and rows that `weights` receives: [batch, heads, rows, kvLen]. For engines of `headwise`, as are `topKeys`, `entropy`,
   * `largestWeight` and `keyWeights`. Default all.
   */
  weightsRange?: WeightsRange | null | undefined;
  /**
   * Receives the keys of each row's n largest weights, of equal ones the lower index first: places of [batch, numHeads, seqLen, n]. Where a
   * row sees fewer keys, the index is −1 and the weight 0; in a row that is NaN, −1 and NaN. For small n: time grows with it.
   */
  topKeys?: TopKeys | null | undefined;
  /** Receives the entropy −Σ w ln w of each row's weights, in nats: [batch, numHeads, seqLen]. 0 without keys. */
  entropy?: PlaceTensor | null | undefined;
  /** Receives each row's largest weight: [batch, numHeads, seqLen]. 0 without keys. */
  largestWeight?: PlaceTensor | null | undefined;
  /** Receives what each key is given, the sum of its weights over the rows: [batch, numHeads, kvLen]. */
  keyWeights?: PlaceTensor | null | undefined;
  /** Receives the scores: [batch, numHeads, seqLen, kvLen]. */
  scores?: PlaceTensor | null | undefined;
  /** Stage of `scores`: q·k "scaled", then "capped", then "biased" with −∞ where a key is invisible. Default "biased". */
  scoresStage?: ScoresStage | null | undefined;
}

/** Those that say how rows lie. */
export const ROW_OPTIONS = ["layout", "numHeads", "numKvHeads"] as const;
export const ATTENTION_OPTIONS: readonly string[] = [
  ...ROW_OPTIONS,
  ...["scale", "softcap", "bias", "mask", "maskStart", "keyMask", "shortMask", "causal", "queryOffset", "window"],
  ...[
    "sinkTokens",
    "queryLengths",
    "keyLengths",
    "keyStarts",
    "cuSeqlensQ",
    "cuSeqlensK",
    "sinks",
    ...["alibiSlopes", "relativeBias", "relativeZero", "relativeKeys", "contentBias", "positionBias"],
    "out",
    "logSumExp",
    "weights",
    ...["weightsRange", "topKeys", "entropy", "largestWeight", "keyWeights"],
    "scores",
    "scoresStage",
  ],
];
/** Those of them that receive results, `option.property` within an option. */
export const ATTENTION_PLACES: readonly string[] = [
  ...["out", "logSumExp", "weights", "scores"],
  ...["topKeys.indices", "topKeys.weights", "entropy", "largestWeight", "keyWeights"],
];
