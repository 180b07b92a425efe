/** Leading axes of several tensors, broadcast against each other: aligned to the right, an axis of 1 stands for any size. */
import { show, wrongValue } from "../check.js";
import { countOf } from "../tensor.js";

/** Leading axes of one tensor. */
interface Leading {
  readonly name: string;
  readonly dims: readonly number[];
}

/** What results: the axes, and for each entry, in order, which entry of each tensor it takes. */
interface Broadcast {
  readonly dims: number[];
  readonly entries: readonly (readonly number[])[];
}

/** @throws {RangeError} sizes that don't fit */
export function broadcastEntries(operation: string, tensors: readonly [Leading, Leading]): Broadcast {
  const rank = Math.max(...tensors.map(({ dims }) => dims.length));
  const sizes = tensors.map(({ dims }) => [...(Array(rank - dims.length).fill(1) as number[]), ...dims]);
  const [first, second] = tensors;
  const dims = Array.from({ length: rank }, (_, axis) => {
    const [a, b] = [sizes[0]![axis]!, sizes[1]![axis]!];
    if (a !== b && a !== 1 && b !== 1) {
      throw wrongValue(
        operation,
        `"${first.name}" and "${second.name}" have leading axes ${show(first.dims)} and ${show(second.dims)}, expected equal sizes or 1`,
      );
    }
    return a === 1 ? b : a;
  });
  const entries = Array.from({ length: countOf(dims) }, (_, index) => sizes.map((own) => entryOf(index, dims, own)));
  return { dims, entries };
}

/** The entry of a tensor with axes `own` that entry `index` of the result takes. */
function entryOf(index: number, dims: readonly number[], own: readonly number[]): number {
  let entry = 0;
  let stride = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    const position = index % dims[axis]!;
    index = (index - position) / dims[axis]!;
    if (own[axis] !== 1) entry += position * stride;
    stride *= own[axis]!;
  }
  return entry;
}
