/** What `test/consumers/check.mjs` returns, and what must be in it. */
import { expect } from "vitest";

export interface CheckResult {
  readonly error?: string;
  readonly version: string;
  readonly build: "simd" | "relaxed";
  readonly buildReason?: string;
  readonly fused: boolean;
  readonly threads: number;
  readonly threadsReason?: string;
  /** A hash of all bits of the attention. */
  readonly bits: number;
  readonly largestError: number;
  readonly messages: readonly string[];
}

/** Lines of the report at the end of a run: host, build, threads. */
const report: string[] = [];
export const printReport = (): void => console.log(report.join("\n"));

/**
 * Fails unless a consumer computed the results of the reference.
 * @param host  as the report names it
 */
export function expectRight(host: string, result: unknown): CheckResult {
  const check = result as CheckResult;
  expect(check, host).toBeTypeOf("object");
  expect(check.error, host).toBeUndefined();
  expect(check.largestError, host).toBeLessThan(1e-5); // the consumer has checked each operation against its own bound
  expect(check.messages, "what is wrong is said, also by minified code").toEqual([
    'RangeError: scaledDotProductAttention: "k" has headDim 5, expected 8 (q has dims [3, 8])',
    expect.stringMatching(/^TypeError: scaledDotProductAttention: "k" must be .*, got a revoked proxy$/),
  ]);
  const reason = check.threadsReason === undefined ? "" : ` (${check.threadsReason})`;
  report.push(
    `${host}: build ${check.build}${check.fused ? ", fused" : ""}, ${check.threads} thread${check.threads === 1 ? "" : "s"}${reason}`,
  );
  return check;
}
