/**
 * The structs of calls that process rows one by one.
 *
 * Every field takes 4 bytes; `scripts/abi.mjs` writes their TypeScript side. Addresses are in bytes, strides in elements.
 */

/** The functions. */
export const enum Activation {
  GELU = 0,
  GELU_TANH = 1,
  SILU = 2,
  RELU = 3,
  TANH = 4,
  SIGMOID = 5,
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

  /** The product of the outer axes. */
  outer: usize;
  /** Elements along the axis. */
  length: usize;
  /** How many of them mask and bias cover; those beyond are hidden. */
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

/** One axis of x under mask and bias: strides are 0 where it is broadcast. */
@unmanaged
export class AxisParams {
  size: usize;
  maskStride: usize;
  biasStride: usize;
}

/** Cosines and sines of rotary embeddings. */
@unmanaged
export class RotaryTablesParams {
  // [rows, pairs]
  cos: usize;
  sin: usize;
  /** i32[rows]; 0 if a row's index is its position. */
  positions: usize;
  /** f64[pairs] */
  frequencies: usize;
  rows: usize;
  /** Pairs of channels to rotate. */
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

  batchSize: usize;
  seqLen: usize;
  numHeads: usize;
  headDim: usize;
  /** Number of channels to rotate, even. */
  rotaryDim: usize;

  xRowStride: usize;
  xHeadStride: usize;
  xBatchStride: usize;
  outRowStride: usize;
  outHeadStride: usize;
  outBatchStride: usize;

  /** 1: pairs are neighbours, otherwise half of rotaryDim apart. */
  isInterleaved: i32;
  /** 1: rotate back. */
  isInverse: i32;
}
