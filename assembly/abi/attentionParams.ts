/**
 * The structs with which TypeScript describes a call of attention, its caches and merging.
 *
 * Every field takes 4 bytes; `scripts/abi.mjs` writes their TypeScript side. Addresses are in bytes, strides in elements.
 */

/** One sequence: a batch entry's, or one of several that are packed in one entry. */
@unmanaged
export class SequenceParams {
  /** The entry. */
  batch: usize;

  /** The row of the entry at which it begins. */
  queryStart: usize;
  /** Number of rows, each of which gets a result. */
  queryRows: usize;
  /** Number of rows that see keys; those beyond see none. */
  queryLength: i32;
  /** Position of row 0. */
  queryOffset: i32;

  /** The key of the entry at which it begins. Positions count from there too. */
  keyStart: usize;
  /** Number of keys. */
  keyRows: usize;
  /** Number of keys that rows may see. */
  keyLength: i32;

  // Extra keys, which nothing hides from rows that see keys: `extraStart` to `extraEnd` − 1, after all keys of the entry.
  // Both are keyRows if there are none.
  extraStart: usize;
  extraEnd: usize;

  /** The first key that the mask covers, which may lie before the sequence; keys before it are visible. */
  maskStart: i32;
}

/** Scaled dot-product attention. */
@unmanaged
export class AttentionParams {
  q: usize;
  k: usize;
  v: usize;
  out: usize;

  // 0 where absent
  mask: usize;
  bias: usize;
  /** A byte for each key that every row of an entry may see. */
  keyMask: usize;
  sinks: usize;
  /** Factors on q·k [numHeads] instead of `scale`. */
  scales: usize;
  logSumExp: usize;
  weights: usize;
  scores: usize;

  /** SequenceParams[numSequences] */
  sequences: usize;
  numSequences: usize;
  /** Addresses of the blocks of a cache, [sequences, ⌈maxKvLen / BLOCK⌉], instead of k and v; 0 where absent. */
  blocks: usize;
  /** Whether they hold int8. */
  isInt8: i32;

  // Of a batch entry
  seqLen: usize;
  kvLen: usize;
  /** Keys of the longest sequence. */
  maxKvLen: usize;
  numHeads: usize;
  numKvHeads: usize;
  headDim: usize;
  valueDim: usize;

  qRowStride: usize;
  qHeadStride: usize;
  qBatchStride: usize;
  kRowStride: usize;
  kHeadStride: usize;
  kBatchStride: usize;
  vRowStride: usize;
  vHeadStride: usize;
  vBatchStride: usize;
  outRowStride: usize;
  outHeadStride: usize;
  outBatchStride: usize;

  // 0 where the axis is broadcast
  maskKeyStride: usize;
  maskRowStride: usize;
  maskHeadStride: usize;
  maskBatchStride: usize;
  keyMaskBatchStride: usize;
  biasKeyStride: usize;
  biasRowStride: usize;
  biasHeadStride: usize;
  biasBatchStride: usize;

  /** Factor on q·k. */
  scale: f32;
  /** Bound of the scores, 0 for none. */
  softcap: f32;

  /** 1: no key after the row's position. */
  causal: i32;
  /** How many keys before and after the row's position the window includes, −1 for all. */
  windowLeft: i32;
  windowRight: i32;
  /** Number of first keys that the window does not hide. */
  sinkTokens: i32;

  /** The stage of `scores`, see ScoresStage. */
  scoresStage: i32;
  /** Height of the register tiles, 4 or 6: affects speed, not bits. */
  stripRows: usize;

  /** Score */
  score: i32;
  /** Additive scores: one number for each channel, [headDim] of a head. */
  scoreVector: usize;
  scoreVectorHeadStride: usize;
  /** The Activation of additive scores. */
  scoreActivation: i32;

  // Positions, 0 where absent
  /** [numHeads] or [batch, numHeads] */
  alibiSlopes: usize;
  alibiBatchStride: usize;
  /** A bias by the distance key − position: [biasDistances] of a head; index `biasZero` is distance 0, and the ends serve all beyond. */
  relativeBias: usize;
  relativeBiasHeadStride: usize;
  biasDistances: usize;
  biasZero: i32;
  /** A key by the distance: [keyDistances, headDim] of a head. */
  relativeKeys: usize;
  relativeKeysRowStride: usize;
  relativeKeysHeadStride: usize;
  keyDistances: usize;
  keyZero: i32;
  /** Added to the query for keys, and for keys of distances: [numHeads, headDim]. */
  contentBias: usize;
  positionBias: usize;

  // Looks at the weights, 0 where absent
  /** Indices of the keys of a row's largest weights: [batch, numHeads, seqLen, numTopKeys]. */
  topKeys: usize;
  /** Their weights. */
  topWeights: usize;
  numTopKeys: usize;
  /** [batch, numHeads, seqLen] */
  entropy: usize;
  largestWeight: usize;
  /** [batch, numHeads, kvLen]. With it, a unit is all rows of a key/value head. */
  keyWeights: usize;
  /** `weights` has those of these query heads and rows only: [batch, weightsHeads, weightsRows, kvLen]. */
  weightsFirstHead: usize;
  weightsHeads: usize;
  weightsFirstRow: usize;
  weightsRows: usize;

  // A choice of keys
  /** See Choice. */
  choice: i32;
  /** How many of the largest a row keeps. */
  keptKeys: usize;
  /** For samples. */
  seed: usize;
  /** Receives the key that a row picks, −1 for none: [batch, numHeads, seqLen]. 0 where absent. */
  picks: usize;

  // Local attention
  /** How far from its centre a row sees keys, 0 for attention that is not local. */
  halfWidth: f32;
  /** Centres [batch, numHeads, seqLen], 0 where they are the rows' positions. */
  centers: usize;
  /** Whether they are parts of the number of keys. */
  predictsCenters: i32;
  /** See Gaussian. */
  gaussian: i32;

  // For split.ts only
  /** [strips, ⌈maxKvLen / BLOCK⌉, MAX_STRIP_ROWS, BLOCK] */
  sharedScores: usize;
  /** Ranges of value columns into which a strip is cut, at most ⌈valueDim / 8⌉. */
  columnRanges: usize;
}

/** Rows of keys and values on their way into the blocks of a cache, or out of them. */
@unmanaged
export class CacheParams {
  k: usize;
  v: usize;
  /** Addresses of blocks, [batchSize, blocksPerSequence]. */
  blocks: usize;
  /** Whether they hold int8. */
  isInt8: i32;
  /** KeySpan[batchSize] */
  spans: usize;

  // 0 for rows of float32. For rows of int8, of one sequence: [rows, numKvHeads]
  keyScales: usize;
  valueScales: usize;

  batchSize: usize;
  blocksPerSequence: usize;
  numKvHeads: usize;
  headDim: usize;
  valueDim: usize;

  kRowStride: usize;
  kHeadStride: usize;
  kBatchStride: usize;
  vRowStride: usize;
  vHeadStride: usize;
  vBatchStride: usize;
}

/** The keys `first` to `end` − 1 of a sequence; row 0 of k and v is key `first`. */
@unmanaged
export class KeySpan {
  first: usize;
  end: usize;
}

/** The outcome of appending rows to a cache. */
export const enum AppendResult {
  ALL = 0,
  /** No row was taken in: int8 cannot represent a key that is not finite. */
  KEY_NOT_FINITE = 1,
  VALUE_NOT_FINITE = 2,
}

/** Results on disjoint sets of keys, to be merged. */
@unmanaged
export class MergeParams {
  /** MergePart[numParts] */
  parts: usize;
  numParts: usize;
  /** May be the first part's. */
  out: usize;
  /** 0 where absent. May be the first part's. */
  logSumExp: usize;

  batchSize: usize;
  seqLen: usize;
  numHeads: usize;
  valueDim: usize;

  rowStride: usize;
  headStride: usize;
  batchStride: usize;
}

/** Results on one set of keys. */
@unmanaged
export class MergePart {
  out: usize;
  /** [batchSize, numHeads, seqLen] */
  logSumExp: usize;
}

/** Which of the visible keys a row attends to: all, those of the largest scores, or one that is sampled by its weight. */
export const enum Choice {
  ALL = 0,
  LARGEST = 1,
  SAMPLE = 2,
}

/** The use of a Gaussian around a row's centre: none, a factor on weights, or its exponent as a bias. */
export const enum Gaussian {
  NONE = 0,
  FACTOR = 1,
  BIAS = 2,
}

/** The stage at which scores are written. */
export const enum ScoresStage {
  SCALED = 0,
  CAPPED = 1,
  BIASED = 2,
}

/** How the score of a query and a key is made. */
export const enum Score {
  /** q·k */
  PRODUCT = 0,
  /** q·k / (‖q‖ ‖k‖) */
  COSINE = 1,
  /** Σ u φ(q + k) over the channels */
  ADDITIVE = 2,
}
