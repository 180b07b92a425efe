/** Sizes of one attention call: those of q, k and v. */
import { counted, show, wrongValue } from "../check.js";
import type { Layout, Sizes } from "../call/layout.js";
import { sizesOf } from "../call/layout.js";
import type { Operand } from "../call/operand.js";

export interface AttentionShape {
  readonly batchSize: number;
  readonly seqLen: number;
  readonly kvLen: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly valueDim: number;
  /** Sizes of the output, in the layout and rank of q. */
  readonly outDims: readonly number[];
  /** The leading axes of logSumExp, weights and scores: [batch, numHeads]; with rank 2, [numHeads] or (one head) none. */
  readonly headDims: readonly number[];
}

/**
 * Sizes of q, k and v together.
 * @throws {RangeError} sizes that do not fit together
 * @internal
 */
export function attentionShape(operation: string, q: Operand, k: Operand, v: Operand, layout: Layout): AttentionShape {
  const query = sizesOf(operation, q, layout);
  const key = sizesOf(operation, k, layout);
  const value = sizesOf(operation, v, layout);
  const equal = (tensor: Operand, size: string, found: number, other: Operand, expected: number): void => {
    if (found !== expected) {
      throw wrongValue(
        operation,
        `"${tensor.name}" has ${size} ${found}, expected ${expected} (${other.name} has dims ${show(other.dims)})`,
      );
    }
  };
  equal(k, "rank", k.dims.length, q, q.dims.length);
  equal(v, "rank", v.dims.length, q, q.dims.length);
  equal(k, "batch", key.batch, q, query.batch);
  equal(v, "batch", value.batch, q, query.batch);
  equal(k, "headDim", key.channels, q, query.channels);
  equal(v, "kvLen", value.rows, k, key.rows);
  equal(v, "numKvHeads", value.heads, k, key.heads);
  for (const [tensor, sizes] of [
    [q, query],
    [k, key],
    [v, value],
  ] as const) {
    if (sizes.heads < 1)
      throw wrongValue(operation, `"${tensor.name}" has no heads (dims ${show(tensor.dims)}), expected at least 1`);
    if (sizes.channels < 1)
      throw wrongValue(operation, `"${tensor.name}" has 0 elements a head (dims ${show(tensor.dims)}), expected at least 1`);
  }
  if (query.heads % key.heads !== 0) {
    throw wrongValue(
      operation,
      `"q" has ${counted(query.heads, "head")}, expected a multiple of the ${key.heads} that k has (k has dims ${show(k.dims)})`,
    );
  }
  return shapeOf(q.dims, query, key, value.channels);
}

/** The keys of a cache, as a call sees them. */
export interface CachedKeys {
  readonly batchSize: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly valueDim: number;
  readonly isInt8: boolean;
  /** Keys of each sequence. */
  readonly lengths: readonly number[];
  readonly blocksPerSequence: number;
  /** Writes the addresses of the blocks [batchSize, blocksPerSequence] from `word` on. */
  writeBlocks(i32: Int32Array, word: number): void;
}

/** The sizes of a cache. */
export type CacheSizes = Pick<CachedKeys, "batchSize" | "numKvHeads" | "headDim" | "valueDim">;

/**
 * Rows of k and v for each sequence of a cache.
 * @throws {RangeError} sizes that do not fit the cache
 * @internal
 */
export function cachedRows(operation: string, k: Operand, v: Operand, sizes: CacheSizes, layout: Layout): number {
  const key = sizesOf(operation, k, layout);
  const value = sizesOf(operation, v, layout);
  const expect = (tensor: Operand, size: string, found: number, expected: number, whose: string): void => {
    if (found === expected) return;
    throw wrongValue(
      operation,
      `"${tensor.name}" has ${size} ${found}, expected ${expected}${whose} (${tensor.name} has dims ${show(tensor.dims)})`,
    );
  };
  for (const [tensor, { batch, heads }] of [[k, key] as const, [v, value] as const]) {
    expect(tensor, "batch", batch, sizes.batchSize, ", as in the cache");
    expect(tensor, "numKvHeads", heads, sizes.numKvHeads, ", as in the cache");
  }
  expect(k, "headDim", key.channels, sizes.headDim, ", as in the cache");
  expect(v, "valueDim", value.channels, sizes.valueDim, ", as in the cache");
  expect(v, "seqLen", value.rows, key.rows, ", as in k");
  return key.rows;
}

/**
 * Sizes of q and a cache together.
 * @throws {RangeError} sizes that do not fit together
 * @internal
 */
export function cachedShape(operation: string, q: Operand, cache: CachedKeys, layout: Layout): AttentionShape {
  const { batchSize, numKvHeads, headDim, valueDim, lengths } = cache;
  const query = sizesOf(operation, q, layout);
  const problem = (what: string): RangeError => wrongValue(operation, `"q" has ${what} (q has dims ${show(q.dims)})`);
  if (query.batch !== batchSize) throw problem(`batch ${query.batch}, expected ${batchSize}, as in the cache`);
  if (query.channels !== headDim) throw problem(`headDim ${query.channels}, expected ${headDim}, as in the cache`);
  if (query.heads < 1 || query.heads % numKvHeads !== 0) {
    throw problem(`${counted(query.heads, "head")}, expected a multiple of the cache's numKvHeads ${numKvHeads}`);
  }
  return shapeOf(
    q.dims,
    query,
    { batch: batchSize, rows: lengths.reduce((most, length) => Math.max(most, length), 0), heads: numKvHeads, channels: headDim },
    valueDim,
  );
}

function shapeOf(qDims: readonly number[], query: Sizes, key: Sizes, valueDim: number): AttentionShape {
  return {
    batchSize: query.batch,
    seqLen: query.rows,
    kvLen: key.rows,
    numHeads: query.heads,
    numKvHeads: key.heads,
    headDim: query.channels,
    valueDim,
    outDims: [...qDims.slice(0, -1), valueDim],
    headDims: qDims.length === 2 ? [] : [query.batch, query.heads],
  };
}
