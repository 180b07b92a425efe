/**
 * The structs of a call of linear attention.
 *
 * Every field takes 4 bytes; `scripts/abi.mjs` writes their TypeScript side. Addresses are in bytes, strides in elements.
 */

/** One sequence: a batch entry's, or one of several that are packed in one entry. */
@unmanaged
export class LinearSequenceParams {
  /** The entry. */
  batch: usize;
  /** The row of the entry at which it begins; its keys begin there too. */
  start: usize;
  /** Number of rows, each of which gets a result. */
  rows: usize;
  /** Number of keys that count. */
  keyLength: usize;
  /** Number of keys in the open chunk of its states. */
  openKeys: usize;
}

/** Linear attention. */
@unmanaged
export class LinearParams {
  q: usize;
  k: usize;
  v: usize;
  out: usize;

  // 0 where absent
  /** Bytes [batchSize, kvLen], 0 for keys to ignore. */
  mask: usize;
  /** Logarithms of the factors on a head's state at each position. */
  decay: usize;
  /** How far a delta rule moves towards a value at each position, as a share. */
  beta: usize;
  /** Random projections [numKvHeads, ⌈featureDim / 8⌉, headDim, 8], for FAVOR only. */
  projections: usize;
  /** States of heads [numSequences, numKvHeads], see state.ts; without them every sequence begins with an empty one. */
  states: usize;

  /** LinearSequenceParams[numSequences] */
  sequences: usize;
  numSequences: usize;

  /** FeatureMap */
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
  /** Ranges of value columns into which a head is cut; 1 if there are states. */
  columnRanges: usize;
  /** Height of the register tiles, 4 or 6: affects speed, not bits. */
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

/** The feature maps. */
export const enum FeatureMap {
  IDENTITY = 0,
  ELU = 1, // "elu+1"
  RELU = 2,
  RELU2 = 3,
  EXP = 4,
  SOFTMAX = 5,
  FAVOR = 6, // "favor+"
}
