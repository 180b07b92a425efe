/**
 * The structs of what a multi-head layer does to its heads between attention and the output projection.
 *
 * Every field takes 4 bytes; `src/runtime/params.ts` lists the same names in the same order, and a test compares the two. Addresses
 * are in bytes.
 */

/** A factor on each head. */
@unmanaged
export class GateParams {
  /** [rows, numHeads, valueDim]; multiplied in place. */
  heads: usize;
  /** [numHeads] */
  gates: usize;
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
  numHeads: usize;
  seqLen: usize;
  kvLen: usize;
}
