/** How many keys before and after its position a row sees. */
import { describe, integer, isAbsent, isArray, MAX_POSITION, wrongKind, wrongValue } from "../check.js";

/**
 * Reads a window: n for both sides, or [left, right].
 *
 * @returns keys before and after, −1 for all
 * @internal
 */
export function windowOf(operation: string, window: unknown): [number, number] {
  const problem = `"window" must be a number or [left, right], got ${describe(window)}`;
  if (isArray(window)) {
    const side = (index: number): number =>
      isAbsent(window[index]) ? -1 : integer(operation, `window[${index}]`, window[index], -1, MAX_POSITION);
    if (window.length === 2) return [side(0), side(1)];
    throw wrongValue(operation, problem);
  }
  if (typeof window !== "number") throw wrongKind(operation, problem);
  const reach = integer(operation, "window", window, -1, MAX_POSITION);
  return [reach, reach];
}
