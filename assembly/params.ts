/**
 * The structs through which TypeScript describes one call. Every field takes 4 bytes; `src/runtime/params.ts` lists the same
 * names in the same order, and a test compares the two. Addresses are in bytes, strides in elements.
 */

/** One sequence: a batch entry's, or one of several that are packed in one entry. */
@unmanaged
export class SequenceParams {
  /** The entry. */
  batch: usize;

  /** Row of the entry that is its row 0. */
  queryStart: usize;
  /** Rows that get a result. */
  queryRows: usize;
  /** Rows that count; those beyond see no key. */
  queryLength: i32;
  /** Position of row 0. */
  queryOffset: i32;

  /** Key of the entry that is its key 0. Positions count from there too. */
  keyStart: usize;
  /** Keys that there are. */
  keyRows: usize;
  /** Keys that count. */
  keyLength: i32;
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
  sinks: usize;
  logSumExp: usize;
  weights: usize;
  scores: usize;

  /** SequenceParams[] */
  sequences: usize;
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
  /** Keys before and after the row's position that the window reaches, −1 for all. */
  windowLeft: i32;
  windowRight: i32;
  /** First keys that the window does not hide. */
  sinkTokens: i32;

  /** What `scores` receives, see ScoresStage. */
  scoresStage: i32;
  /** Height of the register tiles, 4 or 6: changes the speed and no bit. */
  stripRows: usize;

  // Of split.ts only
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

/** An activation function of each element. */
@unmanaged
export class ActivateParams {
  x: usize;
  /** What each result is multiplied by; 0 where absent. */
  gate: usize;
  /** May be x. */
  out: usize;
  /** Elements. */
  count: usize;
  /** Which function, see `activations.ts`. */
  kind: i32;
}

/** Softmax along an axis of x [outer axes, length, inner axes]. */
@unmanaged
export class SoftmaxParams {
  x: usize;
  /** May be x. */
  out: usize;
  // 0 where absent
  mask: usize;
  bias: usize;

  /** AxisParams[numOuterAxes] */
  outerAxes: usize;
  numOuterAxes: usize;
  /** AxisParams[numInnerAxes] */
  innerAxes: usize;
  numInnerAxes: usize;

  /** Elements along the axis. */
  length: usize;
  /** How many of them mask and bias reach; those beyond are hidden. */
  covered: usize;
  /** Elements from one to the next: the product of the inner axes. */
  inner: usize;
  // Along the axis, 0 where it is broadcast
  maskStride: usize;
  biasStride: usize;

  /** Factor on x. */
  scale: f32;
  /** 1: logarithms. */
  isLog: i32;
}

/** One axis of x, as mask and bias have it: strides are 0 where it is broadcast. */
@unmanaged
export class AxisParams {
  size: usize;
  maskStride: usize;
  biasStride: usize;
}

/** Normalization of rows. */
@unmanaged
export class NormalizeParams {
  x: usize;
  /** May be x. */
  out: usize;
  // [length], 0 where absent
  weight: usize;
  bias: usize;
  /** Elements of a row. */
  length: usize;
  /** Added to the mean square. */
  eps: f32;
  /** 1: the mean is subtracted first, as layer norm does. */
  isCentered: i32;
}

/** Cosines and sines of rotary embeddings. */
@unmanaged
export class RotaryTablesParams {
  // [rows, pairs]
  cos: usize;
  sin: usize;
  /** i32[rows]; 0 where a row's index is its position. */
  positions: usize;
  /** f64[pairs] */
  frequencies: usize;
  /** Half of the channels that turn. */
  pairs: usize;
}

/** Rotary embeddings of rows. */
@unmanaged
export class RotaryParams {
  x: usize;
  /** May be x. */
  out: usize;
  // [rows of the tables, rotaryDim / 2]
  cos: usize;
  sin: usize;
  /** Which row of the tables each row takes: u32[batchSize, seqLen]. */
  tableRows: usize;

  seqLen: usize;
  numHeads: usize;
  headDim: usize;
  /** Channels that turn, an even number. */
  rotaryDim: usize;

  xRowStride: usize;
  xHeadStride: usize;
  xBatchStride: usize;
  outRowStride: usize;
  outHeadStride: usize;
  outBatchStride: usize;

  /** 1: pairs are neighbours, otherwise half of rotaryDim apart. */
  isInterleaved: i32;
  /** 1: back. */
  isInverse: i32;
}

/** Linear attention. */
@unmanaged
export class LinearParams {
  q: usize;
  k: usize;
  v: usize;
  out: usize;

  // 0 where absent
  /** Bytes [batchSize, kvLen], other than 0 for keys that count. */
  mask: usize;
  /** Logarithms of what a head's state is multiplied by at each position. */
  decay: usize;
  /** Share of the way that a delta rule goes towards a value, at each position. */
  beta: usize;
  /** Random projections [numKvHeads, ⌈featureDim / 8⌉, headDim, 8], for FAVOR only. */
  projections: usize;
  /** States of heads [batchSize, numKvHeads], see linearState.ts; without them every sequence begins with an empty one. */
  states: usize;

  /** i32 [batchSize]: keys that count. */
  keyLengths: usize;
  /** i32 [batchSize]: keys in the open chunk of a sequence's states. */
  openKeys: usize;

  /** See featureMaps.ts. */
  featureMap: i32;
  causal: i32;
  isNormalized: i32;
  isDelta: i32;
  /** Elements of a decay: 0 without, 1 for a whole head, or headDim. */
  decayDim: usize;
  /** Added to the normalizer. */
  eps: f32;
  /** Factor on φ(q). */
  scale: f32;

  seqLen: usize;
  kvLen: usize;
  /** Heads of q, of k, and of v, which are those of the states. */
  numHeads: usize;
  numKeyHeads: usize;
  numKvHeads: usize;
  headDim: usize;
  /** Elements of φ(q) and φ(k). */
  featureDim: usize;
  valueDim: usize;
  /** Keys in a chunk, at most BLOCK. */
  chunkSize: usize;
  /** Ranges of value columns into which a head is cut; 1 where there are states. */
  columnRanges: usize;
  /** Height of the register tiles, 4 or 6: changes the speed and no bit. */
  stripRows: usize;

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
  maskBatchStride: usize;
  decayRowStride: usize;
  decayHeadStride: usize;
  decayBatchStride: usize;
  betaRowStride: usize;
  betaHeadStride: usize;
  betaBatchStride: usize;
}

/** The stage at which scores are handed out. */
export const enum ScoresStage {
  SCALED = 0,
  CAPPED = 1,
  BIASED = 2,
}

/** Matrix products out = activation(a · b + bias) of the same sizes. */
@unmanaged
export class MatmulParams {
  /** MatmulEntry[numEntries] */
  entries: usize;
  numEntries: usize;
  /** [columns], 0 where absent */
  bias: usize;

  rows: usize;
  columns: usize;
  /** Steps of each sum. */
  depth: usize;

  aRowStride: usize;
  bRowStride: usize;
  outRowStride: usize;

  /** Whether a lies as [depth, rows]. */
  isATransposed: i32;
  /** Whether b lies as [columns, depth]. */
  isBTransposed: i32;
  /** Whether b is a packed matrix. */
  isPacked: i32;
  /** Whether the sums begin with what out holds. */
  accumulate: i32;
  /** Number of the activation plus 1, 0 for none. */
  activation: i32;

  /** Height of the register tiles, as in AttentionParams. */
  stripRows: usize;
  /** Rows of a unit, a multiple of stripRows. */
  unitRows: usize;
  /** Columns of a unit, a multiple of 8. */
  unitColumns: usize;
}

/** One of them. */
@unmanaged
export class MatmulEntry {
  a: usize;
  b: usize;
  out: usize;
}
