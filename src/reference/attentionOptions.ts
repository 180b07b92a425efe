/** The options that all attentions with a softmax share. */
import type { ReferenceLayout } from "./layout.js";
import type { Place, ReferenceTensor } from "./tensor.js";

/** The options of `Engine.scaledDotProductAttention`, with the same meanings and defaults. Nothing is checked. */
export interface ReferenceOptions {
  layout?: ReferenceLayout | undefined;
  numHeads?: number | undefined;
  numKvHeads?: number | undefined;
  scale?: number | ArrayLike<number> | undefined;
  softcap?: number | undefined;
  bias?: ReferenceTensor | undefined;
  mask?: ReferenceTensor | undefined;
  maskStart?: number | ArrayLike<number> | undefined;
  keyMask?: ReferenceTensor | undefined;
  /** Has no effect here: since nothing is checked, a short mask always hides the keys beyond it. */
  shortMask?: "error" | "hide" | undefined;
  causal?: boolean | "lower-right" | "upper-left" | undefined;
  queryOffset?: number | ArrayLike<number> | undefined;
  window?: number | readonly [number | undefined, number | undefined] | undefined;
  sinkTokens?: number | undefined;
  queryLengths?: ArrayLike<number> | undefined;
  keyLengths?: ArrayLike<number> | undefined;
  keyStarts?: ArrayLike<number> | undefined;
  cuSeqlensQ?: ArrayLike<number> | undefined;
  cuSeqlensK?: ArrayLike<number> | undefined;
  sinks?: ReferenceTensor | undefined;
  /** Factors on the distance between row and key [numHeads] or [batch, numHeads]. */
  alibiSlopes?: ReferenceTensor | undefined;
  /** One number for each distance key − row [numHeads or 1, distances]. */
  relativeBias?: ReferenceTensor | undefined;
  /** Where distance 0 lies in `relativeBias` and `relativeKeys`. Default (distances − 1) / 2. */
  relativeZero?: number | undefined;
  /** A key for each distance [distances, numHeads or 1, headDim]. */
  relativeKeys?: ReferenceTensor | undefined;
  /** Added to q where it meets k, and where it meets relativeKeys [numHeads, headDim]. */
  contentBias?: ReferenceTensor | undefined;
  positionBias?: ReferenceTensor | undefined;
  logSumExp?: Place | undefined;
  weights?: Place | undefined;
  /** The heads and rows, from the first to before the last, that `weights` holds. Default all. */
  weightsRange?: { heads?: readonly [number, number] | undefined; rows?: readonly [number, number] | undefined } | undefined;
  scores?: Place | undefined;
  scoresStage?: "scaled" | "capped" | "biased" | undefined;
  /** The n keys of the largest weights [batch, numHeads, seqLen, n]. */
  topKeys?: { readonly indices: Place; readonly weights: Place } | undefined;
  entropy?: Place | undefined;
  largestWeight?: Place | undefined;
  keyWeights?: Place | undefined;
}
