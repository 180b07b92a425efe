/** Sizes of one attention call: those of q, k and v. */
import { counted, show, wrongValue } from "../check.js";
import type { Layout, Sizes } from "../call/layout.js";
import { expectSize, sizesOf } from "../call/layout.js";
import type { Operand } from "../call/operand.js";

export interface AttentionShape {
  readonly batchSize: number;
  readonly seqLen: number;
  readonly kvLen: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  /** Elements of a key: headDim, unless a score joins rows of two sizes. */
  readonly keyDim: number;
  readonly valueDim: number;
  /** Sizes of the output, in the layout and rank of q. */
  readonly outDims: readonly number[];
  /** The leading axes of logSumExp, weights and scores: [batch, numHeads]; with rank 2, [numHeads] or (one head) none. */
  readonly headDims: readonly number[];
}

/** Elements of a key where they are not those of a query, and what says so. */
export interface KeySize {
  readonly count: number;
  readonly why: string;
}

/** How the rows of q, k and v lie, as the caller says it. */
export interface RowLayout {
  readonly layout: Layout;
  readonly numHeads: number | undefined;
  readonly numKvHeads: number | undefined;
}

/**
 * Sizes of q, k and v together.
 * @throws {RangeError} sizes that do not fit together
 * @internal
 */
export function attentionShape(
  operation: string,
  q: Operand,
  k: Operand,
  v: Operand,
  { layout, numHeads, numKvHeads = k.dims.length === 3 ? numHeads : undefined }: RowLayout,
  keySize?: KeySize,
): AttentionShape {
  const query = sizesOf(operation, q, layout, numHeads);
  const key = sizesOf(operation, k, layout, numKvHeads);
  const value = sizesOf(operation, v, layout, numKvHeads);
  const equal = (tensor: Operand, size: string, found: number, { name, dims }: Operand, expected: number): void =>
    expectSize(operation, tensor, size, found, expected, () => `${name} has dims ${show(dims)}`);
  equal(k, "rank", k.dims.length, q, q.dims.length);
  equal(v, "rank", v.dims.length, q, q.dims.length);
  equal(k, "batch", key.batch, q, query.batch);
  equal(v, "batch", value.batch, q, query.batch);
  if (keySize) expectSize(operation, k, "headDim", key.channels, keySize.count, () => keySize.why);
  else equal(k, "headDim", key.channels, q, query.channels);
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
  return shapeOf(operation, q, query, key, value.channels, () => `k has dims ${show(k.dims)}`);
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
  const { batchSize, numKvHeads, headDim, valueDim } = sizes;
  const rowsOf = (tensor: Operand, size: string, channels: number, rows?: number): number => {
    const found = sizesOf(operation, tensor, layout, tensor.dims.length === 3 ? numKvHeads : undefined);
    const expect = (name: string, one: number, expected: number, whose = "as in the cache"): void =>
      expectSize(operation, tensor, name, one, expected, () => `${whose}; ${tensor.name} has dims ${show(tensor.dims)}`);
    expect("batch", found.batch, batchSize);
    expect("numKvHeads", found.heads, numKvHeads);
    expect(size, found.channels, channels);
    expect("seqLen", found.rows, rows ?? found.rows, "as in k");
    return found.rows;
  };
  return rowsOf(v, "valueDim", valueDim, rowsOf(k, "headDim", headDim));
}

/**
 * Sizes of q and a cache together.
 * @throws {RangeError} sizes that do not fit together
 * @internal
 */
export function cachedShape(
  operation: string,
  q: Operand,
  cache: CachedKeys,
  { layout, numHeads }: Pick<RowLayout, "layout" | "numHeads">,
  keySize?: KeySize,
): AttentionShape {
  const { batchSize, numKvHeads, headDim, valueDim, lengths } = cache;
  const query = sizesOf(operation, q, layout, numHeads);
  const expect = (size: string, found: number, expected: number): void =>
    expectSize(operation, q, size, found, expected, () => `as in the cache; q has dims ${show(q.dims)}`);
  expect("batch", query.batch, batchSize);
  if (!keySize) expect("headDim", query.channels, headDim);
  else if (keySize.count !== headDim) {
    throw wrongValue(operation, `the cache has headDim ${headDim}, expected ${keySize.count} (${keySize.why})`);
  }
  const rows = lengths.reduce((most, length) => Math.max(most, length), 0);
  return shapeOf(
    operation,
    q,
    query,
    { batch: batchSize, rows, heads: numKvHeads, channels: headDim },
    valueDim,
    () => "those of the cache",
  );
}

/** @param whose  the tensor that has the key/value heads */
function shapeOf(
  operation: string,
  { dims }: Operand,
  query: Sizes,
  key: Sizes,
  valueDim: number,
  whose: () => string,
): AttentionShape {
  if (query.heads < 1 || query.heads % key.heads !== 0)
    throw wrongValue(operation, `"q" has ${counted(query.heads, "head")}, expected a multiple of ${key.heads} (${whose()})`);
  return {
    batchSize: query.batch,
    seqLen: query.rows,
    kvLen: key.rows,
    numHeads: query.heads,
    numKvHeads: key.heads,
    headDim: query.channels,
    keyDim: key.channels,
    valueDim,
    outDims: [...dims.slice(0, -1), dims.length === 3 ? query.heads * valueDim : valueDim],
    headDims: dims.length === 2 ? [] : [query.batch, query.heads],
  };
}
