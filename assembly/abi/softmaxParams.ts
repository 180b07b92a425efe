/**
 * The structs of softmax, which several files read.
 *
 * Every field takes 4 bytes; `scripts/abi.mjs` writes their TypeScript side. Addresses are in bytes, strides in elements.
 */

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
