/**
 * The structs of `assembly/*Params.ts`: the same fields in the same order, 4 bytes each. A test compiles the two against each other.
 */

type FieldType = "usize" | "i32" | "f32";

export const SEQUENCE_PARAMS = {
  batch: "usize",
  queryStart: "usize",
  queryRows: "usize",
  queryLength: "i32",
  queryOffset: "i32",
  keyStart: "usize",
  keyRows: "usize",
  keyLength: "i32",
  extraStart: "usize",
  extraEnd: "usize",
} as const satisfies Record<string, FieldType>;

export const ATTENTION_PARAMS = {
  q: "usize",
  k: "usize",
  v: "usize",
  out: "usize",
  mask: "usize",
  bias: "usize",
  sinks: "usize",
  logSumExp: "usize",
  weights: "usize",
  scores: "usize",
  sequences: "usize",
  blocks: "usize",
  isInt8: "i32",
  seqLen: "usize",
  kvLen: "usize",
  maxKvLen: "usize",
  numHeads: "usize",
  numKvHeads: "usize",
  headDim: "usize",
  valueDim: "usize",
  qRowStride: "usize",
  qHeadStride: "usize",
  qBatchStride: "usize",
  kRowStride: "usize",
  kHeadStride: "usize",
  kBatchStride: "usize",
  vRowStride: "usize",
  vHeadStride: "usize",
  vBatchStride: "usize",
  outRowStride: "usize",
  outHeadStride: "usize",
  outBatchStride: "usize",
  maskKeyStride: "usize",
  maskRowStride: "usize",
  maskHeadStride: "usize",
  maskBatchStride: "usize",
  biasKeyStride: "usize",
  biasRowStride: "usize",
  biasHeadStride: "usize",
  biasBatchStride: "usize",
  scale: "f32",
  softcap: "f32",
  causal: "i32",
  windowLeft: "i32",
  windowRight: "i32",
  sinkTokens: "i32",
  scoresStage: "i32",
  stripRows: "usize",
  sharedScores: "usize",
  columnRanges: "usize",
} as const satisfies Record<string, FieldType>;

export const CACHE_PARAMS = {
  k: "usize",
  v: "usize",
  blocks: "usize",
  isInt8: "i32",
  spans: "usize",
  keyScales: "usize",
  valueScales: "usize",
  batchSize: "usize",
  blocksPerSequence: "usize",
  numKvHeads: "usize",
  headDim: "usize",
  valueDim: "usize",
  kRowStride: "usize",
  kHeadStride: "usize",
  kBatchStride: "usize",
  vRowStride: "usize",
  vHeadStride: "usize",
  vBatchStride: "usize",
} as const satisfies Record<string, FieldType>;

export const MERGE_PARAMS = {
  parts: "usize",
  numParts: "usize",
  out: "usize",
  logSumExp: "usize",
  batchSize: "usize",
  seqLen: "usize",
  numHeads: "usize",
  valueDim: "usize",
  rowStride: "usize",
  headStride: "usize",
  batchStride: "usize",
} as const satisfies Record<string, FieldType>;

export const MERGE_PART = { out: "usize", logSumExp: "usize" } as const satisfies Record<string, FieldType>;

export const MATMUL_PARAMS = {
  entries: "usize",
  numEntries: "usize",
  bias: "usize",
  rows: "usize",
  columns: "usize",
  depth: "usize",
  aRowStride: "usize",
  bRowStride: "usize",
  outRowStride: "usize",
  isATransposed: "i32",
  isBTransposed: "i32",
  isPacked: "i32",
  accumulate: "i32",
  activation: "i32",
  stripRows: "usize",
  unitRows: "usize",
  unitColumns: "usize",
} as const satisfies Record<string, FieldType>;

export const MATMUL_ENTRY = { a: "usize", b: "usize", out: "usize" } as const satisfies Record<string, FieldType>;
export const ACTIVATE_PARAMS = { x: "usize", gate: "usize", out: "usize", count: "usize", kind: "i32" } as const satisfies Record<
  string,
  FieldType
>;

export const GATE_PARAMS = { heads: "usize", gates: "usize", numHeads: "usize", valueDim: "usize" } as const satisfies Record<
  string,
  FieldType
>;

export const AVERAGE_PARAMS = {
  weights: "usize",
  out: "usize",
  numHeads: "usize",
  seqLen: "usize",
  kvLen: "usize",
} as const satisfies Record<string, FieldType>;

export const SOFTMAX_PARAMS = {
  x: "usize",
  out: "usize",
  mask: "usize",
  bias: "usize",
  outerAxes: "usize",
  numOuterAxes: "usize",
  innerAxes: "usize",
  numInnerAxes: "usize",
  length: "usize",
  covered: "usize",
  inner: "usize",
  maskStride: "usize",
  biasStride: "usize",
  scale: "f32",
  isLog: "i32",
} as const satisfies Record<string, FieldType>;

export const AXIS_PARAMS = { size: "usize", maskStride: "usize", biasStride: "usize" } as const satisfies Record<string, FieldType>;

export const NORMALIZE_PARAMS = {
  x: "usize",
  out: "usize",
  weight: "usize",
  bias: "usize",
  length: "usize",
  eps: "f32",
  isCentered: "i32",
} as const satisfies Record<string, FieldType>;

export const ROTARY_TABLES_PARAMS = {
  cos: "usize",
  sin: "usize",
  positions: "usize",
  frequencies: "usize",
  pairs: "usize",
} as const satisfies Record<string, FieldType>;

export const ROTARY_PARAMS = {
  x: "usize",
  out: "usize",
  cos: "usize",
  sin: "usize",
  tableRows: "usize",
  seqLen: "usize",
  numHeads: "usize",
  headDim: "usize",
  rotaryDim: "usize",
  xRowStride: "usize",
  xHeadStride: "usize",
  xBatchStride: "usize",
  outRowStride: "usize",
  outHeadStride: "usize",
  outBatchStride: "usize",
  isInterleaved: "i32",
  isInverse: "i32",
} as const satisfies Record<string, FieldType>;

export const LINEAR_PARAMS = {
  q: "usize",
  k: "usize",
  v: "usize",
  out: "usize",
  mask: "usize",
  decay: "usize",
  beta: "usize",
  projections: "usize",
  states: "usize",
  keyLengths: "usize",
  openKeys: "usize",
  featureMap: "i32",
  causal: "i32",
  isNormalized: "i32",
  isDelta: "i32",
  decayDim: "usize",
  eps: "f32",
  scale: "f32",
  seqLen: "usize",
  kvLen: "usize",
  numHeads: "usize",
  numKeyHeads: "usize",
  numKvHeads: "usize",
  headDim: "usize",
  featureDim: "usize",
  valueDim: "usize",
  chunkSize: "usize",
  columnRanges: "usize",
  stripRows: "usize",
  qRowStride: "usize",
  qHeadStride: "usize",
  qBatchStride: "usize",
  kRowStride: "usize",
  kHeadStride: "usize",
  kBatchStride: "usize",
  vRowStride: "usize",
  vHeadStride: "usize",
  vBatchStride: "usize",
  outRowStride: "usize",
  outHeadStride: "usize",
  outBatchStride: "usize",
  maskBatchStride: "usize",
  decayRowStride: "usize",
  decayHeadStride: "usize",
  decayBatchStride: "usize",
  betaRowStride: "usize",
  betaHeadStride: "usize",
  betaBatchStride: "usize",
} as const satisfies Record<string, FieldType>;

export const KEY_SPAN = { first: "usize", end: "usize" } as const satisfies Record<string, FieldType>;

export type SequenceParams = Record<keyof typeof SEQUENCE_PARAMS, number>;
export type AttentionParams = Record<keyof typeof ATTENTION_PARAMS, number>;

export type CacheParams = Record<keyof typeof CACHE_PARAMS, number>;
export type LinearParams = Record<keyof typeof LINEAR_PARAMS, number>;

/** Bytes of a struct. */
export const sizeOf = (layout: Record<string, FieldType>): number => 4 * Object.keys(layout).length;

export const SEQUENCE_BYTES = sizeOf(SEQUENCE_PARAMS);

/** Writes the structs of sequences from `word` on: all fields are integers. Each call does it, so without a loop over fields. */
export function writeSequences(i32: Int32Array, word: number, sequences: readonly SequenceParams[]): void {
  for (const sequence of sequences) {
    const { batch, queryStart, queryRows, queryLength, queryOffset, keyStart, keyRows, keyLength, extraStart, extraEnd } = sequence;
    i32[word++] = batch;
    i32[word++] = queryStart;
    i32[word++] = queryRows;
    i32[word++] = queryLength;
    i32[word++] = queryOffset;
    i32[word++] = keyStart;
    i32[word++] = keyRows;
    i32[word++] = keyLength;
    i32[word++] = extraStart;
    i32[word++] = extraEnd;
  }
}

/** The stages at which scores are handed out, in the order of their numbers. */
export const SCORES_STAGES = ["scaled", "capped", "biased"] as const;
/** A stage of the scores: scale · q·k, after the softcap, after bias and masks. */
export type ScoresStage = (typeof SCORES_STAGES)[number];

/** Writes a struct to the byte address `ptr`. */
export function writeStruct<L extends Record<string, FieldType>>(
  memory: { readonly i32: Int32Array; readonly f32: Float32Array },
  ptr: number,
  layout: L,
  values: Record<keyof L, number>,
): void {
  const { i32, f32 } = memory;
  let word = ptr >>> 2;
  for (const field in layout) {
    if (layout[field] === "f32") f32[word++] = values[field];
    else i32[word++] = values[field]; // an address above 2³¹ keeps its bits
  }
}
