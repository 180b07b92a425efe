/** Sizes that kernels, packing and scratch agree on. */

/** Keys or value columns in a panel, and query rows in a packed strip: two vectors of four. */
// @ts-ignore: decorator
@inline
export const PANEL: usize = 8;

/** Bytes of one step through a panel. */
// @ts-ignore: decorator
@inline
export const PANEL_BYTES: usize = PANEL << 2;

/**
 * Keys in a block, counted from the first key of a sequence: running maximum and sum advance block by block, so its size
 * affects the bits of results. 512 scores for each of 6 rows are 12 KiB, which stay in L1 beside one panel of values.
 * 256, 512 and 1024 differ by less than 2 % on Sapphire Rapids at 12 × 1024 × 64.
 */
// @ts-ignore: decorator
@inline
export const BLOCK: usize = 512;

/**
 * Steps that a product adds in one chain; then the chain is added to the sum. It affects the bits of products. The error grows with the
 * root of its length: `docs/decisions/0007-the-matrix-product.md` has the errors and what the ends of chains cost.
 */
// @ts-ignore: decorator
@inline
export const CHAIN: usize = 128;

/** Steps of a block of a product: whole chains, and as many as a row of weights holds. */
// @ts-ignore: decorator
@inline
export const K_BLOCK: usize = 512;

/** Bytes between the rows that multiplyStrip writes and accumulateRows reads: each has room for a block. */
// @ts-ignore: decorator
@inline
export const ROW_BYTES: usize = BLOCK << 2;

/** Most query rows in a strip, as in the tallest register tile. */
// @ts-ignore: decorator
@inline
export const MAX_STRIP_ROWS: usize = 6;

/** Height of the tile for a strip of `rows` rows. */
// @ts-ignore: decorator
@inline
export function tileRowsFor(rows: usize): usize {
  return rows == 1 ? 1 : rows <= 4 ? 4 : MAX_STRIP_ROWS;
}

/**
 * Strips in a band. No bit of a result depends on it. Granite Rapids, relaxed, time relative to strips one by one: 1024 keys 1.00,
 * 4096 0.93, 8192 0.90; with 4 strips 0.94 and 0.91.
 */
// @ts-ignore: decorator
@inline
export const BAND_STRIPS: usize = 8;

/** Bytes of a cache line. */
// @ts-ignore: decorator
@inline
export const LINE: usize = 64;

/** Rounds up to whole cache lines. */
// @ts-ignore: decorator
@inline
export function wholeLines(bytes: u64): u64 {
  return (bytes + (LINE - 1)) & ~(<u64>(LINE - 1));
}

/** Rounds up to whole panels. */
// @ts-ignore: decorator
@inline
export function ceilPanel(n: usize): usize {
  return (n + (PANEL - 1)) & ~(PANEL - 1);
}

/** Rounds down to the first element of a panel. */
// @ts-ignore: decorator
@inline
export function floorPanel(n: usize): usize {
  return n & ~(PANEL - 1);
}

/** Rounds down to the first key of a block. */
// @ts-ignore: decorator
@inline
export function floorBlock(n: usize): usize {
  return n & ~(BLOCK - 1);
}

/** Rounds up to whole blocks. */
// @ts-ignore: decorator
@inline
export function ceilBlock(n: usize): usize {
  return (n + (BLOCK - 1)) & ~(BLOCK - 1);
}
