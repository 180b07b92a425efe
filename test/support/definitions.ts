/** Inputs for the definitions of `headwise/reference`. */
import { expect } from "vitest";
import type { ReferenceTensor } from "headwise/reference";
import { largestError } from "./attention.js";
import { countOf, normal } from "./random.js";

export const place = (...dims: number[]) => ({ data: new Float64Array(countOf(dims)), dims });
export const tensor = (...rows: (readonly number[])[]): ReferenceTensor => ({
  data: rows.flat(),
  dims: [rows.length, rows[0]!.length],
});
export const identity = (size: number): ReferenceTensor =>
  tensor(...Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => Number(i === j))));

export function expectNear(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-12): void {
  expect(found.length).toBe(expected.length);
  expect(largestError(found, expected)).toBeLessThanOrEqual(tolerance);
}

export const [BATCH, ROWS, KEYS, HEADS, KV_HEADS, DIM] = [2, 5, 7, 4, 2, 6];
export const q = normal([BATCH, ROWS, HEADS, DIM], 1);
export const k = normal([BATCH, KEYS, KV_HEADS, DIM], 2);
export const v = normal([BATCH, KEYS, KV_HEADS, 3], 3);
