/** Places that receive numbers of keys. */
import type { Operand } from "../call/operand.js";
import { wrongValue } from "../check.js";

/** The largest integer such that a tensor of a kind holds it and all below. */
const MOST_EXACT = { float16: 2 ** 11, float32: 2 ** 24 } as const;

/**
 * @throws {RangeError} a place that does not hold the number of every key
 * @internal
 */
export function expectExactKeys(operation: string, { name, kind }: Operand, kvLen: number): void {
  const most = MOST_EXACT[kind as keyof typeof MOST_EXACT];
  if (kvLen - 1 <= most) return;
  throw wrongValue(
    operation,
    `"${name}" holds ${kind}, which is exact up to ${most}, but the last of ${kvLen} keys is ${kvLen - 1}`,
  );
}
