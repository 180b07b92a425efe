/**
 * The structs of a multi-head layer's operations on heads between attention and the output projection.
 *
 * Every field takes 4 bytes. Addresses are in bytes.
 */

/** A factor on each head. */
@unmanaged
export class GateParams {
  /** [rows, numHeads, valueDim]; multiplied in place. */
  heads: usize;
  /** [numHeads] */
  gates: usize;
  rows: usize;
  numHeads: usize;
  valueDim: usize;
}

/** Means over heads. */
@unmanaged
export class AverageParams {
  /** [batchSize, numHeads, seqLen, kvLen] */
  weights: usize;
  /** [batchSize, seqLen, kvLen] */
  out: usize;
  batchSize: usize;
  numHeads: usize;
  seqLen: usize;
  kvLen: usize;
}
