/** The sizes and strides of gates of linear attention: decays and betas. */
import { show, wrongValue } from "../check.js";
import { inOrder, type Layout, NO_STRIDES, type Strides, stridesOf } from "../call/layout.js";
import type { Operand } from "../call/operand.js";
import type { LinearShape } from "./linearShape.js";

/**
 * Strides of a decay or beta, and how many elements it has for a head at a position.
 *
 * @param size  how many it must have; undefined for 1 or headDim
 */
export function gateStrides(
  operation: string,
  gate: Operand | undefined,
  layout: Layout,
  isFlat: boolean,
  { batchSize, kvLen, numKvHeads, headDim }: LinearShape,
  size: number | undefined,
): { size: number; strides: Strides } {
  if (!gate) return { size: 0, strides: NO_STRIDES };
  const { name, dims } = gate;
  const headAxis = isFlat ? undefined : layout.indexOf("h");
  const isFixed = name === "decay" && (size !== headDim || headDim === 1) && fits(dims, [numKvHeads], 0);
  if (isFixed) return { size: 1, strides: { row: 0, head: dims[0] === 1 ? 0 : 1, batch: 0 } };
  const positions = isFlat ? [kvLen] : inOrder(layout, batchSize, kvLen, numKvHeads);
  const wanted =
    size === undefined || (size === 1 && headDim === 1)
      ? [positions, [...positions, headDim]]
      : [size === 1 ? positions : [...positions, size]];
  if (!wanted.some((each) => fits(dims, each, headAxis))) {
    const shared = numKvHeads > 1 ? ` (or 1 in place of the ${numKvHeads} heads)` : "";
    throw wrongValue(operation, `"${name}" has dims ${show(dims)}, expected ${wanted.map(show).join(" or ")}${shared}`);
  }
  const found = dims.length > positions.length ? headDim : 1;
  const strides = stridesOf({ ...gate, dims: [...dims.slice(0, positions.length), found] }, layout, found);
  return { size: found, strides };
}

/** Whether sizes are those that are expected, or have 1 on the axis of heads. */
const fits = (dims: readonly number[], expected: readonly number[], headAxis: number | undefined): boolean =>
  dims.length === expected.length && dims.every((size, axis) => size === expected[axis] || (axis === headAxis && size === 1));
