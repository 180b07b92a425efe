/** Sequences that are packed one after the other: where each begins, and where the last one ends. */
import { type Integers, integersOf, isObject, listLength, wrongValue } from "../check.js";

/** The most sequences that a call may pack; also the most that a cache holds. */
const MAX_SEQUENCES = 2 ** 20;

/**
 * Where sequences begin and end: from 0 to `total`, the size of `axis`, never decreasing.
 * @throws {RangeError} anything else
 */
export function boundaries(operation: string, name: string, values: Integers, total: number, axis: string): number[] {
  if (isObject(values)) listLength(operation, name, values, MAX_SEQUENCES + 1);
  const found = integersOf(operation, name, values, undefined, 0, total);
  for (const [index, value] of found.entries()) {
    const previous = found[index - 1] ?? 0;
    if (value < previous)
      throw wrongValue(operation, `"${name}[${index}]" is ${value}, expected at least ${name}[${index - 1}] = ${previous}`);
  }
  if (found.length === 0) throw wrongValue(operation, `"${name}" is empty, expected [0, …, ${total}]`);
  if (found[0] !== 0) throw wrongValue(operation, `"${name}" begins with ${found[0]}, expected 0`);
  if (found.at(-1) !== total) throw wrongValue(operation, `"${name}" ends with ${found.at(-1)}, expected ${axis} = ${total}`);
  return found;
}
