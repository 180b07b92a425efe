/** The order of a tensor's axes: its sizes and strides, whatever the layout. */
import { counted, integer, MAX_POSITION, optional, show, wrongValue } from "../check.js";
import type { Operand } from "./operand.js";

export const LAYOUTS = ["bshd", "bhsd", "sbhd"] as const;
/** Order of axes: [batch, seq, heads, headDim], [batch, heads, seq, headDim] or [seq, batch, heads, headDim]. */
export type Layout = (typeof LAYOUTS)[number];

/** Distances in elements. */
export interface Strides {
  readonly row: number;
  readonly head: number;
  readonly batch: number;
}
export const NO_STRIDES: Strides = { row: 0, head: 0, batch: 0 };

/** One tensor's sizes, whatever the layout. */
export interface Sizes {
  readonly batch: number;
  readonly rows: number;
  readonly heads: number;
  readonly channels: number;
}

/** The first three sizes in the order of a layout. */
export const inOrder = <T>(layout: Layout, b: T, s: T, h: T): T[] =>
  Array.from(layout.slice(0, 3), (axis) => ({ b, s, h })[axis as "b"]);

/** Reads an option that says how many heads rows have, where it is given. */
export const headsOption = (operation: string, name: string, value: unknown): number | undefined =>
  optional(value, (given) => integer(operation, name, given, 1, MAX_POSITION));

/**
 * Sizes of a tensor in a layout.
 *
 * @param numHeads  heads of its rows, by which rank 3 is split; undefined if nobody said it
 * @internal
 */
export function sizesOf(operation: string, { name, dims }: Operand, layout: Layout, numHeads?: number): Sizes {
  const rank = dims.length;
  const at = (axis: string): number => dims[layout.indexOf(axis)]!;
  const problem = (what: string): RangeError => wrongValue(operation, `"${name}" has ${what}`);
  const isSplit = rank === 3 && numHeads !== undefined && layout !== "bhsd";
  if (rank !== 2 && rank !== 4 && !isSplit) {
    const axes = inOrder(layout, "batch", "seq", "heads").join(", ");
    const needed = [numHeads === undefined ? '"numHeads"' : "", layout === "bhsd" ? 'layout "bshd"' : ""].filter(Boolean);
    const hint = `; give ${needed.join(" and ")} for rows of numHeads · headDim`;
    throw problem(`dims ${show(dims)}, expected [${axes}, headDim] or [seq, headDim]${rank === 3 ? hint : ""}`);
  }
  const [batch, rows] = rank === 2 ? [1, dims[0]!] : [at("b"), at("s")];
  const heads = rank === 2 ? 1 : isSplit ? numHeads : at("h");
  const channels = isSplit ? dims[2]! / heads : dims.at(-1)!;
  if (heads === (numHeads ?? heads) && Number.isInteger(channels)) return { batch, rows, heads, channels };
  throw problem(`dims ${show(dims)}, expected rows of ${counted(numHeads!, "head")}`);
}

/**
 * Refuses a size of a tensor that differs from another; `why` says whose that is.
 * @internal
 */
export function expectSize(
  operation: string,
  { name }: Operand,
  size: string,
  found: number,
  expected: number,
  why: () => string,
): void {
  if (found !== expected) throw wrongValue(operation, `"${name}" has ${size} ${found}, expected ${expected} (${why()})`);
}

/**
 * Strides of rows of heads in the engine's memory, of `channels` elements each.
 * @internal
 */
export function stridesOf({ dims, strides, isOutside }: Operand, layout: Layout, channels: number): Strides {
  const rank = dims.length;
  const own = isOutside ? undefined : strides;
  const along = (axis: number): number => own?.[axis] ?? countAfter(dims, axis);
  const at = (axis: string): number => along(layout.indexOf(axis));
  return rank === 2
    ? { row: along(0), head: 0, batch: 0 }
    : { batch: at("b"), row: at("s"), head: rank === 3 ? channels : at("h") };
}

/**
 * Elements from one index of an axis to the next where nothing lies between them; 0 where there is one, which serves all rows or heads.
 * Alone, not from a list of all strides: small calls spend a part of their time on such lists.
 */
function countAfter(dims: readonly number[], axis: number): number {
  if (dims[axis] === 1) return 0;
  let count = 1;
  for (let inner = axis + 1; inner < dims.length; inner++) count *= dims[inner]!;
  return count;
}
