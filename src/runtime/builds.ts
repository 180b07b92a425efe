import type { BUILDS } from "./abi.generated.js";

/** The compiled variants of the kernels. */
export type Build = (typeof BUILDS)[number];

/**
 * Height of the register tile. Sapphire Rapids, 12 × 1024 × 64, GFLOP/s with 4 and with 6 rows: simd, Node 20: 34 and 31; simd,
 * Node 24: 33 and 33; relaxed, Node 22: 41 and 42; relaxed, Node 24: 40 and 45. No bit of a result depends on it.
 */
export const STRIP_ROWS: Record<Build, number> = { debug: 4, simd: 4, relaxed: 6, wide: 6 };
